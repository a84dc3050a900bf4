"""Benchmarks: the measurements behind decisions."""
