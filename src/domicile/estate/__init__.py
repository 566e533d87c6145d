"""What an organisation declares that it has: pure data, no access to the world."""
