"""What must be on the disk when a call returns: whole files, and databases of our own."""
