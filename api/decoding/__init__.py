"""Decodes uploads in child processes, so that no file can crash the service."""
