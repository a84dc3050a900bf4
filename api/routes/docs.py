"""``GET /docs``: Swagger UI from local files, because hospital networks have no internet access."""

from pathlib import Path
from typing import Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates

from api.http.static_files import WholeFiles

_ASSETS: Final = "docs-assets"

# Swagger UI uses inline styles and data: icons, but no inline scripts.
_CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self';"
    " img-src 'self' data:; font-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)

router = APIRouter(include_in_schema=False)
_templates = Jinja2Templates(Path(__file__).parent / "templates")


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """The interactive API documentation."""
    return _templates.TemplateResponse(
        request,
        "docs.html",
        {"title": f"{request.app.title} API", "assets": _ASSETS},
        headers={"Content-Security-Policy": _CONTENT_SECURITY_POLICY},
    )


def mount_docs(app: FastAPI) -> None:
    """Add the docs page and its assets, which fastapi-offline provides."""
    app.mount(f"/{_ASSETS}", WholeFiles(packages=[("fastapi_offline", "static")]), name=_ASSETS)
    app.include_router(router)
