"""Repeats the predictions that the audit trail records."""
