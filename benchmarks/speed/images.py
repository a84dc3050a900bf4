"""The files to send: what a caller would upload."""

from dataclasses import dataclass
from pathlib import Path

import cv2

from serving.contract import CLASS_NAMES

_JPEG_QUALITY = 90


@dataclass(frozen=True)
class Upload:
    """A file, and its kind in tables."""

    kind: str
    path: Path

    @property
    def content(self) -> bytes:
        """The bytes of the file."""
        return self.path.read_bytes()


def prepare_uploads(phantoms: Path, directory: Path, *, each: int = 4) -> dict[str, list[Upload]]:
    """Write phantoms of both classes, 256 x 256, as PNG and as JPEG."""
    chosen = [path for label in CLASS_NAMES for path in sorted((phantoms / label).iterdir())[:each]]
    directory.mkdir(parents=True, exist_ok=True)
    uploads: dict[str, list[Upload]] = {"png": [], "jpeg": []}
    for path in chosen:
        name = f"{path.parent.name}-{path.stem}"
        (directory / f"{name}.png").write_bytes(path.read_bytes())
        pixels = cv2.imread(str(path))
        cv2.imwrite(
            str(directory / f"{name}.jpeg"), pixels, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
        )
        for kind, found in uploads.items():
            found.append(Upload(kind, directory / f"{name}.{kind}"))
    return uploads
