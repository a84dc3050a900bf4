"""The folder of a training run: checkpoints, artefacts and the report.

``run.json`` holds what the run depends on, so that ``--resume`` never continues a different run.
"""

import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from system.replacement import replacing
from trainer.dataset.lists import write_list
from trainer.dataset.split import Split
from trainer.errors import RunError
from trainer.training.checkpoint import Checkpoints

DEFAULT_RUNS_DIR: Final = Path("runs")

_SETTINGS: Final = "run.json"


@dataclass(frozen=True)
class Run:
    """The folder of a training run, and where its files are."""

    directory: Path

    def checkpoints(self, name: str) -> Checkpoints:
        """Return the checkpoints from which a CNN's training can be resumed."""
        return Checkpoints(self.directory / name / "checkpoints")

    def artefacts_dir(self, name: str) -> Path:
        """Return the folder for a CNN's weights and graph."""
        return self.directory / name

    def tensorboard_dir(self, name: str) -> Path:
        """Return the folder for a CNN's TensorBoard events."""
        return self.directory / "tensorboard" / name

    def write_json(self, name: str, content: Any) -> None:  # noqa: ANN401
        """Write a JSON file, completely or not at all."""
        with replacing(self.directory / name) as file:
            file.write(f"{json.dumps(content, indent=2, sort_keys=True)}\n".encode())

    def write_split(self, split: Split) -> None:
        """Write the list of each part's images, in the format of ``--train-files``.

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
        """Return the version of a CNN that this run has already published, if any."""
        path = self.directory / name / "published.json"
        return int(json.loads(path.read_text())["version"]) if path.exists() else None

    def note_published(self, name: str, version: int) -> None:
        """Record a publication, so that a resumed run does not repeat it."""
        path = self.directory / name / "published.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"version": version}) + "\n")


def start_run(directory: Path | None, settings: dict[str, Any]) -> Run:
    """Start a run in the given folder, or in a new one under ``runs/``.

    Raises:
        RunError: the folder holds another run, or cannot be written.
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
    """Resume a run: in the given folder, or the newest under ``runs/`` with these settings.

    Raises:
        RunError: there is no such run, or it had other settings.
    """
    # Compared after a JSON round trip, because JSON has no tuples.
    wanted = json.loads(json.dumps(settings))
    if directory is not None:
        found = _read_settings(directory)
        if found is None:
            raise RunError(f"{directory} holds no run; omit --resume to start one")
        different = sorted(key for key in wanted if found.get(key) != wanted[key])
        if different:
            raise RunError(f"the run in {directory} differs in {' and '.join(different)}")
        return Run(directory)
    candidates = sorted(DEFAULT_RUNS_DIR.glob(f"*/{_SETTINGS}"), reverse=True)
    for path in candidates:
        if _read_settings(path.parent) == wanted:
            return Run(path.parent)
    raise RunError(f"no run in {DEFAULT_RUNS_DIR} has these settings; omit --resume")


def _read_settings(directory: Path) -> dict[str, Any] | None:
    try:
        settings: dict[str, Any] = json.loads((directory / _SETTINGS).read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise RunError(f"{directory / _SETTINGS} cannot be read") from error
    return settings
