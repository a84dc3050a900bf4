"""The response schemas of the API."""
