"""A whole estate on this machine: two PostgreSQL servers, made-up people, real commands."""
