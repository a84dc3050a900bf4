"""``GET /healthz`` and ``GET /readyz``, for whoever supervises the gateway."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.dependencies import ServicesDep
from api.model_training import TrainingProgress
from api.schemas.health import Health, Readiness, Training
from api.schemas.prediction import ModelAnswerStatus

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="Is the process alive?")
async def healthz() -> Health:
    """Answers as long as the gateway's process does, whatever the model server's state."""
    return Health(status="ok")


@router.get(
    "/readyz",
    summary="Can predictions be answered?",
    responses={
        HTTPStatus.SERVICE_UNAVAILABLE.value: {
            "model": Readiness,
            "description": "Too few models have an available version.",
        }
    },
)
async def readyz(
    services: ServicesDep,
    response: Response,
    strict: Annotated[
        bool, Query(description="Ready only if every model has an available version.")
    ] = False,
) -> Readiness:
    """Ready means that as many models have an available version as must answer (the quorum).

    The body has the state of each model. The answer is at most a second old.
    """
    models = await services.model_status.readiness()
    available = sum(status is ModelAnswerStatus.OK for status in models.values())
    ready = available >= (len(models) if strict else services.settings.quorum)
    if not ready:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return Readiness(ready=ready, models=models, training=_training(services.training.progress))


def _training(progress: TrainingProgress | None) -> Training | None:
    if progress is None:
        return None
    return Training(share=progress.share, remaining_seconds=progress.remaining_seconds)
