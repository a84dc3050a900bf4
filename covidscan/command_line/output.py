"""How a command prints a line, and how it reports a failure and exits."""

from typing import TYPE_CHECKING, NoReturn

import typer

from covidscan.exit_codes import FAILURE
from system.names import readable_text

if TYPE_CHECKING:
    from pydantic import ValidationError


def say(message: str, *, err: bool = False) -> None:
    """Print a line that may contain arbitrary file names."""
    typer.echo(readable_text(message), err=err)


def fail(message: str, code: int = FAILURE) -> NoReturn:
    """Print the reason on stderr and exit."""
    say(f"covidscan: {message}", err=True)
    raise typer.Exit(code)


def settings_faults(error: "ValidationError") -> str:
    """Describe what is wrong with the settings, in one line."""
    faults = [
        ": ".join([*map(str, fault["loc"]), fault["msg"].removeprefix("Value error, ")])
        for fault in error.errors()
    ]
    return f"settings: {'; '.join(faults)}"
