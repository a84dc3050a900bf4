"""Compares scoring a folder with the service under load, on the same models in one run.

Each round measures the service with 32 clients, ``covidscan score`` with one and with two workers,
and the same on Ray. Each scoring uses a freshly started model server. Its time runs
from the command to the finished table. Needs wrk and ``covidscan[ray]``.

    python -m benchmarks.bulk --models-dir models --images data/phantoms
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.service import gateway
from benchmarks.speed.images import Upload
from benchmarks.speed.load import put_load
from serving.batching_parameters import EMBEDDED_BATCHING_FILE

_CLIENTS: Final = 32
_SECONDS: Final = 10.0
_UPLOADS: Final = 16
_COMMANDS: Final = {
    "`covidscan score`, one worker": ("--workers=1",),
    "`covidscan score`, two workers": ("--workers=2",),
    "`covidscan score --ray`, two workers": ("--workers=2", "--ray"),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models-dir", type=Path, default=Path("models"))
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    files = [file for file in sorted(arguments.images.rglob("*.png")) if file.is_file()]
    found: dict[str, list[float]] = {
        "the service, 32 clients": [],
        **{command: [] for command in _COMMANDS},
    }
    for _ in range(arguments.rounds):
        found["the service, 32 clients"].append(_under_load(arguments.models_dir, files[:_UPLOADS]))
        for command, options in _COMMANDS.items():
            with _model_server(arguments.models_dir) as address:
                found[command].append(len(files) / _score(arguments.images, address, options))
    service = np.median(found["the service, 32 clients"])
    sys.stdout.write(f"{len(files)} images\n\n| | images/s | of the service's |\n|---|---|---|\n")
    for name, rates in found.items():
        rate = np.median(rates)
        sys.stdout.write(f"| {name} | {rate:.1f} | {rate / service:.2f} |\n")


def _under_load(models_dir: Path, files: list[Path]) -> float:
    uploads = [Upload("png", file) for file in files]
    with gateway(models_dir) as service:
        put_load(service.port, uploads, clients=_CLIENTS, seconds=2)
        load = put_load(service.port, uploads, clients=_CLIENTS, seconds=_SECONDS)
    return load.answered_per_second


@contextmanager
def _model_server(models_dir: Path) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        address = f"{folder}/socket"
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "covidscan", "model-server"),
                f"--models-dir={models_dir}",
                f"--socket={address}",
                "--enable_batching=true",
                f"--batching_parameters_file={EMBEDDED_BATCHING_FILE}",
            ],
            stderr=subprocess.DEVNULL,
        )
        try:
            yield f"unix:{address}"
        finally:
            process.terminate()
            process.wait()


def _score(images: Path, address: str, options: tuple[str, ...]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "covidscan", "score", str(images)]
        started = time.perf_counter()
        subprocess.run(
            [*command, f"--out={folder}/table", f"--model-server={address}", *options],
            check=True,
            capture_output=True,
        )
        return time.perf_counter() - started


if __name__ == "__main__":
    main()
