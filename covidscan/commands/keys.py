"""``covidscan keys``: manages API keys."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from api.http.access.api_keys import ApiKeyRecord, ApiKeysError, create_key
from api.http.access.key_file import change_key_file, read_key_file
from covidscan.command_line.output import fail
from covidscan.exit_codes import BAD_USE

app = typer.Typer(no_args_is_help=True, help="Create, list and revoke API keys.")

KeysFile = Annotated[
    Path,
    typer.Option("--file", envvar="COVIDSCAN_API_KEYS_FILE", dir_okay=False, help="The key file."),
]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Name of the key's owner, such as pacs-2.")],
    file: Annotated[
        Path | None,
        typer.Option(
            envvar="COVIDSCAN_API_KEYS_FILE",
            dir_okay=False,
            help="Key file to add the record to. Without it, the record is printed.",
        ),
    ] = None,
) -> None:
    """Create a key and print it. Only its hash is stored, so it cannot be shown again."""
    with _report_key_errors():
        key, record = create_key(name)
        if file is not None:
            change_key_file(file, lambda records: [*records, record])
    typer.echo(key)
    if file is None:
        typer.echo(f"record, for COVIDSCAN_API_KEYS: {record}", err=True)


@app.command("list")
def list_keys(file: KeysFile) -> None:
    """List the keys of a key file: id and name."""
    with _report_key_errors():
        for record in read_key_file(file):
            typer.echo(f"{record.id}  {record.name}")


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The id that `list` prints.")],
    file: KeysFile,
) -> None:
    """Remove a key from a key file. A running gateway rejects it within a second."""
    with _report_key_errors():
        change_key_file(file, lambda records: _without(records, key_id))


def _without(records: Sequence[ApiKeyRecord], key_id: str) -> Sequence[ApiKeyRecord]:
    kept = [record for record in records if record.id != key_id]
    if len(kept) == len(records):
        raise ApiKeysError(f"there is no key {key_id}")
    return kept


@contextmanager
def _report_key_errors() -> Iterator[None]:
    try:
        yield
    except ApiKeysError as error:
        fail(str(error), BAD_USE)
