"""Tables on the terminal whose cells are text and never markup."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table


def add_text_row(table: "Table", *cells: str, end_section: bool = False) -> None:
    """Add a row that shows its cells as they are, be it ``[bold]`` or ``:smile:``.

    Args:
        table: to be added to.
        cells: what a file, a user or a server has named; made readable where it is not.
        end_section: whether to draw a line below.
    """
    from rich.text import Text

    from serving.files.names import readable_name

    table.add_row(*(Text(readable_name(cell)) for cell in cells), end_section=end_section)
