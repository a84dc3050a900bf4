"""Which parts of an image speak for COVID-19, and which against it."""
