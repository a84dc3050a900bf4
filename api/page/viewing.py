"""``POST /view``: an image before any window, for the page's viewer."""

import time
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict

from api.dependencies import ServicesDep
from api.routes.forms import MULTIPART, ImageForm, ImageQuery
from api.uploads import form_limits, read_upload

PATH: Final = "/view"
HEADER: Final = "X-View"

_LONGEST_SIDE: Final = 1024

router = APIRouter(include_in_schema=False)


class View(BaseModel):
    """What the numbers in the body are."""

    model_config = ConfigDict(frozen=True)

    columns: int
    rows: int
    center: float | None
    """Of the window that the models see it through; null of a look-up table."""
    width: float | None
    inverted: bool
    hounsfield: bool
    """Whether they are Hounsfield units."""
    frame: int
    frames: int


@router.post(PATH, form_limits=form_limits(max_files=1))
async def view(
    form: Annotated[ImageForm, MULTIPART],
    query: Annotated[ImageQuery, Query()],
    services: ServicesDep,
) -> Response:
    """The image's values, float32, little endian, row by row; what they are is in ``X-View``."""
    data = await read_upload(form.file, services.settings)
    image = await services.preparation.view(
        data,
        query.options.dicom,
        deadline=time.perf_counter() + services.settings.request_timeout_seconds,
        longest_side=_LONGEST_SIDE,
    )
    rows, columns = image.values.shape
    told = View(
        columns=columns,
        rows=rows,
        center=image.center,
        width=image.width,
        inverted=image.inverted,
        hounsfield=image.dicom is not None and image.dicom.hounsfield,
        frame=1 if image.dicom is None else image.dicom.frame,
        frames=1 if image.dicom is None else image.dicom.frames,
    )
    return Response(
        image.values.astype("<f4").tobytes(),
        media_type="application/octet-stream",
        headers={HEADER: told.model_dump_json()},
    )
