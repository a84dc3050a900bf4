"""All routes of the gateway, and settings for a gateway without a model server."""

from collections.abc import Iterable, Iterator
from typing import Any

from starlette.routing import Mount, Route

from api.app import create_app
from api.settings import Settings

NO_MODEL_SERVER = "127.0.0.1:1"
"""An address at which no model server listens."""


def settings_with(**changes: object) -> Settings:
    return Settings(
        _env_file=None, model_server=NO_MODEL_SERVER, status_timeout_seconds=0.2, **changes
    )


STATIC = {"/static": "/static/page.css", "/docs-assets": "/docs-assets/swagger-ui.css"}


def paths() -> list[str]:
    """A path for each route of the gateway, and one without a route."""
    found = {route.path for route in all_routes(create_app(settings_with()).routes)}
    return sorted({*(STATIC.get(path, path) for path in found), "/nowhere"})


def all_routes(routes: Iterable[Any]) -> Iterator[Route | Mount]:
    """All routes, including those of included routers."""
    for route in routes:
        if isinstance(route, Route | Mount):
            yield route
        else:
            yield from all_routes(route.original_router.routes)
