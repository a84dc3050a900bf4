"""Renders the settings table of the documentation from the settings class."""

from enum import Enum

from api.settings import MEBIBYTE, Settings


def settings_table() -> str:
    """Return a Markdown table: variable, default, meaning."""
    rows = [
        (f"`COVIDSCAN_{name.upper()}`", _value(name, field.default), _text(field.description))
        for name, field in Settings.model_fields.items()
    ]
    header = [("variable", "default", "what"), ("---",) * 3]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [*header, *rows])


def _value(name: str, value: object) -> str:
    if value is None or value == []:
        return ""
    if name.endswith("_bytes") and isinstance(value, int):
        return f"{value} ({value // MEBIBYTE} MiB)"
    if isinstance(value, Enum | bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`"


def _text(description: str | None) -> str:
    return " ".join((description or "").split()).replace("``", "`")
