"""From the data map and the mandates to findings and steps."""
