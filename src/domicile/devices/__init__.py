"""Fleets of devices: which has a forbidden app, who is told, and what such a device may reach."""
