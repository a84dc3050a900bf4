"""The folder of a training run: checkpoints, artefacts and the report.

``run.json`` holds what the run depends on, so that ``--resume`` never goes on with something else.
"""

import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from serving.files.replacement import replacing
from trainer.dataset.lists import write_list
from trainer.dataset.split import Split
from trainer.errors import RunError
from trainer.training.checkpoint import Checkpoints

DEFAULT_RUNS_DIR: Final = Path("runs")

_SETTINGS: Final = "run.json"


@dataclass(frozen=True)
class Run:
    """A training run and where its files lie."""

    directory: Path

    def checkpoints(self, name: str) -> Checkpoints:
        """Where a CNN's training can be resumed from."""
        return Checkpoints(self.directory / name / "checkpoints")

    def artefacts_dir(self, name: str) -> Path:
        """Where a CNN's weights and graph go."""
        return self.directory / name

    def tensorboard_dir(self, name: str) -> Path:
        """Where TensorBoard looks for a CNN's events."""
        return self.directory / "tensorboard" / name

    def write_json(self, name: str, content: Any) -> None:  # noqa: ANN401
        """Write a JSON file, as a whole or not at all."""
        with replacing(self.directory / name) as file:
            file.write(f"{json.dumps(content, indent=2, sort_keys=True)}\n".encode())

    def write_split(self, split: Split) -> None:
        """List each part's images, as ``--train-files`` and its like read them.

        Raises:
            RunError: the folder cannot be written.
        """
        parts = {"train": split.train, "validation": split.validation, "test": split.test}
        directory = self.directory / "split"
        try:
            directory.mkdir(exist_ok=True)
            for name, part in parts.items():
                write_list(part, directory / f"{name}.txt")
        except OSError as error:
            raise RunError(f"cannot write to {directory}: {error.strerror}") from error

    def published_version(self, name: str) -> int | None:
        """The version that this run has already published of a CNN."""
        path = self.directory / name / "published.json"
        return int(json.loads(path.read_text())["version"]) if path.exists() else None

    def note_published(self, name: str, version: int) -> None:
        """Remember a publication, so that a resumed run does not repeat it."""
        path = self.directory / name / "published.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"version": version}) + "\n")


def start_run(directory: Path | None, settings: dict[str, Any]) -> Run:
    """Begin a run in a folder of its own; without one, in a new one under ``runs/``.

    Raises:
        RunError: the folder is another run's, or cannot be written.
    """
    now = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    run = Run(directory or DEFAULT_RUNS_DIR / now)
    if (run.directory / _SETTINGS).exists():
        raise RunError(f"{run.directory} holds a run; add --resume, or choose another --run-dir")
    try:
        run.directory.mkdir(parents=True, exist_ok=True)
        run.write_json(_SETTINGS, settings)
    except OSError as error:
        raise RunError(f"cannot write to {run.directory}: {error.strerror}") from error
    return run


def resume_run(directory: Path | None, settings: dict[str, Any]) -> Run:
    """Go on with a run; without its folder, with the newest under ``runs/`` of these settings.

    Raises:
        RunError: there is no such run, or its settings were others.
    """
    # Compared as they are read back: JSON knows no tuples.
    wanted = json.loads(json.dumps(settings))
    if directory is not None:
        found = _read_settings(directory)
        if found is None:
            raise RunError(f"{directory} holds no run; leave --resume out to start one")
        different = sorted(key for key in wanted if found.get(key) != wanted[key])
        if different:
            raise RunError(f"the run in {directory} had another {' and '.join(different)}")
        return Run(directory)
    candidates = sorted(DEFAULT_RUNS_DIR.glob(f"*/{_SETTINGS}"), reverse=True)
    for path in candidates:
        if _read_settings(path.parent) == wanted:
            return Run(path.parent)
    raise RunError(f"no run in {DEFAULT_RUNS_DIR} has these settings; leave --resume out")


def _read_settings(directory: Path) -> dict[str, Any] | None:
    try:
        settings: dict[str, Any] = json.loads((directory / _SETTINGS).read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise RunError(f"{directory / _SETTINGS} cannot be read") from error
    return settings
