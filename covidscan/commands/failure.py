"""How a command ends when it cannot do its work: one line on stderr and an exit code."""

from typing import Final, NoReturn

import typer

FAILURE: Final = 1
BAD_USE: Final = 2


def fail(message: str, code: int = FAILURE) -> NoReturn:
    """Say why on stderr and exit."""
    typer.echo(f"covidscan: {message}", err=True)
    raise typer.Exit(code)
