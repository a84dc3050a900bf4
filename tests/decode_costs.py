"""Measures what decoding a file costs a process: CPU seconds, peak memory and outcome.

Each file is decoded in its own process, forked from one that has already imported everything.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
KIBIBYTE = 1024


@dataclass(frozen=True)
class Cost:
    """What decoding a file took, without the memory of the file itself."""

    cpu_seconds: float
    peak_bytes: int
    outcome: str
    """``decoded``, the name of the error, or ``killed``."""


def decode_costs(files: Sequence[bytes]) -> list[Cost]:
    """Measure ``decode_image`` for each file."""
    with tempfile.TemporaryDirectory() as folder:
        for index, data in enumerate(files):
            Path(folder, f"{index:04}").write_bytes(data)
        command = [sys.executable, "-m", "tests.decode_costs", folder]
        # With coverage, the cost of measuring coverage would be included.
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")}
        environment = {**inherited, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        run = subprocess.run(
            command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True
        )
    return [Cost(**json.loads(line)) for line in run.stdout.splitlines()]


def decode_cost(data: bytes) -> Cost:
    """Measure ``decode_image`` for one file."""
    return decode_costs([data])[0]


def main(folder: str) -> None:
    """Print a line of JSON with the cost of each file in a folder."""
    import cv2

    import imaging.dicom.reader  # noqa: F401

    cv2.setNumThreads(1)
    for file in sorted(Path(folder).iterdir()):
        reading, writing = os.pipe()
        if os.fork() == 0:
            os.close(reading)
            os.write(writing, json.dumps(asdict(_measure(file.read_bytes()))).encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as answer:
            line = answer.read()
        os.wait()
        sys.stdout.write((line or json.dumps(asdict(Cost(0, 0, "killed")))) + "\n")


def _measure(data: bytes) -> Cost:
    from imaging.decode import decode_image
    from imaging.dicom.description import DicomOptions
    from imaging.errors import ImageError

    before = resource.getrusage(resource.RUSAGE_SELF)
    try:
        decode_image(data, dicom=DicomOptions(any_modality=True))
        outcome = "decoded"
    except ImageError as error:
        outcome = type(error).__name__
    after = resource.getrusage(resource.RUSAGE_SELF)
    return Cost(
        after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        (after.ru_maxrss - before.ru_maxrss) * KIBIBYTE,
        outcome,
    )


if __name__ == "__main__":
    main(sys.argv[1])
