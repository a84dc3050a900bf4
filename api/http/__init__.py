"""HTTP: problems, uploads, request ids and middleware."""
