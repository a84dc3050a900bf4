"""Measures what post-training int8 (NNCF) would gain and lose against f32 and bf16.

    pip install -r benchmarks/int8/requirements.txt
    python -m benchmarks.int8 --dataset path/to/folder --calibration train.txt --files test.txt

NNCF is not part of the project; these requirements are only for this benchmark.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import nncf
import numpy as np
import openvino
from numpy.typing import NDArray

from benchmarks.labelled_images import CONFUSION, labels, read_labelled
from benchmarks.precision import load, probabilities, with_ensemble
from serving import volume
from serving.contract import INPUT_NAME, MODEL_NAMES
from serving.embedded.engine import LoadedModel
from serving.precision import Precision
from serving.protos.model_metadata_pb2 import SignatureDefMap

_CALIBRATION_IMAGES: Final = 300
_SECONDS: Final = 4.0
_BATCH: Final = 16


def main() -> None:
    """Quantise, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--dataset", type=Path, required=True, help="holds COVID/ and non-COVID/")
    parser.add_argument(
        "--calibration", type=Path, required=True, help="text file that lists images"
    )
    parser.add_argument(
        "--files", type=Path, help="text file that lists the images to evaluate; default: all"
    )
    parser.add_argument("--models-dir", type=Path, default=Path("models"))
    arguments = parser.parse_args()
    seen = read_labelled(arguments.dataset, arguments.calibration).images
    chosen = np.random.default_rng(0).permutation(len(seen))[:_CALIBRATION_IMAGES]
    models = {
        **{
            str(precision): [load(arguments.models_dir, name, precision) for name in MODEL_NAMES]
            for precision in Precision
        },
        "int8": [quantised(arguments.models_dir, name, seen[chosen]) for name in MODEL_NAMES],
        "int8, with bias correction": [
            quantised(arguments.models_dir, name, seen[chosen], thorough=True)
            for name in MODEL_NAMES
        ],
    }
    given = read_labelled(arguments.dataset, arguments.files)
    _print_speed(models, given.images)
    sys.stdout.write(f"\n{len(given)} images, {given.positive.sum()} of them COVID; {CONFUSION}\n")
    sys.stdout.write("\n| model | arithmetic | labels changed | confusion |\n|---|---|---|---|\n")
    found = {
        way: with_ensemble(
            {
                name: probabilities(model, given.images)
                for name, model in zip(MODEL_NAMES, loaded, strict=True)
            }
        )
        for way, loaded in models.items()
    }
    for name in (*MODEL_NAMES, "ensemble"):
        f32 = labels(found["f32"][name])
        for way, each in found.items():
            changed = (labels(each[name]) != f32).sum()
            sys.stdout.write(
                f"| {name} | {way} | {changed} of {len(given)} | {given.confusion(each[name])} |\n"
            )


def quantised(
    models_dir: Path, name: str, images: NDArray[np.float32], *, thorough: bool = False
) -> LoadedModel:
    """Return a CNN's newest version in int8, with its ranges fitted to these images."""
    core = openvino.Core()
    version = volume.versions(models_dir, name)[-1]
    model = nncf.quantize(
        core.read_model(volume.version_dir(models_dir, name, version)),
        nncf.Dataset([image[np.newaxis] for image in images]),
        subset_size=len(images),
        preset=nncf.QuantizationPreset.MIXED,
        fast_bias_correction=not thorough,
    )
    options = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    return LoadedModel(core.compile_model(model, "CPU", options), SignatureDefMap())


def _print_speed(models: dict[str, list[LoadedModel]], images: NDArray[np.float32]) -> None:
    sys.stdout.write(
        "| arithmetic | three models, one image | of f32 | images/s, batches of 16 | of f32 |\n"
        "|---|---|---|---|---|\n"
    )
    latencies = {way: _seconds(each, images[:1]) for way, each in models.items()}
    rates = {way: _BATCH / _seconds(each, images[:_BATCH]) for way, each in models.items()}
    for way in models:
        sys.stdout.write(
            f"| {way} | {1000 * latencies[way]:.1f} ms | {latencies[way] / latencies['f32']:.2f}"
            f" | {rates[way]:.0f} | {rates[way] / rates['f32']:.2f} |\n"
        )


def _seconds(models: Sequence[LoadedModel], images: NDArray[np.float32]) -> float:
    """Return the median time for all three models, one after the other."""
    taken = []
    until = time.perf_counter() + _SECONDS
    while (started := time.perf_counter()) < until:
        for model in models:
            model.infer({INPUT_NAME: images})
        taken.append(time.perf_counter() - started)
    return float(np.median(taken))


if __name__ == "__main__":
    main()
