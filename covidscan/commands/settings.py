"""``covidscan settings``."""

import typer


def settings() -> None:
    """Print every setting of the gateway with its default, as a Markdown table."""
    from covidscan.command_line.settings_table import settings_table

    typer.echo(settings_table())
