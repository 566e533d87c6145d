"""The clock: drift since the last look, deadlines with notices, and what follows when they pass."""
