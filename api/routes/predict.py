"""``POST /predict`` and ``POST /predict/batch``."""

import asyncio
import dataclasses
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response, UploadFile

from api.composition import Services
from api.dependencies import CallerDep, ServicesDep
from api.fair_sharing.caller import Caller
from api.http.disconnect import while_connected
from api.http.form_request import FormRoute
from api.http.problem_table import ANSWERED
from api.http.problems import to_problem
from api.http.uploads import form_limits, read_upload
from api.prediction.options import PredictionOptions
from api.prediction.results import PredictionResult, Timing
from api.routes.forms import (
    MULTIPART,
    ONE_IMAGE,
    ONE_IMAGE_PROBLEMS,
    UPLOAD_PROBLEMS,
    ImageForm,
    ImageQuery,
    ImagesForm,
    PredictQuery,
)
from api.routes.problem_docs import problem_responses
from api.schemas.batch import BatchItem, BatchResponse
from api.schemas.prediction import PredictionResponse

PATH: Final = "/predict"
BATCH_PATH: Final = "/predict/batch"

router = APIRouter(tags=["prediction"], route_class=FormRoute)


@router.post(
    PATH,
    summary="Predict one image",
    openapi_extra=ONE_IMAGE,
    form_limits=form_limits(max_files=1),
    responses=problem_responses(ONE_IMAGE_PROBLEMS),
)
async def predict(
    *,
    form: Annotated[ImageForm, MULTIPART],
    query: Annotated[PredictQuery, Query()],
    services: ServicesDep,
    caller: CallerDep,
    request: Request,
    response: Response,
) -> PredictionResponse:
    """Predict a chest CT slice or X-ray with three CNNs.

    One frame of a DICOM file is read, through its window, and none of the patient's data.

    The response has the ensemble's verdict, the verdict of each model with its confidence and
    duration, and the duration of each stage, which the `Server-Timing` header repeats for browsers.

    Images that do not look like chest scans are rejected, with machine-readable `reasons`.
    """
    await services.rate_limits.count_images(caller.key_id, 1 + query.tta)
    result = await while_connected(
        request,
        _predict(services, form.file, query.options, caller),
    )
    request.state.versions = {model.name: model.version for model in result.models}
    response.headers["Server-Timing"] = server_timing(result.timing)
    return PredictionResponse.model_validate(result)


@router.post(
    BATCH_PATH,
    summary="Predict several images",
    responses=problem_responses(UPLOAD_PROBLEMS),
)
async def predict_batch(
    form: Annotated[ImagesForm, MULTIPART],
    query: Annotated[ImageQuery, Query()],
    services: ServicesDep,
    caller: CallerDep,
    request: Request,
) -> BatchResponse:
    """Predict several images. Each image has its own result or problem in the response."""
    await services.rate_limits.count_images(caller.key_id, len(form.files))
    items = await while_connected(
        request,
        _predict_items(services, form.files, query.options, caller, instance=request.url.path),
    )
    succeeded = sum(item.result is not None for item in items)
    return BatchResponse(
        request_id=caller.request_id,
        succeeded=succeeded,
        failed=len(items) - succeeded,
        items=items,
    )


def server_timing(timing: Timing) -> str:
    """The ``Server-Timing`` header (W3C), in milliseconds."""
    return ", ".join(
        f"{name.removesuffix('_seconds')};dur={seconds * 1000:.3f}"
        for name, seconds in dataclasses.asdict(timing).items()
    )


async def _predict(
    services: Services,
    file: UploadFile,
    options: PredictionOptions,
    caller: Caller,
) -> PredictionResult:
    data = await read_upload(file, services.settings)
    return await services.core.predictor.predict(file.filename or "", data, options, caller)


async def _predict_items(
    services: Services,
    files: list[UploadFile],
    options: PredictionOptions,
    caller: Caller,
    *,
    instance: str,
) -> list[BatchItem]:
    async def predict_item(file: UploadFile) -> BatchItem:
        async with services.batch_turns.turn(caller.client):
            return await _predict_item(services, file, options, caller, instance=instance)

    return await asyncio.gather(*(predict_item(file) for file in files))


async def _predict_item(
    services: Services,
    file: UploadFile,
    options: PredictionOptions,
    caller: Caller,
    *,
    instance: str,
) -> BatchItem:
    filename = file.filename or ""
    try:
        result = await _predict(services, file, options, caller)
    except ANSWERED as error:
        problem = to_problem(error, instance, caller.request_id)
        return BatchItem(filename=filename, result=None, problem=problem)
    response = PredictionResponse.model_validate(result)
    return BatchItem(filename=filename, result=response, problem=None)
