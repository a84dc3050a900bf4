"""The application factory."""

import importlib.metadata
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
from fastapi import FastAPI

from api import about
from api.dependencies import Services
from api.errors import install_error_handlers
from api.page.routes import mount_page
from api.request_id import RequestIdMiddleware
from api.routes import health, models, predict
from api.routes.docs import mount_docs
from api.settings import Settings
from api.uploads import FRAMING_BYTES, BodyLimitMiddleware
from serving.errors import TlsConfigError
from serving.tls import read_channel_credentials


class ModelServerNotSetError(ValueError):
    """The gateway was not told where its model server is."""


def create_app(settings: Settings) -> FastAPI:
    """Build the gateway.

    Args:
        settings: must name a model server; ``covidscan serve`` starts the embedded one and sets it.

    Raises:
        ModelServerNotSetError: it does not.
        TlsConfigError: its keys or certificates cannot be read.
    """
    if settings.model_server is None:
        raise ModelServerNotSetError("set COVIDSCAN_MODEL_SERVER, or start with: covidscan serve")
    model_server = settings.model_server
    credentials = _credentials(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # Inside the lifespan, because a gRPC channel belongs to the running event loop.
        app.state.services = Services.create(settings, model_server, credentials)
        yield
        await app.state.services.close()

    app = FastAPI(
        title=about.TITLE,
        summary=about.SUMMARY,
        description=about.DESCRIPTION,
        version=importlib.metadata.version("covidscan"),
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    install_error_handlers(app)
    for module in (predict, models, health):
        app.include_router(module.router)
    mount_page(app)
    mount_docs(app)
    app.add_middleware(
        BodyLimitMiddleware,
        default_bytes=settings.max_upload_bytes + FRAMING_BYTES,
        path_bytes={predict.BATCH_PATH: settings.max_batch_bytes + FRAMING_BYTES},
    )
    app.add_middleware(RequestIdMiddleware)
    return app


def _credentials(settings: Settings) -> grpc.ChannelCredentials | None:
    ca_file = settings.model_server_ca_file
    certificate_file = settings.model_server_certificate_file
    key_file = settings.model_server_key_file
    if ca_file is not None:
        return read_channel_credentials(ca_file, certificate_file, key_file)
    if certificate_file is not None or key_file is not None:
        raise TlsConfigError("without model_server_ca_file the wire would not be TLS")
    return None
