"""Benchmarks, and the scripts that made the data files. Nothing here is part of the product."""
