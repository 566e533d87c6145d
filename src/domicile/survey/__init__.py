"""From stores to the data map: schema, ownership, classification."""
