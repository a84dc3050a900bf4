"""Phantoms instead of patients, and the demo models trained on them."""
