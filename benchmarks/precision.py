"""What bf16 changes on labelled images: labels, probabilities, and the confusion of each precision.

Through the embedded model server's engine, as the service runs it, for each model and the ensemble.

    python benchmarks/precision.py --dataset path/to/folder --files test.txt --models-dir models
"""

import argparse
import sys
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from serving import volume
from serving.contract import (
    CLASS_NAMES,
    DEFAULT_OPERATING_POINT,
    INPUT_NAME,
    MODEL_NAMES,
    OUTPUT_NAME,
    POSITIVE_CLASS_INDEX,
)
from serving.embedded.engine import Engine
from serving.precision import Precision
from serving.preprocess import decode_image, preprocess

_ROWS: Final = 8


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--dataset", type=Path, required=True, help="holds COVID/ and non-COVID/")
    parser.add_argument("--files", type=Path, help="a list; without it all images")
    parser.add_argument("--models-dir", type=Path, default=Path("models"))
    arguments = parser.parse_args()
    files = _files(arguments.dataset, arguments.files)
    truth = np.array([file.parent.name == CLASS_NAMES[POSITIVE_CLASS_INDEX] for file in files])
    images = np.stack([preprocess(decode_image(file.read_bytes()).pixels) for file in files])
    found = {each: _probabilities(arguments.models_dir, each, images) for each in Precision}
    sys.stdout.write(
        f"{len(files)} images, {truth.sum()} of them COVID; confusion is"
        " COVID found and missed, non-COVID found and missed\n\n"
        "| model | labels changed | largest change of a probability | confusion, f32 | bf16 |\n"
        "|---|---|---|---|---|\n"
    )
    for name in (*MODEL_NAMES, "ensemble"):
        f32, bf16 = (found[each][name] for each in Precision)
        changed = int(((f32 >= DEFAULT_OPERATING_POINT) != (bf16 >= DEFAULT_OPERATING_POINT)).sum())
        sys.stdout.write(
            f"| {name} | {changed} of {len(files)} | {np.abs(f32 - bf16).max():.4f}"
            f" | {_confusion(truth, f32)} | {_confusion(truth, bf16)} |\n"
        )


def _files(dataset: Path, listed: Path | None) -> list[Path]:
    if listed is not None:
        return [dataset / line for line in listed.read_text().splitlines() if line.strip()]
    return sorted(file for name in CLASS_NAMES for file in (dataset / name).iterdir())


def _probabilities(
    models_dir: Path, precision: Precision, images: NDArray[np.float32]
) -> dict[str, NDArray[np.float32]]:
    engine = Engine(precision)
    found = {}
    for name in MODEL_NAMES:
        version = volume.versions(models_dir, name)[-1]
        model = engine.load(volume.version_dir(models_dir, name, version))
        answers = [
            model.infer({INPUT_NAME: images[start : start + _ROWS]})[OUTPUT_NAME]
            for start in range(0, len(images), _ROWS)
        ]
        found[name] = np.concatenate(answers)[:, POSITIVE_CLASS_INDEX]
    found["ensemble"] = np.mean([found[name] for name in MODEL_NAMES], axis=0)
    return found


def _confusion(truth: NDArray[np.bool_], positive: NDArray[np.float32]) -> str:
    said = positive >= DEFAULT_OPERATING_POINT
    counts = (truth & said, truth & ~said, ~truth & ~said, ~truth & said)
    return ", ".join(str(int(count.sum())) for count in counts)


if __name__ == "__main__":
    main()
