"""Benchmarks: quality and speed on real data, each speed a ratio to a reference in the same run."""
