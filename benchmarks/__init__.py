"""Benchmarks: the measurements behind decisions about speed."""
