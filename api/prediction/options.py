"""The options of a prediction."""

from dataclasses import dataclass

from imaging.dicom.description import DicomOptions, WindowChoice


@dataclass(frozen=True)
class PredictionOptions:
    """Options shared by the API, the page and ``covidscan score``."""

    frame: int | None = None
    """The frame of a DICOM file; by default the middle one."""
    window: WindowChoice = WindowChoice.AUTO
    """The window of a DICOM file."""
    variants: int = 0
    """How many augmented variants of the image the models predict as well."""
    force: bool = False
    """Also predict images that do not look like chest scans."""

    @property
    def dicom(self) -> DicomOptions:
        """The options that decoding needs."""
        return DicomOptions(self.frame, self.window, any_modality=self.force)
