"""``GET /docs``: Swagger UI from files on this machine, because hospitals have no internet."""

from pathlib import Path
from typing import Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates

from api.http.static_files import WholeFiles

_ASSETS: Final = "docs-assets"

# Swagger UI sets styles inline and draws its icons as data; no script of it is inline.
_CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self';"
    " img-src 'self' data:; font-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)

router = APIRouter(include_in_schema=False)
_templates = Jinja2Templates(Path(__file__).parent / "templates")


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """The API's documentation, to read and to try."""
    return _templates.TemplateResponse(
        request,
        "docs.html",
        {"title": f"{request.app.title} API", "assets": _ASSETS},
        headers={"Content-Security-Policy": _CONTENT_SECURITY_POLICY},
    )


def mount_docs(app: FastAPI) -> None:
    """Add the docs page and what it loads; fastapi-offline ships the files."""
    app.mount(f"/{_ASSETS}", WholeFiles(packages=[("fastapi_offline", "static")]), name=_ASSETS)
    app.include_router(router)
