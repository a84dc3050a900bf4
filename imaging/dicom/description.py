"""What a caller may choose of a DICOM file, and what it is told of what was used."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MODALITIES: Final = ("CT", "CR", "DX", "RG")
"""Computed tomography, and radiographs from a phosphor plate, a digital detector or film."""

UNKNOWN_MODALITY: Final = "other"
"""Said of a file that says anything else than a modality that is known."""


class WindowChoice(StrEnum):
    """What the grey values are to come from."""

    AUTO = "auto"
    """The file's own look-up table or window; of several in a CT the one closest to the lung
    window, else the first; where a CT has none the lung window, a radiograph all that it has. A CT
    that is not in Hounsfield units is shown like a radiograph."""
    LUNG = "lung"
    """The lung window in a CT; what is not in Hounsfield units is as in ``auto``."""


class WindowSource(StrEnum):
    """What the grey values came from."""

    FILE = "file"
    """One of the file's windows."""
    TABLE = "table"
    """The file's VOI look-up table."""
    LUNG = "lung"
    """The lung window, centre -600 and width 1500 Hounsfield units."""
    RANGE = "range"
    """From the lowest to the highest value of the frame, or the whole range of 8 bits."""


@dataclass(frozen=True)
class Window:
    """Where grey values begin and end, in the units of the modality."""

    source: WindowSource
    center: float | None
    """Null of a look-up table."""
    width: float | None


@dataclass(frozen=True)
class DicomOptions:
    """What a caller may choose."""

    frame: int | None = None
    """From 1 on; the middle one where none is chosen."""
    window: WindowChoice = WindowChoice.AUTO
    any_modality: bool = False
    """Read other modalities' images as if they were radiographs."""


@dataclass(frozen=True)
class DicomDescription:
    """What is told of a file: nothing that is free text, nothing of the patient."""

    modality: str
    """CT, CR, DX or RG; of others, where they are read, ``other`` if none that is known."""
    view: str | None
    """The radiograph's view position, a defined term of PS3.3, C.8.11.5.1 or C.8.1.2."""
    frame: int
    """From 1 on."""
    frames: int
    window: Window
    hounsfield: bool = False
    """Whether the values that the window is laid over are Hounsfield units."""
