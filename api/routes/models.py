"""``GET /models``."""

from fastapi import APIRouter

from api.dependencies import ServicesDep
from api.routes.problem_docs import ACCESS_PROBLEMS, problem_responses
from api.schemas.models import ModelInfo, ModelsResponse
from serving.contract import CLASS_NAMES

router = APIRouter(tags=["models"])


@router.get(
    "/models",
    summary="State of the models",
    responses=problem_responses(ACCESS_PROBLEMS),
)
async def models(services: ServicesDep) -> ModelsResponse:
    """The versions of each model: state, demo or not, and metrics on the held-out test set."""
    return ModelsResponse(
        classes=list(CLASS_NAMES),
        operating_point=services.settings.operating_point,
        models=[
            ModelInfo.model_validate(model) for model in await services.model_status.read_all()
        ],
    )
