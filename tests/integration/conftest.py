"""Starts the gateway, or the whole service, on loopback."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx
import pytest
from grpc_health.v1 import health_pb2

from api.app import create_app
from api.http.access.api_keys import create_key
from api.http.access.key_file import change_key_file
from api.settings import Settings
from api.training_progress import ModelTraining
from covidscan.service.http.server import HttpServer
from serving.contract import MODEL_NAMES
from tests.model_server_calls import health
from tests.servers import in_thread, model_server
from tests.service_process import wait_until


@contextmanager
def gateway(settings: Settings, training: ModelTraining | None = None) -> Iterator[httpx.Client]:
    """Run a gateway; yields a client for it."""
    with (
        in_thread(lambda: uvicorn_server(settings, training)) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client,
    ):
        yield client


@asynccontextmanager
async def uvicorn_server(
    settings: Settings, training: ModelTraining | None = None
) -> AsyncIterator[int]:
    """Run a gateway in the running event loop; yields its port."""
    settings = settings.model_copy(update={"port": 0})
    server = HttpServer(create_app(settings, training), settings)
    # Not `serve()`, which would replace the signal handlers of the tests.
    serving = asyncio.create_task(server._serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event to wait for
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await serving


@pytest.fixture
def tiny_service(tiny_volume: Path) -> Iterator[httpx.Client]:
    """A client for a ready gateway with a model server that serves tiny models."""
    with model_server(tiny_volume) as address:
        settings = Settings(_env_file=None, model_server=address, models_dir=tiny_volume)
        with gateway(settings) as client:
            wait_until(lambda: client.get("/readyz?strict=true").status_code == 200)
            yield client


@pytest.fixture
def address(tiny_volume: Path) -> Iterator[str]:
    """The address of an embedded model server that serves tiny models."""
    with model_server(tiny_volume) as address:
        wait_until(lambda: health(address) == health_pb2.HealthCheckResponse.SERVING)
        yield address


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `ca.pem`, and `.pem` and `.key` of `server` and `client`, which it signed."""
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    new_key = ("-newkey", "rsa:2048", "-nodes", "-subj")
    openssl("req", "-x509", *new_key, "/CN=ca", "-keyout", "ca.key", "-out", "ca.pem")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1")
    for name in ("server", "client"):
        openssl("req", *new_key, f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        signer = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names")
        openssl("x509", "-req", "-in", f"{name}.csr", *signer, "-out", f"{name}.pem")
    return folder


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    """The path of the API key file."""
    return tmp_path / "keys"


@pytest.fixture
def key(keys_file: Path) -> str:
    """An API key whose record is in the key file."""
    key, record = create_key("pacs")
    change_key_file(keys_file, lambda _: [record])
    return key


READY = dict.fromkeys(MODEL_NAMES, "ok")


def states(client: httpx.Client) -> dict[str, str]:
    """The state of each model according to the gateway."""
    found: dict[str, str] = client.get("/readyz").json()["models"]
    return found
