"""What is told of an uploaded file."""

from api.schemas.common import Schema
from imaging.dicom.description import WindowSource


class WindowInfo(Schema):
    """Where grey values begin and end, in Hounsfield units where ``hounsfield`` is true."""

    source: WindowSource
    """One of the file's windows (``file``), its look-up table (``table``), the lung window
    (``lung``), or all that there is, from lowest to highest (``range``)."""
    center: float | None
    """Null of a look-up table."""
    width: float | None


class DicomInfo(Schema):
    """What was used of a DICOM file."""

    modality: str
    """CT, CR, DX (also for ``DR``) or RG; another where the prediction was forced."""
    view: str | None
    """The view position of a radiograph, such as PA, where the file says one."""
    frame: int
    """From 1 on; the middle one unless another was asked for."""
    frames: int
    window: WindowInfo
    # Audit trails of earlier versions, which covidscan replay reads, do not have it.
    hounsfield: bool = False
    """Whether the values that the window is laid over are Hounsfield units. False of a CT whose
    header or values do not say so, such as a screen capture; it is shown like a radiograph."""


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
    # See DicomInfo.hounsfield.
    bits_used: int | None = None
    """Of a PNG or TIFF file of 16 bits a sample whose values fill fewer: how many. They were scaled
    to the full range, and ``review_reasons`` says ``bit_depth``. Null of every other file."""
    dicom: DicomInfo | None
    """Null of every other format."""
