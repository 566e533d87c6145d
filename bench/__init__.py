"""Benchmarks: a module each, with a `run()` that gives its figures. Run by `python -m bench`."""
