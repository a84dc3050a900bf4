"""Repeats audited predictions: the same image and versions must give the same answer."""

import enum
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from api.observability.audit import AuditedModel, AuditRecord
from api.prediction.ensemble import decide
from api.schemas.image import ImageInfo
from imaging.decode import decode_image
from imaging.dicom.description import DicomOptions, WindowChoice, WindowSource
from imaging.errors import ImageError
from imaging.preprocess import preprocess
from serving import volume
from serving.contract import INPUT_NAME, OUTPUT_NAME, POSITIVE_CLASS, POSITIVE_CLASS_INDEX
from serving.embedded.engine import Engine, LoadedModel
from serving.errors import VolumeError
from serving.precision import Precision
from system.folder import list_folder
from system.names import readable_name
from system.regular_files import open_regular_reader


class Outcome(enum.StrEnum):
    """The result of a replay."""

    SAME = "same"
    DIFFERENT = "different"
    IMAGE_MISSING = "image missing"
    IMAGE_REJECTED = "image rejected"
    VERSION_MISSING = "version missing"
    LINE_BROKEN = "line broken"


@dataclass(frozen=True)
class Replayed:
    """A record, if the line is valid, and the outcome of its replay."""

    record: AuditRecord | None
    outcome: Outcome
    largest_difference: float | None = None
    """Of any probability. None if nothing could be computed."""


@dataclass(frozen=True)
class FoundImages:
    """The image files, by digest."""

    by_sha256: dict[str, Path]
    unreadable: list[str]
    """Files and folders that could not be read."""


def find_images(paths: Iterable[Path]) -> FoundImages:
    """Index files, and all files in folders, by their SHA-256."""
    found = FoundImages({}, [])
    for path in paths:
        if path.is_dir():
            listing = list_folder(path)
            files = [path / name for name in sorted(listing.names)]
            found.unreadable.extend(readable_name(str(path / name)) for name in listing.unreadable)
        else:
            files = [path]
        for file in files:
            try:
                with open_regular_reader(file) as content:
                    digest = hashlib.file_digest(content, "sha256").hexdigest()
            except OSError:
                found.unreadable.append(readable_name(str(file)))
            else:
                found.by_sha256[digest] = file
    return found


class Replayer:
    """Recomputes answers with the model server's own engine.

    Args:
        models_dir: the volume. It must still hold the versions that answered.
        images: files by SHA-256.
        precision: the precision that the model server used.
        tolerance: the largest difference of a probability that counts as the same answer.
    """

    def __init__(
        self, models_dir: Path, images: dict[str, Path], *, precision: Precision, tolerance: float
    ) -> None:
        self._models_dir = models_dir
        self._images = images
        self._tolerance = tolerance
        self._engine = Engine(precision)
        self._loaded: dict[tuple[str, int], LoadedModel] = {}

    def replay(self, line: str) -> Replayed:
        """Repeat the prediction that a line of the audit trail records."""
        try:
            record = AuditRecord.model_validate_json(line)
        except ValidationError:
            # A truncated line, as a full disk leaves it.
            return Replayed(None, Outcome.LINE_BROKEN)
        file = self._images.get(record.image.sha256)
        if file is None:
            return Replayed(record, Outcome.IMAGE_MISSING)
        # The record shows that the image was within the limits at that time.
        max_pixels = record.image.width * record.image.height
        try:
            decoded = decode_image(
                file.read_bytes(), max_pixels=max_pixels, dicom=_dicom_options(record.image)
            )
        except ImageError:
            return Replayed(record, Outcome.IMAGE_REJECTED)
        image = preprocess(decoded.pixels)[None]
        answered = [model for model in record.models if model.probabilities is not None]
        try:
            recomputed = [self._ask(model, image) for model in answered]
        except VolumeError:
            return Replayed(record, Outcome.VERSION_MISSING)
        mean = sum(recomputed) / len(recomputed)
        differences = [
            *(
                abs(now - model.probabilities[POSITIVE_CLASS])
                for now, model in zip(recomputed, answered, strict=True)
                if model.probabilities is not None
            ),
            abs(mean - record.probabilities[POSITIVE_CLASS]),
        ]
        largest = max(differences)
        same = (
            largest <= self._tolerance
            and decide(mean, record.operating_point).prediction == record.prediction
        )
        return Replayed(record, Outcome.SAME if same else Outcome.DIFFERENT, largest)

    def _ask(self, model: AuditedModel, image: NDArray[np.float32]) -> float:
        outputs = self._load(model).infer({INPUT_NAME: image})
        return float(outputs[OUTPUT_NAME][0, POSITIVE_CLASS_INDEX])

    def _load(self, model: AuditedModel) -> LoadedModel:
        if model.version is None:
            raise VolumeError(f"{model.name} answered without a version")
        key = model.name, model.version
        if key not in self._loaded:
            directory = volume.version_dir(self._models_dir, *key)
            self._loaded[key] = self._engine.load(directory)
        return self._loaded[key]


def _dicom_options(image: ImageInfo) -> DicomOptions:
    """Return options that select the same frame and window as before."""
    if image.dicom is None:
        return DicomOptions()
    lung = image.dicom.window.source is WindowSource.LUNG
    return DicomOptions(
        image.dicom.frame,
        WindowChoice.LUNG if lung else WindowChoice.AUTO,
        # Only accepted images have a record, so the modality need not be checked.
        any_modality=True,
    )
