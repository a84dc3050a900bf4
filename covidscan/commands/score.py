"""``covidscan score``."""

import asyncio
import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from covidscan.command_line.options import DicomWindow, ModelsDirSetting, ModelServerSetting
from covidscan.command_line.output import fail, say
from covidscan.exit_codes import BAD_USE, FAILURE
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
            help="Folder, ZIP archive or tar archive of images and DICOM files;"
            " with --ray a folder, which may be remote, such as s3://bucket/folder.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="The table to write: Parquet, one row per file.")],
    model_server: ModelServerSetting = None,
    models_dir: ModelsDirSetting = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Processes that read files and send requests.",
            show_default="one per core",
        ),
    ] = None,
    window: DicomWindow = WindowChoice.AUTO,
    tta: Annotated[
        int,
        typer.Option(
            min=0, max=32, help="Test-time augmentation: variants per image, for an interval."
        ),
    ] = 0,
    predict_rejected: Annotated[
        bool,
        typer.Option(
            "--predict-rejected", help="Predict even images that do not look like chest scans."
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing table.")] = False,
    ray: Annotated[
        bool,
        typer.Option("--ray", help="Use Ray Data: on the cluster at RAY_ADDRESS, or locally."),
    ] = False,
) -> None:
    """Score all images and DICOM files of a folder or an archive into one table.

    Files that are not readable images have a row that states the problem. Hidden and system files,
    devices and links that lead nowhere have no row; they are counted. To continue an interrupted
    run, start it again with the same options. The exit code is 1 if any file failed for a
    reason other than its content, or if the archive is damaged.
    """
    for module in ("pyarrow", *(["ray"] if ray else [])):
        if importlib.util.find_spec(module) is None:
            fail(f"{module} is not installed; pip install 'covidscan[{_EXTRA[module]}]'", BAD_USE)
    if out.exists() and not force:
        fail(f"{out} already exists; --force overwrites it", BAD_USE)
    from api.prediction.options import PredictionOptions
    from api.settings import Settings
    from covidscan.scoring.opening import SourceError
    from covidscan.scoring.scorer import ScoreOptions
    from covidscan.scoring.scoring_model_server import ready_model_server
    from covidscan.scoring.scoring_run import ScoringError, Summary
    from covidscan.scoring.table import TableError
    from serving.errors import TlsConfigError

    # A local host, so that the settings do not require API keys: no gateway is started.
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
                PredictionOptions(window=window, variants=tta, force=predict_rejected),
            )
            work = _score_on_ray if ray else _score_locally
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
    say(f"{out}: {_format_counts(summary.statuses.items())}")
    if summary.problems:
        say(f"not predicted: {_format_counts(summary.problems.items())}")
    if summary.left_out:
        say(f"left out, without a row: {_format_counts(summary.left_out.items())}")


def _format_counts(counts: "Iterable[tuple[str, int]]") -> str:
    return ", ".join(f"{count} {what}" for what, count in counts)


def _score_locally(images: str, options: "ScoreOptions", out: Path, workers: int) -> "Summary":
    from covidscan.scoring.opening import open_source
    from covidscan.scoring.scoring_run import score as score_all
    from covidscan.scoring.table import GrowingTable

    source = open_source(Path(images), limit_bytes=options.settings.max_upload_bytes)
    run_options: dict[str, Any] = {
        "images": str(Path(images).resolve()),
        "window": str(options.prediction.window),
        "tta": options.prediction.variants,
        "predict_rejected": options.prediction.force,
        "operating_point": options.settings.operating_point,
        "precision": str(options.settings.precision),
        **_identity(Path(images)),
    }
    with _progress(source.count) as advance:
        return score_all(
            source, options, GrowingTable(out, run_options), workers=workers, on_rows=advance
        )


def _identity(path: Path) -> dict[str, int]:
    """Return what shows that an archive has not changed since its members were scored."""
    if path.is_dir():
        return {}
    status = path.stat()
    return {"size_bytes": status.st_size, "modified_ns": status.st_mtime_ns}


def _score_on_ray(images: str, options: "ScoreOptions", out: Path, workers: int) -> "Summary":
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
