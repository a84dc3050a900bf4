"""Phantoms in place of patients, and the demo models that learn from them."""
