"""``covidscan score``."""

import asyncio
import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from covidscan.commands.failure import BAD_USE, FAILURE, fail, say
from imaging.dicom.description import WindowChoice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from covidscan.scoring.scorer import ScoreOptions
    from covidscan.scoring.scoring_run import Summary

_EXTRA: Final = {"pyarrow": "bulk", "ray": "ray"}


def score(
    images: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER|ARCHIVE",
            help="Images and DICOM files, in folders, a ZIP or a tar archive;"
            " with --ray a folder, which may be elsewhere, such as s3://bucket/folder.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="The table, Parquet, a row for each file.")],
    model_server: Annotated[
        str | None,
        typer.Option(help="Address of a model server; without it the embedded one is started."),
    ] = None,
    models_dir: Annotated[
        Path | None, typer.Option(help="The versioned volume.", show_default="models")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes that read and ask.", show_default="one a core"),
    ] = None,
    window: Annotated[
        WindowChoice, typer.Option(help="What DICOM files' grey values come from.")
    ] = WindowChoice.AUTO,
    tta: Annotated[
        int, typer.Option(min=0, max=32, help="Variants of each image, for an interval.")
    ] = 0,
    predict_refused: Annotated[
        bool,
        typer.Option("--predict-refused", help="Predict also what is refused as no chest scan."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over a table.")] = False,
    ray: Annotated[
        bool, typer.Option("--ray", help="On Ray Data: on the cluster of RAY_ADDRESS, or here.")
    ] = False,
) -> None:
    """Score all images and DICOM files of a folder or an archive into one table.

    Files that are not readable images have a row with their problem. Hidden and system files,
    devices and links that lead nowhere have no row and are counted. A run that was cut off
    continues if you start it again in the same way. The exit code is 1 if any file was not answered
    through no fault of its own, or if the archive is damaged.
    """
    for module in ("pyarrow", *(["ray"] if ray else [])):
        if importlib.util.find_spec(module) is None:
            fail(f"{module} is not installed; pip install 'covidscan[{_EXTRA[module]}]'", BAD_USE)
    if out.exists() and not force:
        fail(f"{out} is there already; --force writes over it", BAD_USE)
    from api.prediction.options import PredictionOptions
    from api.settings import Settings
    from covidscan.scoring.files import SourceError
    from covidscan.scoring.scorer import ScoreOptions
    from covidscan.scoring.scoring_model_server import ready_model_server
    from covidscan.scoring.scoring_run import ScoringError, Summary
    from covidscan.scoring.table import TableError
    from serving.errors import TlsConfigError

    # The door is not used: nobody else reaches this.
    given: dict[str, Any] = {
        "host": "127.0.0.1",
        "model_server": model_server,
        "models_dir": models_dir,
    }
    settings = Settings(**{name: value for name, value in given.items() if value is not None})

    async def run() -> Summary:
        async with ready_model_server(settings) as address:
            options = ScoreOptions(
                settings.model_copy(update={"model_server": address}),
                PredictionOptions(window=window, variants=tta, force=predict_refused),
            )
            work = _on_ray if ray else _here
            return await asyncio.to_thread(
                work, images, options, out, workers or os.cpu_count() or 1
            )

    try:
        summary = asyncio.run(run())
    except TlsConfigError as error:
        fail(str(error), BAD_USE)
    except (SourceError, TableError, ScoringError) as error:
        fail(str(error))
    _print_summary(out, summary)
    if summary.damage is not None:
        fail(f"{summary.damage}; the table has what could be read")
    if summary.statuses["failed"]:
        raise typer.Exit(FAILURE)


def _print_summary(out: Path, summary: "Summary") -> None:
    say(f"{out}: {_counted(summary.statuses.items())}")
    if summary.problems:
        say(f"not predicted: {_counted(summary.problems.items())}")
    if summary.left_out:
        say(f"left out, without a row: {_counted(summary.left_out.items())}")


def _counted(counts: "Iterable[tuple[str, int]]") -> str:
    return ", ".join(f"{count} {what}" for what, count in counts)


def _here(images: str, options: "ScoreOptions", out: Path, workers: int) -> "Summary":
    from covidscan.scoring.files import open_source
    from covidscan.scoring.scoring_run import score as score_all
    from covidscan.scoring.table import GrowingTable

    source = open_source(Path(images), limit_bytes=options.settings.max_upload_bytes)
    said: dict[str, Any] = {
        "images": str(Path(images).resolve()),
        "window": str(options.prediction.window),
        "tta": options.prediction.variants,
        "predict_refused": options.prediction.force,
        "operating_point": options.settings.operating_point,
        "precision": str(options.settings.precision),
        **_identity(Path(images)),
    }
    with _progress(source.count) as advance:
        return score_all(source, options, GrowingTable(out, said), workers=workers, on_rows=advance)


def _identity(path: Path) -> dict[str, int]:
    """What shows that an archive is still the one whose members were scored before."""
    if path.is_dir():
        return {}
    status = path.stat()
    return {"size_bytes": status.st_size, "modified_ns": status.st_mtime_ns}


def _on_ray(images: str, options: "ScoreOptions", out: Path, workers: int) -> "Summary":
    from covidscan.scoring.on_ray import score_on_ray

    return score_on_ray(images, options, out, workers=workers)


@contextmanager
def _progress(total: int | None) -> "Iterator[Callable[[int], None]]":
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as progress:
        task = progress.add_task("scored", total=total)
        yield lambda count: progress.advance(task, count)
