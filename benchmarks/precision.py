"""Measures what bf16 changes on labelled images: labels, probabilities and confusion.

Uses the embedded model server's engine, as the service does, for each model and the ensemble.

    python -m benchmarks.precision --dataset path/to/folder --files test.txt --models-dir models
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.labelled_images import CONFUSION, labels, read_labelled
from serving import volume
from serving.contract import INPUT_NAME, MODEL_NAMES, OUTPUT_NAME, POSITIVE_CLASS_INDEX
from serving.embedded.engine import Engine, LoadedModel
from serving.precision import Precision
from serving.probabilities import soft_vote
from trainer.batched_inference import infer_in_batches


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--dataset", type=Path, required=True, help="holds COVID/ and non-COVID/")
    parser.add_argument(
        "--files", type=Path, help="text file that lists the images to use; default: all"
    )
    parser.add_argument("--models-dir", type=Path, default=Path("models"))
    arguments = parser.parse_args()
    given = read_labelled(arguments.dataset, arguments.files)
    found = {
        precision: with_ensemble(
            {
                name: probabilities(load(arguments.models_dir, name, precision), given.images)
                for name in MODEL_NAMES
            }
        )
        for precision in Precision
    }
    sys.stdout.write(
        f"{len(given)} images, {given.positive.sum()} of them COVID; {CONFUSION}\n\n"
        "| model | labels changed | largest change of a probability | confusion, f32 | bf16 |\n"
        "|---|---|---|---|---|\n"
    )
    for name in (*MODEL_NAMES, "ensemble"):
        f32, bf16 = found[Precision.F32][name], found[Precision.BF16][name]
        sys.stdout.write(
            f"| {name} | {(labels(f32) != labels(bf16)).sum()} of {len(given)}"
            f" | {np.abs(f32 - bf16).max():.4f}"
            f" | {given.confusion(f32)} | {given.confusion(bf16)} |\n"
        )


def load(models_dir: Path, name: str, precision: Precision) -> LoadedModel:
    """Load a CNN's newest version."""
    version = volume.versions(models_dir, name)[-1]
    return Engine(precision).load(volume.version_dir(models_dir, name, version))


def probabilities(model: LoadedModel, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the probabilities of the positive class, ``[N]``."""
    answers = infer_in_batches(lambda batch: model.infer({INPUT_NAME: batch})[OUTPUT_NAME], images)
    return answers[:, POSITIVE_CLASS_INDEX]


def with_ensemble(found: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    """Return the models' probabilities, with their mean as the ensemble's."""
    return {**found, "ensemble": soft_vote(list(found.values()))}


if __name__ == "__main__":
    main()
