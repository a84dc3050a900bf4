"""Terminal tables whose cells are plain text, never markup."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table


def add_text_row(table: "Table", *cells: str, end_section: bool = False) -> None:
    """Add a row that shows its cells literally, even ``[bold]`` or ``:smile:``.

    Args:
        table: the table to extend.
        cells: text from files, users or servers. Unprintable characters are made readable.
        end_section: whether to draw a line below the row.
    """
    from rich.text import Text

    from system.names import readable_name

    table.add_row(*(Text(readable_name(cell)) for cell in cells), end_section=end_section)
