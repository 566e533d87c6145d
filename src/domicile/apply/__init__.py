"""From steps to moved, erased and purged rows, with the journal that survives kill -9."""
