"""Measures the engine alone, without a server: from a prepared tensor to probabilities.

python -m benchmarks.speed.raw_engine --volume DIR --precision f32
"""

import argparse
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
import openvino

from imaging.model_input import CHANNELS, IMAGE_SIZE
from serving import volume
from serving.contract import MODEL_NAMES

BATCHES: Final = (8, 16, 32, 64)
STREAMS: Final = (1, 2)
"""All cores for one run, or two runs at a time with half of the cores each."""

Models = dict[str, openvino.CompiledModel]


def main() -> None:
    """Measure, and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--volume", type=Path, required=True)
    parser.add_argument("--precision", required=True)
    parser.add_argument("--seconds", type=float, default=2.0, help="duration of each measurement")
    arguments = parser.parse_args()
    compiled = {
        streams: compile_models(arguments.volume, arguments.precision, streams)
        for streams in STREAMS
    }
    latencies = {
        name: median_latency(model, arguments.seconds) for name, model in compiled[1].items()
    }
    throughputs = {
        f"batches of {rows}, {streams} at a time": throughput(
            models, rows, streams, arguments.seconds
        )
        for streams, models in compiled.items()
        for rows in BATCHES
    }
    json.dump(
        {
            "latency_seconds": latencies,
            "sum_seconds": sum(latencies.values()),
            "images_per_second": throughputs,
            "best_images_per_second": max(throughputs.values()),
        },
        sys.stdout,
    )


def compile_models(volume_dir: Path, precision: str, streams: int) -> Models:
    """Compile the newest version of each CNN."""
    core = openvino.Core()
    options = {
        "INFERENCE_PRECISION_HINT": precision,
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": streams,
    }
    return {
        name: core.compile_model(
            volume.version_dir(volume_dir, name, volume.versions(volume_dir, name)[-1]),
            "CPU",
            options,
        )
        for name in MODEL_NAMES
    }


def median_latency(model: openvino.CompiledModel, seconds: float) -> float:
    """Return the median latency of one image, run alone."""
    request = model.create_infer_request()
    inputs = {0: _images(1)}
    request.infer(inputs, share_inputs=True)
    latencies = []
    until = time.perf_counter() + seconds
    while (started := time.perf_counter()) < until:
        request.infer(inputs, share_inputs=True)
        latencies.append(time.perf_counter() - started)
    return float(np.median(latencies))


def throughput(models: Models, rows: int, streams: int, seconds: float) -> float:
    """Return images per second, each through all three models."""
    images = {0: _images(rows)}
    began = threading.Barrier(streams)
    counts: list[tuple[int, float]] = []

    def work(first: int) -> None:
        requests = [model.create_infer_request() for model in models.values()]
        # Each starts with another model, so that they do not all run the heaviest at once.
        requests = requests[first:] + requests[:first]
        _run(requests, images)
        began.wait()
        started = time.perf_counter()
        done = 0
        while time.perf_counter() - started < seconds:
            _run(requests, images)
            done += rows
        counts.append((done, time.perf_counter() - started))

    threads = [threading.Thread(target=work, args=(index,)) for index in range(streams)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done / elapsed for done, elapsed in counts)


def _run(requests: list[openvino.InferRequest], images: dict[int, Any]) -> None:
    for request in requests:
        request.infer(images, share_inputs=True)


def _images(rows: int) -> np.ndarray:
    shape = (rows, IMAGE_SIZE, IMAGE_SIZE, CHANNELS)
    return np.random.default_rng(0).random(shape, np.float32)


if __name__ == "__main__":
    main()
