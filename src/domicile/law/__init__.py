"""Law as data: mandates, clauses, conditions, vocabularies. Pure functions."""
