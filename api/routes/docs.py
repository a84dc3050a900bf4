"""``GET /docs``: Swagger UI from files on this machine, because hospitals have no internet."""

from typing import Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

_ASSETS: Final = "docs-assets"

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """The API's documentation, to read and to try."""
    return get_swagger_ui_html(
        openapi_url=str(request.url_for("openapi").path),
        title=f"{request.app.title} API",
        swagger_js_url=request.url_for(_ASSETS, path="swagger-ui-bundle.js").path,
        swagger_css_url=request.url_for(_ASSETS, path="swagger-ui.css").path,
        swagger_favicon_url=request.url_for("static", path="favicon.svg").path,
    )


def mount_docs(app: FastAPI) -> None:
    """Add the docs page and what it loads; fastapi-offline ships the files."""
    app.mount(f"/{_ASSETS}", StaticFiles(packages=[("fastapi_offline", "static")]), name=_ASSETS)
    app.include_router(router)
