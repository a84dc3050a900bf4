"""Whole folders and archives scored: a table with a row for each file."""
