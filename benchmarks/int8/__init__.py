"""Measures what post-training int8 would gain and lose."""
