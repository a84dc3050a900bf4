"""Every path of the gateway, and gateways whose model server is not there."""

from collections.abc import Iterable, Iterator
from typing import Any

from starlette.routing import Mount, Route

from api.app import create_app
from api.settings import Settings

NOWHERE = "127.0.0.1:1"
"""A model server that is not there."""


def settings_with(**changes: object) -> Settings:
    return Settings(_env_file=None, model_server=NOWHERE, status_timeout_seconds=0.2, **changes)


STATIC = {"/static": "/static/page.css", "/docs-assets": "/docs-assets/swagger-ui.css"}


def paths() -> list[str]:
    """A path to every route that the gateway has, and to none."""
    found = {route.path for route in all_routes(create_app(settings_with()).routes)}
    return sorted({*(STATIC.get(path, path) for path in found), "/nowhere"})


def all_routes(routes: Iterable[Any]) -> Iterator[Route | Mount]:
    """Routes, and those of routers that are included."""
    for route in routes:
        if isinstance(route, Route | Mount):
            yield route
        else:
            yield from all_routes(route.original_router.routes)
