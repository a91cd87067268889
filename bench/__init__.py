"""Measures the console's speed and memory: `python -m bench`, see docs/benchmarks.md."""
