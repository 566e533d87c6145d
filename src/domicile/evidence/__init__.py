"""The transparency log: what was decided and done, with no personal data in it."""
