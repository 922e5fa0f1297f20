"""Benchmarks of the analytics location: days of messages, measured and compared."""
