"""``POST /view``: an image before any window, for the page's viewer."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict

from api.dependencies import CallerDep, ServicesDep
from api.http.disconnect import while_connected
from api.http.form_request import FormRoute
from api.http.uploads import form_limits, read_upload
from api.prediction.deadline import Deadline
from api.routes.forms import MULTIPART, ImageForm, ImageQuery

PATH: Final = "/view"
HEADER: Final = "X-View"

_LONGEST_SIDE: Final = 1024
_REST: Final = 3.0
"""Pause before a busy client's next view, as a multiple of the duration of the last one."""
_LONGEST_REST_SECONDS: Final = 1.0

router = APIRouter(include_in_schema=False, route_class=FormRoute)


class View(BaseModel):
    """The header that describes the values in the body."""

    model_config = ConfigDict(frozen=True)

    columns: int
    rows: int
    center: float | None
    """Centre of the window used for the models; null for a look-up table."""
    width: float | None
    inverted: bool
    hounsfield: bool
    """Whether the values are Hounsfield units."""
    frame: int
    frames: int


async def _slot_until_sent(services: ServicesDep, caller: CallerDep) -> AsyncIterator[None]:
    """Hold a slot until the client has read the response, which is as large as several images.

    A view uses only the gateway's CPU. While other clients are active, a busy client gets only a
    share of it.
    """
    timeout_seconds = services.settings.request_timeout_seconds
    async with services.view_slots.hold(caller.client, timeout_seconds=timeout_seconds):
        started = time.perf_counter()
        yield
        if services.view_slots.is_restricted(caller.client):
            taken_seconds = time.perf_counter() - started
            await asyncio.sleep(min(_LONGEST_REST_SECONDS, _REST * taken_seconds))


@router.post(PATH, form_limits=form_limits(max_files=1), dependencies=[Depends(_slot_until_sent)])
async def view(
    form: Annotated[ImageForm, MULTIPART],
    query: Annotated[ImageQuery, Query()],
    services: ServicesDep,
    caller: CallerDep,
    request: Request,
) -> Response:
    """The image's values, float32, little endian, row by row; ``X-View`` describes them."""
    await services.rate_limits.count_images(caller.key_id, 1)
    data = await read_upload(form.file, services.settings)
    viewing = services.core.preparation.view(
        data,
        query.options.dicom,
        client=caller.client,
        deadline=Deadline.after(services.settings.request_timeout_seconds),
        longest_side=_LONGEST_SIDE,
    )
    image = await while_connected(request, viewing)
    rows, columns = image.values.shape
    header = View(
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
        headers={HEADER: header.model_dump_json()},
    )
