"""Observability: metrics, request log, traces, audit trail."""
