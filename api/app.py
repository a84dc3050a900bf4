"""The application factory."""

import importlib.metadata
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from api import about
from api.composition import Services
from api.fair_sharing.client_activity import ClientActivity
from api.fair_sharing.fair_slots import FairSlots
from api.http.access.authentication import API_KEY_HEADER, DOCUMENTED_SCHEMES, Authenticator
from api.http.access.client_address import ClientAddressMiddleware
from api.http.access.hosts import HostMiddleware
from api.http.access.middleware import AccessMiddleware
from api.http.access.rate_limits import RateLimits
from api.http.access.security_headers import SecurityHeadersMiddleware
from api.http.allowed_methods import HeadMiddleware
from api.http.load_shedding import LoadSheddingMiddleware
from api.http.problems import install_error_handlers
from api.http.request_id import REQUEST_ID_HEADER, RequestIdMiddleware
from api.http.unexpected_errors import UnexpectedErrorsMiddleware
from api.http.uploads import FRAMING_BYTES, BodyLimitMiddleware, UploadBudget, form_limits
from api.model_server_connection import ModelServerConnection
from api.observability.audit import AuditTrail
from api.observability.metrics import Metrics
from api.observability.middleware import ObservationMiddleware
from api.page import view_route
from api.page.routes import PAGE_PATH, mount_page
from api.routes import explain, health, models, predict
from api.routes import metrics as metrics_route
from api.routes.docs import mount_docs
from api.settings import Settings
from api.training_progress import ModelTraining
from imaging.fingerprint import preprocess_fingerprint

_SHARED_PART: Final = 8
"""While a less busy client is active, one client may use 1/8 of the slots."""

_CLIENT_SHARE: Final = 0.75
"""The share of the upload budget that one client may use."""


def create_app(settings: Settings, training: ModelTraining | None = None) -> FastAPI:
    """Build the gateway.

    Args:
        settings: must name a model server; ``covidscan serve`` starts the embedded one and sets it.
        training: of the models, if they are being trained.

    Raises:
        ModelServerNotSetError: the settings name no model server.
        TlsConfigError: keys or certificates for the model server cannot be read.
        ApiKeysError: the records of API keys cannot be read.
        AuditTrailError: the audit trail cannot be written.
    """
    # Only the services need it, but errors should appear before anything is started.
    connection = ModelServerConnection.of(settings)
    version = importlib.metadata.version("covidscan")
    metrics = Metrics(version=version, preprocessing=preprocess_fingerprint())
    rate_limits = RateLimits(settings)
    activity = ClientActivity()
    image_slots = FairSlots(
        settings.max_in_progress,
        max_per_busy_client=max(1, settings.max_in_progress // _SHARED_PART),
        activity=activity,
        max_waiting=settings.max_waiting,
    )
    audit = AuditTrail(settings.audit_file) if settings.audit_file else None

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # Inside the lifespan, because gRPC channels belong to the running event loop.
        services = Services.build(
            settings,
            connection,
            metrics=metrics,
            rate_limits=rate_limits,
            image_slots=image_slots,
            activity=activity,
            audit=audit,
            training=training or ModelTraining(),
        )
        app.state.services = services
        await services.core.preparation.start()
        yield
        await services.core.close()

    app = FastAPI(
        title=about.TITLE,
        summary=about.SUMMARY,
        description=about.DESCRIPTION,
        version=version,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        lifespan=lifespan,
        openapi_url="/openapi.json" if settings.docs else None,
        docs_url=None,
        redoc_url=None,
        form_limits=form_limits(settings.max_batch_files),
        # These would contain messages of exceptions. ``covidscan.service.tracing`` removes path and
        # query from spans.
        telemetry={"metrics": False, "logs": False, "operation_spans": False},
    )
    app.state.metrics = metrics
    install_error_handlers(app)
    for module in (predict, explain, models):
        app.include_router(
            module.router, dependencies=DOCUMENTED_SCHEMES if settings.has_api_keys else None
        )
    app.include_router(health.router)
    mount_page(app)
    if settings.docs:
        mount_docs(app)
    if settings.metrics:
        app.include_router(metrics_route.router)
    _add_middleware(
        app,
        settings,
        metrics=metrics,
        rate_limits=rate_limits,
        image_slots=image_slots,
        activity=activity,
    )
    return app


def _add_middleware(
    app: FastAPI,
    settings: Settings,
    *,
    metrics: Metrics,
    rate_limits: RateLimits,
    image_slots: FairSlots,
    activity: ClientActivity,
) -> None:
    """Add middleware from the innermost, which sees a request last, to the outermost."""
    largest_body_bytes = max(settings.max_upload_bytes, settings.max_batch_bytes) + FRAMING_BYTES
    budget = UploadBudget(
        settings.max_received_bytes,
        max(largest_body_bytes, math.floor(_CLIENT_SHARE * settings.max_received_bytes)),
    )
    metrics.watch("received_bytes", "Bytes of request bodies in memory.", lambda: budget.held_bytes)
    app.add_middleware(HeadMiddleware)
    app.add_middleware(
        BodyLimitMiddleware,
        budget=budget,
        default_bytes=settings.max_upload_bytes + FRAMING_BYTES,
        path_bytes={predict.BATCH_PATH: settings.max_batch_bytes + FRAMING_BYTES},
        timeout_seconds=settings.body_timeout_seconds,
    )
    app.add_middleware(
        LoadSheddingMiddleware,
        image_slots=image_slots,
        # One slot for each possible connection: only the share of a busy client is limited.
        request_slots=FairSlots(
            settings.max_connections,
            max_per_busy_client=max(1, settings.max_in_progress // _SHARED_PART),
            activity=activity,
        ),
        timeout_seconds=settings.request_timeout_seconds,
        paths=frozenset(
            {predict.PATH, predict.BATCH_PATH, explain.PATH, view_route.PATH, PAGE_PATH}
        ),
    )
    app.add_middleware(
        AccessMiddleware,
        authenticator=Authenticator(settings) if settings.has_api_keys else None,
        rate_limits=rate_limits,
    )
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "HEAD", "POST"],
            allow_headers=["Authorization", API_KEY_HEADER],
            expose_headers=[REQUEST_ID_HEADER, "Retry-After", "Server-Timing"],
        )
    app.add_middleware(HostMiddleware, settings=settings)
    app.add_middleware(UnexpectedErrorsMiddleware)
    app.add_middleware(SecurityHeadersMiddleware, https=settings.tls_certificate_file is not None)
    app.add_middleware(ObservationMiddleware, metrics=metrics)
    app.add_middleware(RequestIdMiddleware)
    if settings.trusted_proxies:
        app.add_middleware(ClientAddressMiddleware, trusted=settings.trusted_proxies)
