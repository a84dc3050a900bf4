"""The gateway's settings, from the environment and ``.env``."""

import re
from pathlib import Path
from typing import Annotated, Final, Self

from limits import parse_many
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    IPvAnyNetwork,
    SecretStr,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from api.exposure import is_loopback, published_host
from api.kubernetes_service_links import IgnoresServiceLinks
from api.observability.log_format import LogFormat
from imaging.limits import DEFAULT_MAX_PIXELS
from serving.contract import DEFAULT_OPERATING_POINT, MODEL_NAMES
from serving.precision import Precision
from serving.volume import DEFAULT_MODELS_DIR

MEBIBYTE: Final = 1024 * 1024


def _split(value: object) -> object:
    return (
        [part.strip() for part in value.split(",") if part.strip()]
        if isinstance(value, str)
        else value
    )


def _check_rate(notation: str) -> str:
    parse_many(notation)
    return notation


def _check_host(host: str) -> str:
    if not re.fullmatch(r"\*|(\*\.)?[A-Za-z0-9._-]+|\[?[0-9A-Fa-f:.]+\]?", host, re.ASCII):
        raise ValueError("a host is a name such as scan.example.org, without scheme and port")
    return host


CommaSeparated = (NoDecode, BeforeValidator(_split))
Rate = Annotated[str, AfterValidator(_check_rate)]
HostName = Annotated[str, AfterValidator(_check_host)]


class Settings(IgnoresServiceLinks, BaseSettings):
    """The gateway's settings; each is read from ``COVIDSCAN_<NAME>``."""

    model_config = SettingsConfigDict(
        env_prefix="COVIDSCAN_",
        env_file=".env",
        # Compose passes variables on that are empty in .env.
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        use_attribute_docstrings=True,
        protected_namespaces=(),
    )

    host: str = "127.0.0.1"
    """Address to listen on."""

    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """Port to listen on; 0 selects a free one."""

    publish: str | None = None
    """Address, ``host:port``, at which clients reach the gateway, if it differs from the one it
    listens on, as in a container. It decides whether API keys are required."""

    tls_certificate_file: Path | None = None
    """PEM file with the gateway's certificate and chain. With it and its key the gateway uses
    HTTPS."""

    tls_key_file: Path | None = None
    """PEM file with the private key of that certificate."""

    trusted_proxies: Annotated[list[IPvAnyNetwork], *CommaSeparated] = []
    """Addresses or networks, separated by commas, whose ``X-Forwarded-For`` and
    ``X-Forwarded-Proto`` are trusted; by default none."""

    api_keys: SecretStr | None = None
    """Records of accepted API keys, as printed by ``covidscan keys create``, separated by spaces. A
    record contains a hash, never the key."""

    api_keys_file: Path | None = None
    """File of such records, one per line, managed by ``covidscan keys``. Changes are picked up."""

    allow_anonymous: bool = False
    """Serve other machines without API keys. By default the gateway does not start without
    them."""

    rate_limit_per_key: Rate | None = None
    """How many images the models may be given per key, such as ``600/minute`` or
    ``10/second;5000/hour``."""

    rate_limit_per_address: Rate | None = None
    """How many requests one address may send, in the same notation; health checks do not count."""

    allowed_hosts: Annotated[list[HostName], *CommaSeparated] = []
    """Host names, separated by commas, that requests may use; ``*.example.org`` allows all
    subdomains, ``*`` any name. By default any name, but only ``localhost`` if just this machine can
    reach the gateway and there are no API keys. IP addresses and names without a dot are always
    allowed."""

    cors_origins: Annotated[list[str], *CommaSeparated] = []
    """Origins, separated by commas, whose pages may call the API from a browser (CORS)."""

    docs: bool = True
    """Whether to serve ``/docs`` and ``/openapi.json``."""

    metrics: bool = True
    """Whether to serve ``/metrics``."""

    model_server: str | None = None
    """Address of the model server, ``host:port``, ``dns:///name:port`` or ``unix:/path``. If it is
    not set, ``covidscan serve`` starts the embedded model server."""

    precision: Precision = Precision.F32
    """Arithmetic of the embedded model server: ``f32`` gives the same results on every machine,
    ``bf16`` is nearly twice as fast under load if the CPU supports it."""

    model_server_ca_file: Path | None = None
    """PEM file with the CA that signed the model server's certificate. With it the connection uses
    TLS."""

    model_server_certificate_file: Path | None = None
    """PEM file with the gateway's own certificate, if the model server requires one."""

    model_server_key_file: Path | None = None
    """PEM file with the private key of that certificate."""

    models_dir: Path = DEFAULT_MODELS_DIR
    """The versioned volume. The gateway only reads model cards from it."""

    demo: bool = False
    """Train demo models in the background for models without a version; each answers as soon as it
    is published."""

    model_timeout_seconds: Annotated[float, Field(gt=0, le=300)] = 10.0
    """Timeout of a call to a model; a slower model is left out of the ensemble."""

    request_timeout_seconds: Annotated[float, Field(gt=0, le=300)] = 15.0
    """Time for one image from upload to response, including waiting. A call to a model never takes
    longer than what is left of it."""

    max_in_progress: Annotated[int, Field(gt=0, le=1024)] = 32
    """How many images may be in progress at the same time."""

    max_waiting: Annotated[int, Field(ge=0, le=4096)] = 64
    """How many images may wait; further requests get 503 at once."""

    max_groups: Annotated[int, Field(gt=0, le=256)] = 2
    """How many groups of up to eight images may be with the models at the same time: one is in
    transit while the other is computed. Add two for each further replica of the model server."""

    max_explanations: Annotated[int, Field(gt=0, le=64)] = 1
    """How many explanations are computed at the same time; each calls the models with about 190
    images. Eight more may wait."""

    status_timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 2.0
    """Timeout of a query for a model's state."""

    quorum: Annotated[int, Field(ge=1, le=len(MODEL_NAMES))] = 1
    """How many models must answer; with fewer, the response is 503 and never a guess."""

    operating_point: Annotated[float, Field(gt=0, lt=1)] = DEFAULT_OPERATING_POINT
    """The lowest probability at which ``COVID`` is predicted."""

    review_band: Annotated[float, Field(ge=0, lt=0.5)] = 0.1
    """A prediction is marked for review if the ensemble's probability is within this distance of
    the operating point."""

    audit_file: Path | None = None
    """File to which a line is appended for each prediction: hashes, versions and outputs, no
    pixels. A prediction that cannot be recorded is withheld."""

    tracing: bool = False
    """Whether to send traces to ``OTEL_EXPORTER_OTLP_ENDPOINT``."""

    log_format: LogFormat = LogFormat.AUTO
    """``json``, ``console`` for people, or ``auto``: ``console`` on a terminal, ``json``
    elsewhere."""

    max_connections: Annotated[int, Field(gt=0, le=65535)] = 512
    """How many connections may be open at the same time; further ones get 503 and are closed."""

    max_connections_per_address: Annotated[int, Field(gt=0, le=65535)] = 128
    """How many connections of one address, or of one IPv6 /64 network, may be open at the same
    time. Further ones get 503 and are closed, except for health checks. Trusted proxies have no
    such limit."""

    header_timeout_seconds: Annotated[float, Field(gt=0, le=300)] = 10.0
    """How long a client may take to send a request's head, and to read the data sent to it."""

    body_timeout_seconds: Annotated[float, Field(gt=0, le=3600)] = 20.0
    """How long a client may pause while it sends a body, and how far it may fall behind 16 KiB per
    second."""

    idle_timeout_seconds: Annotated[int, Field(gt=0, le=3600)] = 5
    """How long a connection is kept open between two requests."""

    max_upload_bytes: Annotated[int, Field(gt=0)] = 32 * MEBIBYTE
    """Largest accepted file; an uncompressed radiograph has about 20 MiB."""

    max_pixels: Annotated[int, Field(gt=0)] = DEFAULT_MAX_PIXELS
    """Largest image that is decoded, as width times height."""

    decode_processes: Annotated[int | None, Field(gt=0, le=256)] = None
    """Number of processes that decode files; by default one more than there are CPUs, so that no
    client ever holds them all."""

    decode_memory_bytes: Annotated[int | None, Field(gt=0)] = None
    """Memory that these processes may use together; by default two fifths of the memory of the
    machine or container. An image that needs more is rejected."""

    max_batch_files: Annotated[int, Field(gt=0, le=1024)] = 64
    """Largest number of files in one request to ``/predict/batch``."""

    max_batch_bytes: Annotated[int, Field(gt=0)] = 64 * MEBIBYTE
    """Largest body of a request to ``/predict/batch``."""

    max_received_bytes: Annotated[int, Field(gt=0)] = 256 * MEBIBYTE
    """Largest total size of the bodies of all requests in progress; further ones get 503."""

    @model_validator(mode="after")
    def _check_exposure(self) -> Self:
        if self.is_exposed and not (self.has_api_keys or self.allow_anonymous):
            raise ValueError(
                f"other machines can reach {self._reached_at}, or a proxy in front of it, so API"
                " keys are required: run `covidscan keys create NAME --file FILE` and set"
                " COVIDSCAN_API_KEYS_FILE; or set COVIDSCAN_ALLOW_ANONYMOUS=true"
            )
        return self

    @model_validator(mode="after")
    def _check_received_bytes(self) -> Self:
        if self.max_received_bytes < max(self.max_upload_bytes, self.max_batch_bytes):
            raise ValueError("max_received_bytes is less than the largest allowed body")
        return self

    @model_validator(mode="after")
    def _check_tls_files(self) -> Self:
        if (self.tls_certificate_file is None) != (self.tls_key_file is None):
            raise ValueError("tls_certificate_file and tls_key_file must be set together")
        return self

    @property
    def _reached_at(self) -> str:
        return self.host if self.publish is None else published_host(self.publish)

    @property
    def is_exposed(self) -> bool:
        """Whether other machines can reach the gateway, directly or through a proxy."""
        return not is_loopback(self._reached_at) or bool(self.trusted_proxies)

    @property
    def has_api_keys(self) -> bool:
        """Whether callers need an API key."""
        given = self.api_keys is not None and self.api_keys.get_secret_value().strip()
        return bool(given) or self.api_keys_file is not None
