"""Prints how much of the engine's time each kind of operation takes, and the first convolution.

python -m benchmarks.operations --models-dir models
"""

import argparse
import sys
from collections import defaultdict
from pathlib import Path
from typing import Final

import numpy as np
import openvino

from imaging.model_input import CHANNELS, IMAGE_SIZE
from serving import volume
from serving.contract import MODEL_NAMES

_RUNS: Final = 200
_FIRST: Final = "Convolution"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models-dir", type=Path, default=Path("models"))
    arguments = parser.parse_args()
    sys.stdout.write("| model | kinds of operation | the first convolution |\n|---|---|---|\n")
    for name in MODEL_NAMES:
        version = volume.versions(arguments.models_dir, name)[-1]
        seconds = _operations(volume.version_dir(arguments.models_dir, name, version))
        total = sum(seconds.values())
        kinds: dict[str, float] = defaultdict(float)
        for (_, kind), taken in seconds.items():
            kinds[kind] += taken
        described = ", ".join(
            f"{kind} {taken / total:.1%}"
            for kind, taken in sorted(kinds.items(), key=lambda item: -item[1])
        )
        first = next(taken for (_, kind), taken in seconds.items() if kind == _FIRST)
        sys.stdout.write(f"| {name} | {described} | {first / total:.1%} |\n")


def _operations(version_dir: Path) -> dict[tuple[str, str], float]:
    """Return the median seconds of each operation that takes time, by name and kind, in order."""
    core = openvino.Core()
    options = {
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "PERF_COUNT": True,
    }
    request = core.compile_model(version_dir, "CPU", options).create_infer_request()
    image = np.random.default_rng(0).random((1, IMAGE_SIZE, IMAGE_SIZE, CHANNELS), np.float32)
    taken: dict[tuple[str, str], list[float]] = defaultdict(list)
    for _ in range(_RUNS):
        request.infer({0: image})
        for operation in request.profiling_info:
            taken[operation.node_name, operation.node_type].append(
                operation.real_time.total_seconds()
            )
    medians = {operation: float(np.median(seconds)) for operation, seconds in taken.items()}
    return {operation: seconds for operation, seconds in medians.items() if seconds}


if __name__ == "__main__":
    main()
