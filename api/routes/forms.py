"""What the routes that take images have in common: their forms, their query, their problems."""

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
"""What FastAPI cannot tell the OpenAPI document of a file."""

MULTIPART: Final = Form(media_type="multipart/form-data")

UPLOAD_PROBLEMS: Final = {
    **ACCESS_PROBLEMS,
    HTTPStatus.BAD_REQUEST: (
        "The form is malformed, or has too many parts; or the Host header is not allowed."
    ),
    HTTPStatus.REQUEST_TIMEOUT: "The body came too slowly.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "More bytes or pixels than the limit.",
    HTTPStatus.UNPROCESSABLE_ENTITY: (
        "No file, an empty file, a damaged image, a DICOM file that is no CT or radiograph, or an"
        " image that is refused as no chest scan."
    ),
    HTTPStatus.INTERNAL_SERVER_ERROR: "An error on the service's side.",
    HTTPStatus.SERVICE_UNAVAILABLE: (
        "Too few models could be reached, or too much is in progress; see Retry-After."
    ),
}


ONE_IMAGE_PROBLEMS: Final = {
    **UPLOAD_PROBLEMS,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The content is no image format that is read.",
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
            description="PNG, JPEG, BMP, TIFF or WebP images, or DICOM files, one field each.",
        ),
    ]


class ImageQuery(BaseModel):
    """What may be chosen of every image; frame and window are of DICOM files alone."""

    model_config = ConfigDict(extra="forbid")

    frame: int | None = Field(
        default=None, ge=1, description="The frame, from 1 on; otherwise the middle one."
    )
    window: WindowChoice = Field(
        default=WindowChoice.AUTO,
        description=(
            "`auto`: the file's own look-up table or window, of several in a CT the one closest to"
            " the lung window; where a CT has none the lung window. `lung`: the lung window in"
            " every CT, centre -600 and width 1500 Hounsfield units."
        ),
    )

    force: bool = Field(
        default=False,
        description=(
            "Predict also what is refused as no chest scan; `input_check.reasons` then says why it"
            " would have been, and `review` is true."
        ),
    )

    @property
    def options(self) -> PredictionOptions:
        """The same for the core."""
        return PredictionOptions(self.frame, self.window, force=self.force)


class PredictQuery(ImageQuery):
    """What may be chosen of one prediction."""

    tta: int = Field(
        default=0,
        ge=0,
        le=32,
        description=(
            "Test-time augmentation: so many variants of the image, turned, shifted, enlarged and"
            " brightened a little, are asked about as well, and `uncertainty.interval` says how far"
            " the ensemble's probability goes. The verdict stays that of the image itself. Costs"
            " as much as so many images."
        ),
    )

    @property
    def options(self) -> PredictionOptions:
        """The same for the core."""
        return dataclasses.replace(super().options, variants=self.tta)
