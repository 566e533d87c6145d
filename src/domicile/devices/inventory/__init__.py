"""Inventories: what reports devices, one file a kind, behind one interface."""
