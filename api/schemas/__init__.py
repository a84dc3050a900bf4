"""The answers, field by field."""
