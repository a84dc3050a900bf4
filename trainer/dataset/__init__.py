"""Reads images and their labels, splits them, and checks for leakage."""
