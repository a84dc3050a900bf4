"""The gateway stops while requests are in progress."""

import asyncio
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from api.prediction.predictor import Predictor
from api.settings import Settings
from covidscan.service.http.server import grace_seconds
from tests.integration.conftest import gateway
from tests.integration.routes import settings_with
from tests.integration.test_connections import HEAD, PART, metric, problem_at_the_end
from tests.service_process import wait_until


@pytest.mark.parametrize("path", ["/explain", "/predict/batch"])
def test_a_request_that_outlasts_the_shutdown_grace_period_is_answered_503(
    monkeypatch: pytest.MonkeyPatch, path: str
):
    started = threading.Event()

    async def predict(*_: object, **__: object) -> None:
        started.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(Predictor, "predict", predict)
    files = {"files" if path.endswith("batch") else "file": ("a.png", b"x")}
    with ThreadPoolExecutor(1) as caller:
        with gateway(settings_with(request_timeout_seconds=0.1)) as client:
            pending = caller.submit(httpx.post, f"{client.base_url}{path}", files=files, timeout=30)
            assert started.wait(10)
        response = pending.result()
    assert response.status_code == 503
    assert response.headers["connection"] == "close"
    assert int(response.headers["retry-after"]) > 0
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["type"] == "urn:covidscan:problem:stopping"
    assert response.json()["request_id"] == response.headers["x-request-id"]


def test_an_upload_in_progress_at_shutdown_is_answered_503():
    with gateway(settings_with(request_timeout_seconds=0.1)) as client:
        slow = socket.create_connection((client.base_url.host, client.base_url.port), 10)
        slow.sendall(HEAD + b"Content-Length: 1000\r\n\r\n" + PART)
        wait_until(lambda: metric(client, "covidscan_requests_in_progress") == 2)
    with slow:
        assert problem_at_the_end(slow, 503) == "stopping"


def test_the_grace_period_is_twice_the_request_timeout_rounded_up():
    settings = Settings(_env_file=None, request_timeout_seconds=7.3)
    assert grace_seconds(settings) == 15
