"""Decodes uploads in child processes, so that no file can take the service with it."""
