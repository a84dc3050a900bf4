"""Scores whole folders and archives into a table with one row per file."""
