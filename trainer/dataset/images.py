"""Reads a folder of images, with one subfolder per class, as a frame and as arrays."""

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from imaging.decode import DecodedImage, decode_image
from imaging.errors import ImageError
from imaging.plausibility import oddities
from imaging.preprocess import preprocess
from serving.contract import CLASS_NAMES
from system.folder import list_folder
from system.names import UniqueNames, readable_name
from trainer.errors import DatasetError

logger = logging.getLogger(__name__)

COLUMNS: Final = ("File", "DiseaseID", "DiseaseType")
"""Path of the image, the index of its class in the models' output, and the name of its class."""

MAX_UNREADABLE_SHARE: Final = 0.05

_DATASET_DIR: Final = "dataset_dir"
"""Attribute of a frame that holds the dataset's folder."""


@dataclass(frozen=True)
class LabelledImages:
    """Images float32 ``[N, 64, 64, 3]``, their classes int64 ``[N]`` and their files."""

    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    files: tuple[str, ...]
    """Relative to the dataset's folder, readable and unique: ``COVID/patient1/slice.png``."""

    def __len__(self) -> int:
        """The number of images."""
        return len(self.labels)

    def take(self, indices: NDArray[np.intp]) -> "LabelledImages":
        """Return the images at these indices."""
        files = tuple(self.files[index] for index in indices)
        return LabelledImages(self.images[indices], self.labels[indices], files)

    def digests(self) -> list[str]:
        """Return the SHA-256 of each preprocessed image. Equal images have equal digests."""
        return [hashlib.sha256(image.tobytes()).hexdigest() for image in self.images]

    def fingerprint(self) -> str:
        """Return a digest of all preprocessed pixels and labels, and of nothing else."""
        digest = hashlib.sha256(self.images.tobytes())
        digest.update(self.labels.tobytes())
        return digest.hexdigest()


def list_dataset(dataset_dir: Path) -> pd.DataFrame:
    """List the images of a dataset in the layout ``COVID/``, ``non-COVID/``, at any depth.

    Returns:
        A frame with ``COLUMNS`` and one row per file, ordered by class and name.

    Raises:
        DatasetError: a class folder is missing or empty.
    """
    rows = [
        (str(file), disease_id, name)
        for disease_id, name in enumerate(CLASS_NAMES)
        for file in _files(dataset_dir / name)
    ]
    # As objects: pandas' string types accept only names that are valid UTF-8.
    frame = pd.DataFrame(rows, columns=list(COLUMNS), dtype=object).astype({"DiseaseID": np.int64})
    frame.attrs[_DATASET_DIR] = str(dataset_dir)
    return frame


def load_images(frame: pd.DataFrame) -> LabelledImages:
    """Read and preprocess every image of a frame of ``list_dataset``, exactly as the service does.

    Files that are not images are logged and left out. Files that look as if they were stored or
    read wrongly are logged and kept.

    Raises:
        DatasetError: more than ``MAX_UNREADABLE_SHARE`` of the files are not images.
    """
    images, labels, files, unreadable, odd = [], [], [], [], []
    dataset_dir, names = frame.attrs[_DATASET_DIR], UniqueNames()
    for file, label in zip(frame["File"], frame["DiseaseID"], strict=True):
        try:
            decoded = decode_image(Path(file).read_bytes())
            images.append(preprocess(decoded.pixels))
            labels.append(int(label))
            files.append(names.add(Path(file).relative_to(dataset_dir).as_posix()))
            if reasons := _odd(decoded, images[-1]):
                logger.warning(
                    "%s may have been read wrongly: %s", readable_name(file), ", ".join(reasons)
                )
                odd.append(file)
        except (ImageError, OSError) as error:
            logger.warning("left out %s: %s", readable_name(file), error)
            unreadable.append(readable_name(file))
    if len(unreadable) > MAX_UNREADABLE_SHARE * len(frame):
        raise DatasetError(
            f"{len(unreadable)} of {len(frame)} files cannot be read, the first is {unreadable[0]};"
            " remove or replace them"
        )
    if unreadable:
        logger.warning("left out %d of %d files that are not images", len(unreadable), len(frame))
    if odd:
        logger.warning(
            "%d of %d files look as if they were stored or read wrongly; check them, and convert"
            " or remove them",
            len(odd),
            len(frame),
        )
    return LabelledImages(np.stack(images), np.array(labels, np.int64), tuple(files))


def _odd(image: DecodedImage, tensor: NDArray[np.float32]) -> list[str]:
    """Return why a file may have been stored or read wrongly; usually empty."""
    reasons = [oddity.value.replace("_", " ") for oddity in oddities(tensor)]
    if image.bits_used is not None:
        reasons.append(f"its 16-bit samples use {image.bits_used} bits and were scaled")
    return reasons


def _files(class_dir: Path) -> list[Path]:
    try:
        listing = list_folder(class_dir)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DatasetError(
            f"{class_dir} is missing; a dataset has a folder for each of {', '.join(CLASS_NAMES)}"
        ) from error
    except OSError as error:
        raise DatasetError(f"{class_dir} cannot be listed: {error.strerror}") from error
    for name, reason in listing.unreadable.items():
        raise DatasetError(f"{class_dir / name} cannot be listed: {reason}")
    if not listing.names:
        raise DatasetError(f"{class_dir} is empty; put the images of this class there")
    for what, count in listing.left_out.items():
        logger.warning("left out of %s: %d %s", class_dir, count, what)
    files = sorted(class_dir / name for name in listing.names)
    deeper = sum(file.parent != class_dir for file in files)
    if deeper:
        logger.info("%d of %d files of %s are in its subfolders", deeper, len(files), class_dir)
    return files
