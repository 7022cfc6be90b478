"""Benchmarks of the pipeline against plain code that does the same work: `make bench`. No stage imports this."""
