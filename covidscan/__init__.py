"""The command line, and the service that combines the gateway and the embedded model server."""
