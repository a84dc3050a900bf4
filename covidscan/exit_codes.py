"""Exit codes of the commands."""

from typing import Final

FAILURE: Final = 1
BAD_USE: Final = 2
INTERRUPTED: Final = 130
"""The shell convention for a command that Ctrl-C ended."""
