"""Everything that can be configured, from the environment and ``.env``."""

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
from api.observability.log_format import LogFormat
from api.service_links import IgnoresServiceLinks
from imaging.limits import DEFAULT_MAX_PIXELS
from serving.contract import DEFAULT_OPERATING_POINT, MODEL_NAMES
from serving.precision import Precision

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
        # Compose hands on what .env leaves empty.
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        use_attribute_docstrings=True,
        protected_namespaces=(),
    )

    host: str = "127.0.0.1"
    """Address that the gateway listens on."""

    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """Port that the gateway listens on; 0 takes a free one."""

    publish: str | None = None
    """Address, ``host:port``, at which others reach the gateway, where that is not the one it
    listens on, as in a container. It decides whether API keys are required."""

    tls_certificate_file: Path | None = None
    """PEM of the gateway's certificate and chain; with it and its key the gateway speaks HTTPS."""

    tls_key_file: Path | None = None
    """PEM of the private key of that certificate."""

    trusted_proxies: Annotated[list[IPvAnyNetwork], *CommaSeparated] = []
    """Addresses or networks, separated by commas, whose ``X-Forwarded-For`` and
    ``X-Forwarded-Proto`` are believed; by default nobody's."""

    api_keys: SecretStr | None = None
    """Keys that are accepted, as ``covidscan keys create`` prints their records, separated by
    spaces. A record holds a hash, never the key."""

    api_keys_file: Path | None = None
    """File of such records, one a line, which ``covidscan keys`` manages; a change is followed."""

    allow_anonymous: bool = False
    """Serve other machines without API keys. Without this the gateway does not start so."""

    rate_limit_per_key: Rate | None = None
    """Images that one key may send, such as ``600/minute`` or ``10/second;5000/hour``."""

    rate_limit_per_address: Rate | None = None
    """Requests that one address may send, in the same notation; health checks are not counted."""

    allowed_hosts: Annotated[list[HostName], *CommaSeparated] = []
    """Host names, separated by commas, that requests may be for; ``*.example.org`` stands for all
    below it, ``*`` for any. By default any, but ``localhost`` alone where only this machine reaches
    a gateway without API keys. Addresses and names without a dot are always allowed."""

    cors_origins: Annotated[list[str], *CommaSeparated] = []
    """Origins, separated by commas, whose pages may call the API from a browser."""

    docs: bool = True
    """Whether ``/docs`` and ``/openapi.json`` are there."""

    metrics: bool = True
    """Whether ``/metrics`` is there."""

    model_server: str | None = None
    """Address of the model server, ``host:port``, ``dns:///name:port`` or ``unix:/path``; where it
    is not set, ``covidscan serve`` starts the embedded model server."""

    precision: Precision = Precision.F32
    """Of the embedded model server's arithmetic: ``f32`` gives the same answers on every machine,
    ``bf16`` is nearly twice as fast under load where the CPU has it."""

    model_server_ca_file: Path | None = None
    """PEM of the authority that signed the model server's certificate; with it the wire is TLS."""

    model_server_certificate_file: Path | None = None
    """PEM of the gateway's own certificate, where the model server asks for one."""

    model_server_key_file: Path | None = None
    """PEM of the private key of that certificate."""

    models_dir: Path = Path("models")
    """The versioned volume. The gateway only reads model cards from it."""

    demo: bool = False
    """Train demo models in the background where a model has no version yet; the first one answers
    as soon as it is published."""

    model_timeout_seconds: Annotated[float, Field(gt=0, le=300)] = 10.0
    """Deadline of a call to a model; a model that is later is left out of the answer."""

    request_timeout_seconds: Annotated[float, Field(gt=0, le=300)] = 15.0
    """Budget of one image from upload to answer, waiting included; no model gets more than what is
    left of it."""

    max_in_progress: Annotated[int, Field(gt=0, le=1024)] = 32
    """Images that are worked on at the same time."""

    max_waiting: Annotated[int, Field(ge=0, le=4096)] = 64
    """Images that may wait for that; more are answered 503 at once."""

    max_groups: Annotated[int, Field(gt=0, le=256)] = 2
    """Groups of up to eight images that the models are asked about at the same time: one is on its
    way while the other is worked on. Two more for each further replica of the model server."""

    max_explanations: Annotated[int, Field(gt=0, le=64)] = 1
    """Explanations that are made at the same time; each asks the models about some 190 images.
    Eight more may wait."""

    status_timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 2.0
    """Deadline of a question about a model's state."""

    quorum: Annotated[int, Field(ge=1, le=len(MODEL_NAMES))] = 1
    """Models that must answer; below it the answer is 503 and never a guess."""

    operating_point: Annotated[float, Field(gt=0, lt=1)] = DEFAULT_OPERATING_POINT
    """The probability from which on ``COVID`` is predicted."""

    review_band: Annotated[float, Field(ge=0, lt=0.5)] = 0.1
    """An answer is marked for review where the ensemble lies no further than this from the
    operating point."""

    audit_file: Path | None = None
    """File that a line is appended to for each prediction: hashes, versions and outputs, no pixels.
    An answer that cannot be recorded is not given."""

    tracing: bool = False
    """Whether traces are sent, to where ``OTEL_EXPORTER_OTLP_ENDPOINT`` says."""

    log_format: LogFormat = LogFormat.AUTO
    """``json``, ``console`` for people, or ``auto``: ``console`` on a terminal only."""

    max_connections: Annotated[int, Field(gt=0, le=65535)] = 512
    """Connections that are open at the same time; more are answered 503 and closed."""

    max_connections_per_address: Annotated[int, Field(gt=0, le=65535)] = 128
    """Connections of one address, or of one /64 network of IPv6, that are open at the same time;
    more are answered 503 and closed, but for health checks. Trusted proxies have no such bound."""

    header_timeout_seconds: Annotated[float, Field(gt=0, le=300)] = 10.0
    """How long a client may take to send a request's head, and to read what it is sent."""

    body_timeout_seconds: Annotated[float, Field(gt=0, le=3600)] = 20.0
    """How long a client may be silent while it sends a body, and how far it may fall behind 16 KiB
    a second."""

    idle_timeout_seconds: Annotated[int, Field(gt=0, le=3600)] = 5
    """How long a connection is kept open between two requests."""

    max_upload_bytes: Annotated[int, Field(gt=0)] = 32 * MEBIBYTE
    """Largest file that is accepted; an uncompressed radiograph has some 20 MiB."""

    max_pixels: Annotated[int, Field(gt=0)] = DEFAULT_MAX_PIXELS
    """Largest image, width times height, that is decoded."""

    decode_processes: Annotated[int | None, Field(gt=0, le=256)] = None
    """Processes that decode files; by default one more than there are CPUs, so that no client ever
    holds them all."""

    decode_memory_bytes: Annotated[int | None, Field(gt=0)] = None
    """Memory that they may need together; by default two fifths of what the machine or the
    container has. An image that alone needs more is refused."""

    max_batch_files: Annotated[int, Field(gt=0, le=1024)] = 64
    """Most files in one call of ``/predict/batch``."""

    max_batch_bytes: Annotated[int, Field(gt=0)] = 64 * MEBIBYTE
    """Largest body of ``/predict/batch``, all files together."""

    max_received_bytes: Annotated[int, Field(gt=0)] = 256 * MEBIBYTE
    """Bodies of all requests in progress together; beyond it they are answered 503."""

    @model_validator(mode="after")
    def _closed_to_strangers(self) -> Self:
        if self.is_exposed and not (self.has_api_keys or self.allow_anonymous):
            raise ValueError(
                f"other machines reach {self._reached_at}, or a proxy in front of it, so API keys"
                " are required: make one with `covidscan keys create NAME --file FILE`, then set"
                " COVIDSCAN_API_KEYS_FILE; or set COVIDSCAN_ALLOW_ANONYMOUS=true"
            )
        return self

    @model_validator(mode="after")
    def _room_for_one_body(self) -> Self:
        if self.max_received_bytes < max(self.max_upload_bytes, self.max_batch_bytes):
            raise ValueError("max_received_bytes is less than one body may have")
        return self

    @model_validator(mode="after")
    def _whole_tls(self) -> Self:
        if (self.tls_certificate_file is None) != (self.tls_key_file is None):
            raise ValueError("tls_certificate_file and tls_key_file go together")
        return self

    @property
    def _reached_at(self) -> str:
        return self.host if self.publish is None else published_host(self.publish)

    @property
    def is_exposed(self) -> bool:
        """Whether other machines reach the gateway; a proxy hands on what comes from elsewhere."""
        return not is_loopback(self._reached_at) or bool(self.trusted_proxies)

    @property
    def has_api_keys(self) -> bool:
        """Whether callers must show a key."""
        given = self.api_keys is not None and self.api_keys.get_secret_value().strip()
        return bool(given) or self.api_keys_file is not None
