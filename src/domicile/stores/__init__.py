"""Databases and lakes behind one interface; the only way to people's rows."""

from domicile.stores.registry import open_store

__all__ = ["open_store"]
