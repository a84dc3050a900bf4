"""Measures how many chest images, and how many other images, do not look like chest scans.

Each image is judged as by the gateway: by its pixels, then by its out-of-distribution score. Colour
pictures are judged a second time in grey, which is the harder case. DICOM files of other modalities
are judged as if forced, which leaves the score to decide. Of nearly equal pictures (a wallpaper
comes in several sizes) only one is used.

    python -m benchmarks.rejection --models-dir models \
        --chest COVID-CT=path/to/covid-ct --other photos=path --other brain=path/to/volume.nii.gz

A folder is searched for images and DICOM files; ``--files NAME=LIST`` limits it to those that a
text file lists, one per line. A volume (NIfTI or NRRD; SimpleITK must be installed) is cut into
slices, along all axes with sufficient resolution; ``--slices NAME=FIRST:LAST`` takes all axial
slices of this range. CT is displayed in the lung window, as in the service.
"""

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from api.decoding.pixel_checks import check_pixels
from api.prediction.input_check import check_input
from api.prediction.model_call import ModelCall
from api.prediction.results import ModelStatus
from api.rejection_reason import RejectionReason
from benchmarks.precision import load
from imaging.decode import decode_image
from imaging.dicom.description import DicomOptions
from imaging.dicom.rendering import LUNG
from imaging.errors import ImageError
from imaging.preprocess import preprocess
from serving.client import Prediction
from serving.contract import (
    DEFAULT_OPERATING_POINT,
    INPUT_NAME,
    MODEL_NAMES,
    OOD_OUTPUT_NAME,
    OUTPUT_NAME,
)
from serving.embedded.engine import LoadedModel
from serving.precision import Precision

_THUMBNAIL: Final = (16, 16)
_MIN_DIFFERENCE: Final = 6.0
"""Mean difference of thumbnails in grey levels. Pictures that differ less count as equal."""
_NOISES: Final = 200
_VOLUMES: Final = (".nii", ".nii.gz", ".nrrd")
_SLICES_PER_AXIS: Final = 20
_MIN_SLICE_DEVIATION: Final = 20.0
_MAX_ANISOTROPY: Final = 2.0
"""Largest ratio between the distance of slices and that of pixels."""
_AIR_HU: Final = -1000

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Shown:
    """An image, and the modality that a DICOM file gives."""

    pixels: Pixels
    modality: str | None = None


def main() -> None:
    """Judge and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models-dir", type=Path, default=Path("models"))
    parser.add_argument(
        "--precision", type=Precision, choices=list(Precision), default=Precision.F32
    )
    parser.add_argument("--chest", type=_named_path, action="append", default=[])
    parser.add_argument("--other", type=_named_path, action="append", default=[])
    parser.add_argument("--files", type=_named_path, action="append", default=[])
    parser.add_argument("--slices", type=_named_slices, action="append", default=[])
    arguments = parser.parse_args()
    models = {name: load(arguments.models_dir, name, arguments.precision) for name in MODEL_NAMES}
    which: dict[str, Path | range] = dict(arguments.files + arguments.slices)
    print("| images | number | rejected | by their pixels | without colours | reasons |")  # noqa: T201
    print("|---|---|---|---|---|---|")  # noqa: T201
    for name, path in arguments.chest:
        _judge(name, list(_read(path, which.get(name))), models)
    for name, path in arguments.other:
        _judge(name, _distinct(_read(path, which.get(name))), models)
    _judge("noise", list(_noise()), models)


def _named_path(argument: str) -> tuple[str, Path]:
    name, separator, path = argument.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"give NAME=PATH, not {argument!r}")
    return name, Path(path)


def _named_slices(argument: str) -> tuple[str, range]:
    name, _, slices = argument.partition("=")
    first, separator, last = slices.partition(":")
    if not separator:
        raise argparse.ArgumentTypeError(f"give NAME=FIRST:LAST, not {argument!r}")
    return name, range(int(first), int(last) + 1)


def _judge(name: str, images: Sequence[Shown], models: dict[str, LoadedModel]) -> None:
    found = [_reasons(image, models) for image in images]
    by_pixels = sum(any(r is not RejectionReason.NOT_CHEST for r in reasons) for reasons in found)
    grey = [_reasons(Shown(_without_colours(image.pixels)), models) for image in images]
    counts = Counter(reason for reasons in found for reason in reasons)
    described = ", ".join(f"{reason} {count}" for reason, count in counts.most_common()) or "none"
    shares = [
        f"{100 * share / len(images):.1f} %"
        for share in (sum(map(bool, found)), by_pixels, sum(map(bool, grey)))
    ]
    print(f"| {name} | {len(images)} | {' | '.join(shares)} | {described} |", flush=True)  # noqa: T201


def _reasons(image: Shown, models: dict[str, LoadedModel]) -> list[RejectionReason]:
    height, width = image.pixels.shape[:2]
    tensor = preprocess(image.pixels)
    reasons = check_pixels(tensor, width=width, height=height, modality=image.modality)
    answers = []
    for name, model in models.items():
        outputs = model.infer({INPUT_NAME: tensor[None]})
        answered = Prediction(1, outputs[OUTPUT_NAME], outputs[OOD_OUTPUT_NAME])
        call = ModelCall(name, ModelStatus.OK, answered, 0.0)
        answers.append(call.model_result(0, DEFAULT_OPERATING_POINT))
    return check_input(reasons, answers, demo=False).reasons


def _read(path: Path, which: Path | range | None) -> Iterator[Shown]:
    if path.name.endswith(_VOLUMES):
        yield from _cut(path, which if isinstance(which, range) else None)
        return
    files = (
        [path / line for line in which.read_text().splitlines() if line]
        if isinstance(which, Path)
        else sorted(file for file in path.rglob("*") if file.is_file())
    )
    for file in files:
        try:
            image = decode_image(file.read_bytes(), dicom=DicomOptions(any_modality=True))
        except ImageError:
            # Not every file of a data set is an image.
            continue
        yield Shown(image.pixels, None if image.dicom is None else image.dicom.modality)


def _cut(path: Path, axial: range | None) -> Iterator[Shown]:
    import SimpleITK  # noqa: PLC0415 - needed only for volumes

    image = SimpleITK.ReadImage(str(path))
    if image.GetDimension() > 3:
        image = image[(slice(None), slice(None), slice(None)) + (0,) * (image.GetDimension() - 3)]
    # Along the axes of the patient: right to left, front to back and feet to head.
    image = SimpleITK.DICOMOrient(image, "LPS")
    grey = _shown(SimpleITK.GetArrayFromImage(image).astype(np.float64))
    spacing = image.GetSpacing()[::-1]
    for axis, size in enumerate(grey.shape):
        if axial is not None and axis > 0:
            return
        pixel = max(side for other, side in enumerate(spacing) if other != axis)
        if axial is None and pixel > _MAX_ANISOTROPY * min(spacing):
            continue
        chosen = axial or np.linspace(size // 5, size * 4 // 5, _SLICES_PER_AXIS).astype(int)
        for index in chosen:
            # Head up, in the coronal and sagittal planes.
            cut = np.take(grey, index, axis=axis)[:: -1 if axis else 1]
            if cut.std() >= _MIN_SLICE_DEVIATION:
                yield Shown(np.ascontiguousarray(np.repeat(cut[..., None], 3, axis=2)))


def _shown(values: NDArray[np.float64]) -> Pixels:
    """Show CT in the lung window, anything else from its darkest to its brightest value."""
    if values.min() <= _AIR_HU:
        black, white = LUNG.center - LUNG.width / 2, LUNG.center + LUNG.width / 2
    else:
        black, white = min(0.0, float(values.min())), float(np.percentile(values, 99.5))
    return np.asarray(255 * np.clip((values - black) / (white - black), 0, 1), np.uint8)


def _noise() -> Iterator[Shown]:
    rng = np.random.default_rng(0)
    for number in range(_NOISES):
        side = int(rng.integers(64, 512))
        match number % 4:
            case 0:
                pixels = rng.integers(0, 256, (side, side, 3))
            case 1:
                pixels = np.repeat(rng.integers(0, 256, (64, 64, 1)), 3, axis=2)
            case 2:
                cells = rng.normal(size=(int(rng.integers(3, 16)),) * 2)
                pixels = _as_levels(cv2.resize(cells, (side, side), interpolation=cv2.INTER_CUBIC))
            case _:
                frequencies = np.fft.fftfreq(128)
                radius = np.hypot(frequencies[:, None], frequencies[None]) + 1 / 128
                spectrum = np.fft.fft2(rng.normal(size=(128, 128))) / radius
                pixels = _as_levels(np.fft.ifft2(spectrum).real)
        yield Shown(pixels.astype(np.uint8))


def _as_levels(values: NDArray[np.float64]) -> NDArray[np.float64]:
    levels = 255 * (values - values.min()) / np.ptp(values)
    return np.repeat(levels[..., None], 3, axis=2)


def _distinct(images: Iterator[Shown]) -> list[Shown]:
    kept: list[Shown] = []
    thumbnails: list[NDArray[np.float64]] = []
    for image in images:
        thumbnail = cv2.resize(image.pixels, _THUMBNAIL, interpolation=cv2.INTER_AREA).astype(float)
        if all(np.abs(thumbnail - other).mean() >= _MIN_DIFFERENCE for other in thumbnails):
            kept.append(image)
            thumbnails.append(thumbnail)
    return kept


def _without_colours(pixels: Pixels) -> Pixels:
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    return np.asarray(np.repeat(grey[..., None], 3, axis=2), np.uint8)


if __name__ == "__main__":
    main()
