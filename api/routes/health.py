"""``GET /healthz`` and ``GET /readyz``, for health checks."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from api.dependencies import ServicesDep
from api.prediction.results import ModelStatus
from api.routes.problem_docs import ACCESS_PROBLEMS, problem_responses
from api.schemas.health import Health, Readiness, Training
from api.training_progress import ModelTraining

router = APIRouter(tags=["health"])


class ReadinessQuery(BaseModel):
    """The query of ``GET /readyz``."""

    model_config = ConfigDict(extra="forbid")

    strict: bool = Field(
        default=False, description="Ready only if every model has an available version."
    )


@router.get("/healthz", summary="Is the process alive?")
async def healthz() -> Health:
    """Responds while the gateway's process is alive, whatever the state of the model server."""
    return Health(status="ok")


@router.get(
    "/readyz",
    summary="Is the service ready to predict?",
    responses={
        HTTPStatus.SERVICE_UNAVAILABLE.value: {
            "model": Readiness,
            "description": "Too few models have an available version.",
        },
        **problem_responses(
            {
                HTTPStatus.BAD_REQUEST: ACCESS_PROBLEMS[HTTPStatus.BAD_REQUEST],
                HTTPStatus.UNPROCESSABLE_ENTITY: "An unknown query parameter or value.",
            }
        ),
    },
)
async def readyz(
    services: ServicesDep,
    response: Response,
    query: Annotated[ReadinessQuery, Query()],
) -> Readiness:
    """The gateway is ready if enough models (the quorum) have an available version.

    The body has the state of each model. The information is at most one second old.
    """
    models = await services.model_status.readiness()
    available = sum(status is ModelStatus.OK for status in models.values())
    ready = available >= (len(models) if query.strict else services.settings.quorum)
    if not ready:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return Readiness(ready=ready, models=models, training=_training(services.training))


def _training(training: ModelTraining) -> Training | None:
    if training.failed:
        return Training(status="failed", share=None, remaining_seconds=None)
    if training.progress is None:
        return None
    return Training(
        status="running",
        share=training.progress.share,
        remaining_seconds=training.progress.remaining_seconds,
    )
