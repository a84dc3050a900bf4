"""What is told of an uploaded file."""

from api.schemas.common import Schema
from serving.dicom.description import WindowSource


class WindowInfo(Schema):
    """Where grey values begin and end: Hounsfield units in a CT, stored values in a radiograph."""

    source: WindowSource
    """One of the file's windows (``file``), its look-up table (``table``), the lung window
    (``lung``), or all that there is, from lowest to highest (``range``)."""
    center: float | None
    """Null of a look-up table."""
    width: float | None


class DicomInfo(Schema):
    """What was used of a DICOM file."""

    modality: str
    """CT, CR or DX; another where the prediction was forced."""
    view: str | None
    """The view position of a radiograph, such as PA, where the file says one."""
    frame: int
    """From 1 on; the middle one unless another was asked for."""
    frames: int
    window: WindowInfo


class ImageInfo(Schema):
    """What was read of the uploaded file."""

    format: str
    """The format, recognised by content: png, jpeg, bmp, tiff, webp or dicom."""
    width: int
    """In pixels, after EXIF orientation."""
    height: int
    """In pixels, after EXIF orientation."""
    size_bytes: int
    sha256: str
    dicom: DicomInfo | None
    """Null of every other format."""
