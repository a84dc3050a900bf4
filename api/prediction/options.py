"""What a caller may choose of a prediction."""

from dataclasses import dataclass

from imaging.dicom.description import DicomOptions, WindowChoice


@dataclass(frozen=True)
class PredictionOptions:
    """The same for HTTP requests, the page and whole folders."""

    frame: int | None = None
    """Of DICOM files; the middle one where none is chosen."""
    window: WindowChoice = WindowChoice.AUTO
    """Of DICOM files."""
    variants: int = 0
    """Of the image, which the models are asked about beside it."""
    force: bool = False
    """Predict also what is refused as no chest scan."""

    @property
    def dicom(self) -> DicomOptions:
        """What of it the preprocess needs."""
        return DicomOptions(self.frame, self.window, any_modality=self.force)
