"""Measures what ``decode_image`` costs beyond decoding alone.

``decode_image`` reads a file completely or not at all. Prints its median time for each format and
size, and the ratio to OpenCV's decoder alone, measured in turn in one run.

    python -m benchmarks.decoding
    python -m benchmarks.decoding --files slice.dcm radiograph.dcm
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from imaging.decode import decode_image
from imaging.formats.reading import IMAGE_FORMATS

_SIDES: Final = (256, 512, 1024)
_ROUNDS: Final = 25


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", nargs="*", type=Path, help="measure only these files")
    files = parser.parse_args().files
    if files:
        _of_files(files)
    else:
        _of_formats()


def _of_files(files: list[Path]) -> None:
    sys.stdout.write("| file | width | height | decode_image |\n|---|---|---|---|\n")
    for file in files:
        content = file.read_bytes()
        image = decode_image(content)
        (whole,) = _medians(lambda content=content: decode_image(content))
        sys.stdout.write(
            f"| {file.name} | {image.width} | {image.height} | {1000 * whole:.1f} ms |\n"
        )


def _of_formats() -> None:
    sys.stdout.write(
        "| format | side | decode_image | times the decoder alone |\n|---|---|---|---|\n"
    )
    for name in IMAGE_FORMATS:
        for side in _SIDES:
            data = cv2.imencode(f".{name}", _picture(side))[1]
            content = data.tobytes()
            whole, alone = _medians(
                lambda content=content: decode_image(content),
                lambda data=data: cv2.imdecode(data, cv2.IMREAD_COLOR_RGB),
            )
            sys.stdout.write(f"| {name} | {side} | {1000 * whole:.1f} ms | {whole / alone:.1f} |\n")


def _picture(side: int) -> np.ndarray:
    """Return a grey image, smooth and noisy like a slice."""
    noise = np.random.default_rng(0).integers(0, 256, (side, side), np.uint8)
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    return cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX)


def _medians(*calls: Callable[[], object]) -> list[float]:
    seconds: list[list[float]] = [[] for _ in calls]
    for _ in range(_ROUNDS):
        for call, taken in zip(calls, seconds, strict=True):
            started = time.perf_counter()
            call()
            taken.append(time.perf_counter() - started)
    return [float(np.median(taken)) for taken in seconds]


if __name__ == "__main__":
    main()
