"""Evaluates models: metrics, their intervals, and the report."""
