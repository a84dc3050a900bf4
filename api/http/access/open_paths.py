"""Paths that need no API key."""

from typing import Final

OPEN_PATHS: Final = frozenset({"/healthz", "/readyz"})
"""Health checks: never authenticated, never rate-limited, and they reveal nothing else."""
