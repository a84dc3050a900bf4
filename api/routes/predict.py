"""``POST /predict`` and ``POST /predict/batch``."""

import asyncio
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, File, Form, Request, Response, UploadFile
from pydantic import BaseModel, ConfigDict

from api.client_gone import while_connected
from api.dependencies import Caller, CallerDep, Services, ServicesDep
from api.errors import ProblemError, to_problem
from api.fan_out import IMAGES_TOGETHER
from api.routes.problems import ACCESS_PROBLEMS, problem_responses
from api.schemas import BatchAnswer, BatchItem, PredictionAnswer, Timing
from api.uploads import form_limits, read_upload
from serving.image_header import IMAGE_FORMATS

PATH: Final = "/predict"
BATCH_PATH: Final = "/predict/batch"

_BATCH_IMAGES_AT_ONCE: Final = 2 * IMAGES_TOGETHER
"""Of one batch: while some are asked about others are read, and there is room for other callers."""

_IMAGE_TYPES: Final = ", ".join(f"image/{name}" for name in IMAGE_FORMATS)
_ONE_IMAGE: Final[dict[str, Any]] = {
    "requestBody": {
        "content": {"multipart/form-data": {"encoding": {"file": {"contentType": _IMAGE_TYPES}}}}
    }
}
"""What FastAPI cannot tell the OpenAPI document of a file."""

_MULTIPART: Final = Form(media_type="multipart/form-data")

router = APIRouter(tags=["prediction"])

_UPLOAD_PROBLEMS: Final = {
    **ACCESS_PROBLEMS,
    HTTPStatus.BAD_REQUEST: "The form is malformed, or has too many parts.",
    HTTPStatus.REQUEST_TIMEOUT: "The body came too slowly.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "More bytes or pixels than the limit.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "No file, an empty file, or a damaged image.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "An error on the service's side.",
    HTTPStatus.SERVICE_UNAVAILABLE: (
        "Too few models could be reached, or too much is in progress; see Retry-After."
    ),
}


class ImageForm(BaseModel):
    """The form of ``POST /predict``."""

    model_config = ConfigDict(extra="forbid")

    file: Annotated[UploadFile, File(description="A PNG, JPEG, BMP, TIFF or WebP image.")]


class ImagesForm(BaseModel):
    """The form of ``POST /predict/batch``."""

    model_config = ConfigDict(extra="forbid")

    files: Annotated[
        list[UploadFile],
        File(min_length=1, description="PNG, JPEG, BMP, TIFF or WebP images, one field each."),
    ]


@router.post(
    PATH,
    summary="Predict one image",
    openapi_extra=_ONE_IMAGE,
    form_limits=form_limits(max_files=1),
    responses=problem_responses(
        {
            **_UPLOAD_PROBLEMS,
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The content is no image format that is read.",
            HTTPStatus.GATEWAY_TIMEOUT: "No model answered in time; see Retry-After.",
        }
    ),
)
async def predict(
    form: Annotated[ImageForm, _MULTIPART],
    services: ServicesDep,
    caller: CallerDep,
    request: Request,
    response: Response,
) -> PredictionAnswer:
    """Ask the three CNNs about a chest CT slice or X-ray, all at once.

    The answer holds the ensemble's verdict, each model's own with its confidence and duration, and
    where the time went, which the `Server-Timing` header repeats for browsers.

    Decision support for research, not a medical device.
    """
    await services.rate_limits.count_images(caller.key_id, 1)
    answer = await while_connected(request, _predict(services, form.file, caller))
    request.state.versions = {model.name: model.version for model in answer.models}
    response.headers["Server-Timing"] = server_timing(answer.timing)
    return answer


@router.post(
    BATCH_PATH,
    summary="Predict several images",
    responses=problem_responses(_UPLOAD_PROBLEMS),
)
async def predict_batch(
    form: Annotated[ImagesForm, _MULTIPART],
    services: ServicesDep,
    caller: CallerDep,
    request: Request,
) -> BatchAnswer:
    """Predict several images; one that fails has its problem in its place, the others an answer."""
    await services.rate_limits.count_images(caller.key_id, len(form.files))
    items = await while_connected(
        request, _predict_items(services, form.files, caller, instance=request.url.path)
    )
    succeeded = sum(item.result is not None for item in items)
    return BatchAnswer(
        request_id=caller.request_id,
        succeeded=succeeded,
        failed=len(items) - succeeded,
        items=items,
    )


def server_timing(timing: Timing) -> str:
    """The ``Server-Timing`` header (W3C), in milliseconds."""
    return ", ".join(
        f"{name.removesuffix('_seconds')};dur={seconds * 1000:.3f}"
        for name, seconds in timing.model_dump().items()
    )


async def _predict(services: Services, file: UploadFile, caller: Caller) -> PredictionAnswer:
    data = await read_upload(file, services.settings)
    return await services.predictor.predict(
        file.filename or "", data, request_id=caller.request_id, key_id=caller.key_id
    )


async def _predict_items(
    services: Services, files: list[UploadFile], caller: Caller, *, instance: str
) -> list[BatchItem]:
    at_once = asyncio.Semaphore(min(_BATCH_IMAGES_AT_ONCE, services.settings.max_in_progress))

    async def predict_item(file: UploadFile) -> BatchItem:
        async with at_once:
            return await _predict_item(services, file, caller, instance=instance)

    return await asyncio.gather(*(predict_item(file) for file in files))


async def _predict_item(
    services: Services, file: UploadFile, caller: Caller, *, instance: str
) -> BatchItem:
    filename = file.filename or ""
    try:
        result = await _predict(services, file, caller)
    except ProblemError as error:
        problem = to_problem(error, instance, caller.request_id)
        return BatchItem(filename=filename, result=None, problem=problem)
    return BatchItem(filename=filename, result=result, problem=None)
