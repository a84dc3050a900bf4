"""``covidscan models``: lists and removes versions, and rolls back to them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from covidscan.command_line.model_name import ModelName
from covidscan.command_line.options import ModelsDir
from covidscan.command_line.output import fail, say
from covidscan.command_line.tables import add_text_row
from covidscan.exit_codes import BAD_USE
from serving import volume
from serving.contract import MODEL_NAMES
from serving.errors import VolumeError
from serving.volume import DEFAULT_MODELS_DIR, rollback
from serving.volume.model_card import ModelCard

app = typer.Typer(no_args_is_help=True, help="List, roll back, remove and prune versions.")


_METRICS: Final = ("accuracy", "auroc", "ece")
_UNKNOWN: Final = "-"


@dataclass(frozen=True)
class _Version:
    model: str
    version: int
    newest: bool
    card: ModelCard | None

    def describe(self) -> dict[str, Any]:
        card = self.card
        return {
            "model": self.model,
            "version": self.version,
            "newest": self.newest,
            "created_at": card.created_at if card else None,
            "demo": card.demo if card else None,
            "rolled_back_to": card.rolled_back_to if card else None,
            **{name: card.metrics.get(name) if card else None for name in _METRICS},
        }


@app.command("list")
def list_versions(
    models_dir: ModelsDir = DEFAULT_MODELS_DIR,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List every version on the volume, newest first. A model server serves the newest."""
    versions = [version.describe() for version in _read_versions(models_dir)]
    if as_json:
        say(json.dumps(versions, indent=2))
    elif versions:
        _print_table(versions)
    else:
        say(f"{models_dir} holds no models")


@app.command("rollback")
def roll_back(
    model: Annotated[ModelName, typer.Argument(help="Which CNN.")],
    to: Annotated[
        int | None,
        typer.Option(min=0, help="Which version.", show_default="the one before the newest"),
    ] = None,
    models_dir: ModelsDir = DEFAULT_MODELS_DIR,
) -> None:
    """Publish an older version again as a new one. A running server loads it at once."""
    with _report_volume_errors():
        version, original = rollback.roll_back(models_dir, str(model), to)
    say(f"published {model} version {version}, a copy of version {original}")


@app.command("remove")
def remove(
    model: Annotated[ModelName, typer.Argument(help="Which CNN.")],
    version: Annotated[int, typer.Argument(min=0, help="Which version.")],
    models_dir: ModelsDir = DEFAULT_MODELS_DIR,
    yes: Annotated[
        bool, typer.Option("--yes", help="Remove it even if it is being served.")
    ] = False,
) -> None:
    """Remove a version. Its number is never used again."""
    published = volume.versions(models_dir, str(model))
    if published == [version]:
        fail(f"{version} is the only version of {model}; train another one first", BAD_USE)
    if published and version == published[-1] and not yes:
        fail(
            f"{version} is the version of {model} that is served, and {published[-2]} would take"
            " its place; add --yes if that is what you want",
            BAD_USE,
        )
    with _report_volume_errors():
        volume.remove(models_dir, str(model), version)
    say(f"removed {model} version {version}")


@app.command("prune")
def prune(
    model: Annotated[
        list[ModelName] | None, typer.Argument(help="Which CNNs.", show_default="all")
    ] = None,
    keep: Annotated[
        int, typer.Option(min=1, help="How many versions to keep, including the newest.")
    ] = volume.DEFAULT_VERSIONS_KEPT,
    models_dir: ModelsDir = DEFAULT_MODELS_DIR,
) -> None:
    """Remove all but the newest versions."""
    for name in map(str, model or MODEL_NAMES):
        with _report_volume_errors():
            gone = volume.prune(models_dir, name, keep=keep)
        say(f"{name}: removed {', '.join(map(str, gone)) or 'nothing'}")


@contextmanager
def _report_volume_errors() -> Iterator[None]:
    try:
        yield
    except VolumeError as error:
        fail(str(error), BAD_USE)


def _read_versions(models_dir: Path) -> Iterator[_Version]:
    for name in MODEL_NAMES:
        published = volume.versions(models_dir, name)
        for version in reversed(published):
            try:
                card = ModelCard.read(volume.version_dir(models_dir, name, version))
            except VolumeError:
                # Listed anyway: a version that cannot be read may be the one to remove.
                card = None
            yield _Version(name, version, version == published[-1], card)


def _print_table(versions: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("Model", "Version", "Created", "Kind", "Accuracy", "AUROC", "ECE", "")
    for each in versions:
        kind = {True: "demo", False: "real", None: _UNKNOWN}[each["demo"]]
        if each["rolled_back_to"] is not None:
            kind += f", copy of {each['rolled_back_to']}"
        add_text_row(
            table,
            each["model"],
            str(each["version"]),
            each["created_at"] or _UNKNOWN,
            kind,
            *(_UNKNOWN if each[name] is None else f"{each[name]:.3f}" for name in _METRICS),
            "newest" if each["newest"] else "",
        )
    Console().print(table)
