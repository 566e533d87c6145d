"""Databases and lakes behind one interface; the only way to people's rows."""
