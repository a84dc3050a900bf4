"""Everything that can be configured, from the environment and ``.env``."""

from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from serving.contract import DEFAULT_OPERATING_POINT, MODEL_NAMES
from serving.preprocess import DEFAULT_MAX_PIXELS

MEBIBYTE = 1024 * 1024


class Settings(BaseSettings):
    """The gateway's settings; each is read from ``COVIDSCAN_<NAME>``."""

    model_config = SettingsConfigDict(
        env_prefix="COVIDSCAN_",
        env_file=".env",
        extra="ignore",
        frozen=True,
        use_attribute_docstrings=True,
        protected_namespaces=(),
    )

    host: str = "127.0.0.1"
    """Address that the gateway listens on."""

    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """Port that the gateway listens on; 0 takes a free one."""

    model_server: str | None = None
    """Address of the model server, ``host:port``, ``dns:///name:port`` or ``unix:/path``; where it
    is not set, ``covidscan serve`` starts the embedded model server."""

    model_server_ca_file: Path | None = None
    """PEM of the authority that signed the model server's certificate; with it the wire is TLS."""

    model_server_certificate_file: Path | None = None
    """PEM of the gateway's own certificate, where the model server asks for one."""

    model_server_key_file: Path | None = None
    """PEM of the private key of that certificate."""

    models_dir: Path = Path("models")
    """The versioned volume. The gateway only reads model cards from it."""

    model_timeout_seconds: Annotated[float, Field(gt=0, le=300)] = 10.0
    """Deadline of a call to a model; a model that is later is left out of the answer."""

    request_timeout_seconds: Annotated[float, Field(gt=0, le=300)] = 15.0
    """Budget of one image from upload to answer, waiting included; no model gets more than what is
    left of it."""

    max_in_progress: Annotated[int, Field(gt=0, le=1024)] = 32
    """Images that are worked on at the same time."""

    max_waiting: Annotated[int, Field(ge=0, le=4096)] = 64
    """Images that may wait for that; more are answered 503 at once."""

    status_timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 2.0
    """Deadline of a question about a model's state."""

    quorum: Annotated[int, Field(ge=1, le=len(MODEL_NAMES))] = 1
    """Models that must answer; below it the answer is 503 and never a guess."""

    operating_point: Annotated[float, Field(gt=0, lt=1)] = DEFAULT_OPERATING_POINT
    """The probability from which on ``COVID`` is predicted."""

    review_band: Annotated[float, Field(ge=0, lt=0.5)] = 0.1
    """An answer is marked for review where the ensemble lies no further than this from the
    operating point."""

    max_upload_bytes: Annotated[int, Field(gt=0)] = 10 * MEBIBYTE
    """Largest file that is accepted."""

    max_pixels: Annotated[int, Field(gt=0)] = DEFAULT_MAX_PIXELS
    """Largest image, width times height, that is decoded."""

    max_batch_files: Annotated[int, Field(gt=0, le=1024)] = 64
    """Most files in one call of ``/predict/batch``."""

    max_batch_bytes: Annotated[int, Field(gt=0)] = 64 * MEBIBYTE
    """Largest body of ``/predict/batch``, all files together."""
