"""Options for reading a DICOM file, and the description of what was used."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MODALITIES: Final = ("CT", "CR", "DX", "RG")
"""Computed tomography, and radiographs from a phosphor plate, a digital detector or film."""

UNKNOWN_MODALITY: Final = "other"
"""Reported instead of any unknown modality."""


class WindowChoice(StrEnum):
    """Which window or look-up table to use."""

    AUTO = "auto"
    """The file's own look-up table or window. If there are several windows: in a CT the one closest
    to the lung window, otherwise the first. If there is none: in a CT the lung window, in a
    radiograph the full range. A CT that is not in Hounsfield units is treated like a radiograph."""
    LUNG = "lung"
    """The lung window for a CT in Hounsfield units; everything else as in ``auto``."""


class WindowSource(StrEnum):
    """Which window or look-up table was used."""

    FILE = "file"
    """One of the file's windows."""
    TABLE = "table"
    """The file's VOI look-up table."""
    LUNG = "lung"
    """The lung window, centre -600 and width 1500 Hounsfield units."""
    RANGE = "range"
    """From the lowest to the highest value of the frame, or the full 8-bit range."""


@dataclass(frozen=True)
class Window:
    """The grey-level window, in the units of the modality."""

    source: WindowSource
    center: float | None
    """None for a look-up table."""
    width: float | None


@dataclass(frozen=True)
class DicomOptions:
    """Options for reading a DICOM file."""

    frame: int | None = None
    """The frame number, starting at 1; by default the middle frame."""
    window: WindowChoice = WindowChoice.AUTO
    any_modality: bool = False
    """Also read images of other modalities, as if they were radiographs."""


@dataclass(frozen=True)
class DicomDescription:
    """The description of a file, without free text and patient data."""

    modality: str
    """CT, CR, DX or RG; if others are read, their modality, or ``other`` if it is unknown."""
    view: str | None
    """The radiograph's view position, a defined term of PS3.3, C.8.11.5.1 or C.8.1.2."""
    frame: int
    """The frame number, starting at 1."""
    frames: int
    window: Window
    hounsfield: bool = False
    """Whether the windowed values are Hounsfield units."""
