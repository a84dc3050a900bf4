"""``GET /`` shows the page; ``POST /`` handles its form and returns the page with the result."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from api.composition import Services
from api.dependencies import CallerDep, ServicesDep
from api.http.disconnect import while_connected
from api.http.errors import MissingFileError
from api.http.form_request import FormRoute
from api.http.problem_table import ANSWERED
from api.http.problems import problem_headers, to_problem
from api.http.static_files import WholeFiles
from api.http.uploads import form_limits, read_upload
from api.http.validation_problems import page_form_problem
from api.page import view_route
from api.page.template_helpers import make_templates
from api.prediction.options import PredictionOptions
from api.routes.forms import ImageQuery
from api.schemas.prediction import PredictionResponse

# Nothing from elsewhere, nothing inline; blob: is the preview of the image that was chosen.
_CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self' blob: data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

PAGE_PATH: Final = "/"

router = APIRouter(include_in_schema=False, route_class=FormRoute)
_templates = make_templates()


def mount_page(app: FastAPI) -> None:
    """Add the page and its static files."""
    app.mount("/static", WholeFiles(directory=Path(__file__).parent / "static"), name="static")
    app.include_router(router)
    app.include_router(view_route.router)


@router.get(PAGE_PATH)
async def show(request: Request, services: ServicesDep) -> HTMLResponse:
    """The empty page."""
    return await _render(request, services)


@router.post(PAGE_PATH)
async def submit(request: Request, services: ServicesDep, caller: CallerDep) -> HTMLResponse:
    """Predict the uploaded image and show the result, or what was wrong."""
    try:
        await services.rate_limits.count_images(caller.key_id, 1)
        async with request.form(**form_limits(max_files=1)) as form:
            file = form.get("file")
            if not isinstance(file, UploadFile) or not (file.filename or file.size):
                raise MissingFileError("choose an image first")
            data = await read_upload(file, services.settings)
            predicting = services.core.predictor.predict(
                file.filename or "", data, _options(form), caller
            )
            result = await while_connected(request, predicting)
            request.state.versions = {model.name: model.version for model in result.models}
    except (*ANSWERED, HTTPException) as error:
        problem = to_problem(error, request.url.path, caller.request_id)
        request.state.problem = problem.type
        return await _render(
            request,
            services,
            status=problem.status,
            headers=problem_headers(error),
            problem=problem,
        )
    return await _render(request, services, answer=PredictionResponse.model_validate(result))


def _options(form: FormData) -> PredictionOptions:
    chosen = {name: value for name, value in form.items() if name != "file"}
    try:
        return ImageQuery.model_validate(chosen).options
    except ValidationError as error:
        raise page_form_problem(error.errors()) from error


async def _render(
    request: Request,
    services: Services,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **context: object,
) -> HTMLResponse:
    return _templates.TemplateResponse(
        request,
        "index.html",
        {
            "models": await services.model_status.read_all(),
            "max_upload_bytes": services.settings.max_upload_bytes,
            "docs": services.settings.docs,
            "training": services.training,
            **context,
        },
        status_code=status,
        headers={"Content-Security-Policy": _CONTENT_SECURITY_POLICY, **(headers or {})},
    )
