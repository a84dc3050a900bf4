"""The embedded model server's process, and its watchdog."""
