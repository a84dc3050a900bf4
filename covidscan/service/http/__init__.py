"""The HTTP server: connections, their limits, and the heads of requests."""
