"""``GET /healthz`` and ``GET /readyz``, for whoever supervises the gateway."""

from http import HTTPStatus

from fastapi import APIRouter, Response

from api.dependencies import ServicesDep
from api.schemas.health import Health, Readiness

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="Is the process alive?")
async def healthz() -> Health:
    """Answers as long as the gateway's process does, whatever the model server's state."""
    return Health(status="ok")


@router.get(
    "/readyz",
    summary="Can every model answer?",
    responses={
        HTTPStatus.SERVICE_UNAVAILABLE.value: {
            "model": Readiness,
            "description": "At least one model has no available version.",
        }
    },
)
async def readyz(services: ServicesDep, response: Response) -> Readiness:
    """Ready means that every model has an available version; the body names the others."""
    infos = await services.model_status.read_recent()
    not_ready = [info.name for info in infos if not info.available]
    if not_ready:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return Readiness(ready=not not_ready, not_ready=not_ready)
