"""The JSON API: each module translates one subject between HTTP and the core."""
