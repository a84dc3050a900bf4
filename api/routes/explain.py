"""``POST /explain``."""

import asyncio
import base64
from typing import Annotated, Any, Final, Literal

import cv2
import numpy as np
from fastapi import APIRouter, Query, Request, Response
from numpy.typing import NDArray
from pydantic import Field

from api.dependencies import CallerDep, ServicesDep
from api.explanation.explainer import IMAGES_ASKED, VALUES_SIDE, Explanation, ModelMap
from api.explanation.picture import heatmap, overlaid, png
from api.http.disconnect import while_connected
from api.http.form_request import FormRoute
from api.http.uploads import form_limits, read_upload
from api.prediction.errors import ModelsUnavailableError
from api.routes.forms import MULTIPART, ONE_IMAGE, ONE_IMAGE_PROBLEMS, ImageForm, ImageQuery
from api.routes.problem_docs import problem_responses
from api.schemas.explanation import ExplanationResponse, SaliencyMap
from api.schemas.prediction import PredictionResponse
from serving.contract import ENSEMBLE_NAME, ModelName

PATH: Final = "/explain"

_PNG: Final = "image/png"
_MIN_SCALE: Final = 0.05
"""Smaller changes of the probability never get the strongest colours."""

_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The maps; with `Accept: image/png`, the image with one map over it.",
        "content": {_PNG: {"schema": {"type": "string", "format": "binary"}}},
    },
    **problem_responses(ONE_IMAGE_PROBLEMS),
}

router = APIRouter(tags=["prediction"], route_class=FormRoute)


class ExplainQuery(ImageQuery):
    """The query of ``POST /explain``."""

    map: Literal["ensemble", ModelName] = Field(
        default=ENSEMBLE_NAME,
        description="The map that is drawn over the image, for `Accept: image/png`.",
    )


@router.post(
    PATH,
    summary="Explain the prediction of one image",
    openapi_extra=ONE_IMAGE,
    form_limits=form_limits(max_files=1),
    response_model=ExplanationResponse,
    responses=_RESPONSES,
)
async def explain(
    form: Annotated[ImageForm, MULTIPART],
    query: Annotated[ExplainQuery, Query()],
    services: ServicesDep,
    caller: CallerDep,
    request: Request,
) -> ExplanationResponse | Response:
    """Predict one image and show which parts of it the models react to.

    Parts of the image are hidden at random and the models predict again. A part is evidence for
    COVID if COVID is more probable with it than without it. This takes as long as about 190
    predictions. With `Accept: image/png` the response is the image with one map over it.

    The maps show what the models react to, not where disease is.
    """
    await services.rate_limits.count_images(caller.key_id, IMAGES_ASKED)
    data = await read_upload(form.file, services.settings)
    explanation = await while_connected(
        request,
        services.explainer.explain(form.file.filename or "", data, query.options, caller),
    )
    models = explanation.prediction.models
    request.state.versions = {model.name: model.version for model in models}
    if request.headers.get("accept", "").partition(";")[0].strip() == _PNG:
        return Response(await asyncio.to_thread(_drawn, explanation, query.map), media_type=_PNG)
    return await asyncio.to_thread(_response, explanation)


def _response(explanation: Explanation) -> ExplanationResponse:
    scale = _scale(explanation.maps)
    return ExplanationResponse(
        prediction=PredictionResponse.model_validate(explanation.prediction),
        maps=[_saliency_map(each, scale, explanation) for each in explanation.maps],
        scale=scale,
        picture=_text(png(explanation.picture)),
        images_asked=explanation.images_asked,
        explanation_seconds=explanation.explanation_seconds,
    )


def _saliency_map(each: ModelMap, scale: float, explanation: Explanation) -> SaliencyMap:
    height, width = explanation.picture.shape[:2]
    return SaliencyMap(
        name=each.name,
        version=each.version,
        status=each.status,
        values=None if each.values is None else _numbers(each.values),
        heatmap=None
        if each.values is None
        else _text(png(heatmap(each.values, scale=scale, width=width, height=height))),
    )


def _numbers(values: NDArray[np.float64]) -> list[list[float]]:
    size = (VALUES_SIDE, VALUES_SIDE)
    rows: list[list[float]] = np.round(
        cv2.resize(values, size, interpolation=cv2.INTER_AREA), 4
    ).tolist()
    return rows


def _drawn(explanation: Explanation, name: str) -> bytes:
    chosen = next(each for each in explanation.maps if each.name == name)
    if chosen.values is None:
        raise ModelsUnavailableError(f"there is no map of {name}: {chosen.status}; try again")
    picture = explanation.picture
    height, width = picture.shape[:2]
    scale = _scale(explanation.maps)
    return png(overlaid(picture, heatmap(chosen.values, scale=scale, width=width, height=height)))


def _scale(maps: list[ModelMap]) -> float:
    return max(
        _MIN_SCALE,
        *(float(np.abs(each.values).max()) for each in maps if each.values is not None),
    )


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
