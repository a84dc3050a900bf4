"""HTTP: problems, uploads, request ids, and the middleware of every request."""
