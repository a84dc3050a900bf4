"""Forms, query parameters and problems shared by the routes that take images."""

import dataclasses
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import File, Form, UploadFile
from pydantic import BaseModel, ConfigDict, Field

from api.prediction.options import PredictionOptions
from api.routes.problem_docs import ACCESS_PROBLEMS
from imaging.dicom.description import WindowChoice
from imaging.formats.reading import IMAGE_FORMATS

_IMAGE_TYPES: Final = ", ".join([*(f"image/{name}" for name in IMAGE_FORMATS), "application/dicom"])
ONE_IMAGE: Final[dict[str, Any]] = {
    "requestBody": {
        "content": {"multipart/form-data": {"encoding": {"file": {"contentType": _IMAGE_TYPES}}}}
    }
}
"""The part of a file's OpenAPI schema that FastAPI cannot generate."""

MULTIPART: Final = Form(media_type="multipart/form-data")

UPLOAD_PROBLEMS: Final = {
    **ACCESS_PROBLEMS,
    HTTPStatus.BAD_REQUEST: (
        "The form is malformed or has too many parts, or the Host header is not allowed."
    ),
    HTTPStatus.REQUEST_TIMEOUT: "The body arrived too slowly.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "More bytes or pixels than the limit allows.",
    HTTPStatus.UNPROCESSABLE_ENTITY: (
        "No file, an empty file, a damaged image, a DICOM file that is not a CT or radiograph, or"
        " an image that does not look like a chest scan."
    ),
    HTTPStatus.INTERNAL_SERVER_ERROR: "An error in the service.",
    HTTPStatus.SERVICE_UNAVAILABLE: (
        "Too few models answered, or too many requests are in progress; see Retry-After."
    ),
}


ONE_IMAGE_PROBLEMS: Final = {
    **UPLOAD_PROBLEMS,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The content is not in a supported image format.",
    HTTPStatus.GATEWAY_TIMEOUT: "No model answered in time; see Retry-After.",
}


class ImageForm(BaseModel):
    """The form of ``POST /predict`` and ``POST /explain``."""

    model_config = ConfigDict(extra="forbid")

    file: Annotated[
        UploadFile, File(description="A PNG, JPEG, BMP, TIFF or WebP image, or a DICOM file.")
    ]


class ImagesForm(BaseModel):
    """The form of ``POST /predict/batch``."""

    model_config = ConfigDict(extra="forbid")

    files: Annotated[
        list[UploadFile],
        File(
            min_length=1,
            description="PNG, JPEG, BMP, TIFF or WebP images, or DICOM files; one field for each.",
        ),
    ]


class ImageQuery(BaseModel):
    """Query parameters for every image; frame and window only apply to DICOM files."""

    model_config = ConfigDict(extra="forbid")

    frame: int | None = Field(
        default=None, ge=1, description="The frame, starting at 1; by default the middle one."
    )
    window: WindowChoice = Field(
        default=WindowChoice.AUTO,
        description=(
            "`auto`: the file's own look-up table or window. If a CT has several windows, the one"
            " closest to the lung window; if it has none, the lung window. `lung`: for every CT"
            " the lung window, with centre -600 and width 1500 Hounsfield units."
        ),
    )

    force: bool = Field(
        default=False,
        description=(
            "Also predict images that do not look like chest scans. `input_check.reasons` then"
            " lists why the image would have been rejected, and `review` is true."
        ),
    )

    @property
    def options(self) -> PredictionOptions:
        """The options for the core."""
        return PredictionOptions(self.frame, self.window, force=self.force)


class PredictQuery(ImageQuery):
    """The query of ``POST /predict``."""

    tta: int = Field(
        default=0,
        ge=0,
        le=32,
        description=(
            "Test-time augmentation: the number of variants of the image, slightly rotated,"
            " shifted, scaled, and made brighter or darker, that are predicted as well."
            " `uncertainty.interval` is the range of the ensemble's probability over them. The"
            " verdict is still that of the image itself. Each variant costs as much as an image."
        ),
    )

    @property
    def options(self) -> PredictionOptions:
        """The options for the core."""
        return dataclasses.replace(super().options, variants=self.tta)
