"""The gateway under overload, and when clients disconnect."""

import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pytest

from api.prediction import preparation
from api.settings import Settings
from serving.contract import INPUT_NAME, MODEL_NAMES
from serving.embedded.engine import LoadedModel
from serving.embedded.options import ModelServerOptions
from serving.embedded.server import EmbeddedModelServer
from serving.volume.model_config import default_model_configs
from tests import decoder_jobs
from tests.integration.conftest import gateway
from tests.servers import embedded_model_server, in_thread, predictions_in_progress
from tests.service_process import wait_until

Tensors = dict[str, np.ndarray]

CALLERS = 24
"""The number of concurrent requests."""


@dataclass
class Gate:
    """Blocks every inference run until it is opened, and counts the runs."""

    opened: threading.Event
    runs: int = 0


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """An open gate; ``gate.opened.clear()`` closes it."""
    gate = Gate(threading.Event())
    gate.opened.set()
    infer = LoadedModel.infer

    def gated(model: LoadedModel, inputs: Tensors) -> Tensors:
        gate.runs += 1
        assert inputs[INPUT_NAME].ndim == 4
        assert gate.opened.wait(120)
        return infer(model, inputs)

    monkeypatch.setattr(LoadedModel, "infer", gated)
    yield gate
    gate.opened.set()


@pytest.fixture
def server(tiny_volume: Path, gate: Gate) -> Iterator[EmbeddedModelServer]:
    """A model server that runs one network at a time, while the gate is open."""
    assert gate.opened.is_set()
    configs = default_model_configs(tiny_volume)
    options = ModelServerOptions(inference_threads=1)
    with in_thread(lambda: EmbeddedModelServer(configs, "127.0.0.1:0", options)) as server:
        yield server


@pytest.fixture
def service(tiny_volume: Path, gate: Gate, server: EmbeddedModelServer) -> Iterator[httpx.Client]:
    """A gateway with two slots for images in progress and a queue for three."""
    settings = Settings(
        _env_file=None,
        model_server=server.address,
        models_dir=tiny_volume,
        max_in_progress=2,
        max_waiting=3,
        request_timeout_seconds=60,
    )
    with gateway(settings) as client:
        wait_until(lambda: client.get("/readyz?strict=true").status_code == 200)
        gate.runs = 0
        yield client


def post(client: httpx.Client, png: bytes) -> httpx.Response:
    return client.post("/predict", files={"file": ("slice.png", png)}, timeout=120)


def test_requests_beyond_the_queue_get_503_at_once_and_the_others_are_answered(
    service: httpx.Client, gate: Gate, phantom_png: bytes
):
    gate.opened.clear()
    with ThreadPoolExecutor(20) as callers:
        answers = [callers.submit(post, service, phantom_png) for _ in range(20)]
        wait_until(lambda: sum(answer.done() for answer in answers) == 15)
        rejected = [answer.result() for answer in answers if answer.done()]
        gate.opened.set()
        statuses = Counter(answer.result().status_code for answer in answers)
    assert statuses == {200: 5, 503: 15}
    for response in rejected:
        assert response.headers["content-type"] == "application/problem+json"
        assert response.headers["retry-after"] == "1"
        assert response.json()["type"] == "urn:covidscan:problem:overloaded"


def test_a_full_queue_rejects_a_request_before_its_body_is_received(
    service: httpx.Client, gate: Gate, phantom_png: bytes
):
    gate.opened.clear()
    with ThreadPoolExecutor(5) as callers:
        answers = [callers.submit(post, service, phantom_png) for _ in range(5)]
        wait_until(lambda: "covidscan_images_waiting 3.0" in service.get("/metrics").text)
        for path, size, closes in (("/predict", 5000, False), ("/predict/batch", 2**21, True)):
            with socket.create_connection((service.base_url.host, service.base_url.port)) as opened:
                head = (
                    f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n"
                    "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
                )
                opened.sendall(head.encode())
                answer = b"".join(iter(lambda: opened.recv(1), b"}")) + b"}"
                assert answer.startswith(b"HTTP/1.1 503 ")
                assert b"retry-after: 1" in answer.lower()
                assert (b"connection: close" in answer.lower()) == closes
                if not closes:
                    # The gateway discards the body and keeps the connection open.
                    opened.sendall(bytes(size) + b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                    assert opened.recv(4096).startswith(b"HTTP/1.1 200 ")
        gate.opened.set()
        assert {answer.result().status_code for answer in answers} == {200}


def test_time_in_the_queue_counts_towards_the_request_timeout(
    tiny_volume: Path, gate: Gate, phantom_png: bytes
):
    with embedded_model_server(default_model_configs(tiny_volume), ModelServerOptions()) as address:
        settings = Settings(
            _env_file=None,
            model_server=address,
            models_dir=tiny_volume,
            max_in_progress=1,
            request_timeout_seconds=1,
        )
        with gateway(settings) as client:
            wait_until(lambda: client.get("/readyz?strict=true").status_code == 200)
            gate.opened.clear()
            with ThreadPoolExecutor(CALLERS) as callers:
                started = time.monotonic()
                calls = [callers.submit(post, client, phantom_png) for _ in range(CALLERS)]
                statuses = {call.result().status_code for call in calls}
            assert statuses <= {503, 504}
            # One after another, they would take a second each.
            assert time.monotonic() - started < CALLERS / 2


def test_a_disconnect_cancels_the_calls_to_the_model_server(
    service: httpx.Client, server: EmbeddedModelServer, gate: Gate, phantom_png: bytes
):
    upload = service.build_request("POST", "/predict", files={"file": ("slice.png", phantom_png)})
    head = "".join(f"{name}: {value}\r\n" for name, value in upload.headers.items())
    request = f"POST /predict HTTP/1.1\r\n{head}\r\n".encode() + upload.read()
    models = len(MODEL_NAMES)
    gate.opened.clear()
    # One run occupies the model server's only thread; the other calls wait.
    with ThreadPoolExecutor(1) as callers:
        first = callers.submit(post, service, phantom_png)
        wait_until(lambda: predictions_in_progress(server) == models)
        for _ in range(3):
            with socket.create_connection(
                (service.base_url.host, service.base_url.port)
            ) as leaving:
                leaving.sendall(request)
                wait_until(lambda: predictions_in_progress(server) == 2 * models)
            wait_until(lambda: predictions_in_progress(server) == models)
        gate.opened.set()
        assert first.result().status_code == 200
    assert post(service, phantom_png).status_code == 200
    assert gate.runs == 2 * models, (
        "three models ran for two images, and none for the disconnected clients"
    )


def test_decoding_is_stopped_at_the_request_timeout_and_the_next_image_is_decoded(
    tiny_volume: Path, phantom_png: bytes, monkeypatch: pytest.MonkeyPatch
):
    settings = Settings(
        _env_file=None,
        model_server="127.0.0.1:1",
        models_dir=tiny_volume,
        request_timeout_seconds=0.5,
    )
    with gateway(settings) as client:
        with monkeypatch.context() as patch:
            patch.setattr(preparation, "read_model_input", decoder_jobs.sleep)
            answers = [post(client, phantom_png) for _ in range(3)]
        for answer in answers:
            assert answer.status_code == 503
            assert answer.json()["type"] == "urn:covidscan:problem:overloaded"
        # The image was decoded, but no model server is running.
        wait_until(lambda: post(client, phantom_png).json()["type"].endswith("models-unavailable"))
        assert 'covidscan_decoder_restarts_total{reason="timeout"}' in client.get("/metrics").text


def test_a_file_that_crashes_its_decoder_is_rejected_and_the_next_one_is_decoded(
    tiny_volume: Path, phantom_png: bytes, monkeypatch: pytest.MonkeyPatch
):
    settings = Settings(_env_file=None, model_server="127.0.0.1:1", models_dir=tiny_volume)
    with gateway(settings) as client:
        with monkeypatch.context() as patch:
            patch.setattr(preparation, "read_model_input", decoder_jobs.crash)
            answer = post(client, phantom_png)
        assert answer.status_code == 422
        assert answer.json()["type"] == "urn:covidscan:problem:damaged-image"
        assert post(client, phantom_png).json()["type"].endswith("models-unavailable")
