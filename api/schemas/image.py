"""Information about an uploaded file."""

from api.schemas.common import Schema
from imaging.dicom.description import WindowSource


class WindowInfo(Schema):
    """The grey-level window, in Hounsfield units if ``hounsfield`` is true."""

    source: WindowSource
    """A window in the file (``file``), its look-up table (``table``), the lung window (``lung``),
    or the full range of values (``range``)."""
    center: float | None
    """Null for a look-up table."""
    width: float | None


class DicomInfo(Schema):
    """The parts of a DICOM file that were used."""

    modality: str
    """CT, CR, DX (also for ``DR``) or RG; any other if the prediction was forced."""
    view: str | None
    """The view position of a radiograph, such as PA, if the file has one."""
    frame: int
    """The frame number, starting at 1; the middle frame unless another was requested."""
    frames: int
    window: WindowInfo
    # The default is for audit trails of earlier versions, which covidscan replay can read.
    hounsfield: bool = False
    """Whether the windowed values are Hounsfield units. False for a CT whose header or values do
    not show that they are, such as a screen capture; it is treated like a radiograph."""


class ImageInfo(Schema):
    """Properties of the uploaded file."""

    format: str
    """The format, detected from the content: png, jpeg, bmp, tiff, webp or dicom."""
    width: int
    """In pixels, after applying the EXIF orientation."""
    height: int
    """In pixels, after applying the EXIF orientation."""
    size_bytes: int
    sha256: str
    # See DicomInfo.hounsfield.
    bits_used: int | None = None
    """The bits in use, for a PNG or TIFF file whose 16-bit samples use fewer bits. They were scaled
    to the full range, and ``review_reasons`` contains ``bit_depth``. Null for every other file."""
    dicom: DicomInfo | None
    """Null for every other format."""
