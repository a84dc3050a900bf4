"""The HTTP server that the gateway runs in."""

import math

import uvicorn
from fastapi import FastAPI

from api.settings import Settings
from covidscan.http_connections import ConnectionLimits, bounded_by


def http_config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    """Uvicorn's configuration: where it listens, whom it believes, how long it waits for whom."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=bounded_by(
            ConnectionLimits(
                settings.max_connections,
                settings.header_timeout_seconds,
                app.state.metrics.observe_refused_connection,
            )
        ),
        ws="none",
        ssl_certfile=settings.tls_certificate_file,
        ssl_keyfile=settings.tls_key_file,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=[str(network) for network in settings.trusted_proxies],
        timeout_keep_alive=settings.idle_timeout_seconds,
        # When the service stops, a request in flight has what time it would have had anyway.
        timeout_graceful_shutdown=math.ceil(settings.request_timeout_seconds),
        server_header=False,
        # The gateway logs requests itself: routes, never paths.
        access_log=False,
        log_config=None,
    )
