"""Paths that are open to everybody."""

from typing import Final

OPEN_PATHS: Final = frozenset({"/healthz", "/readyz"})
"""For those who supervise the gateway: never closed, never counted, and they tell nothing else."""
