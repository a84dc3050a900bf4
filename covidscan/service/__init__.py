"""The processes, the HTTP server and the logs of ``covidscan serve``."""
