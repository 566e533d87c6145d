"""The review: how every mandate stands, by the log and the stores, for a regulator to check."""
