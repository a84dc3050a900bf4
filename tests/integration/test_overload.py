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
"""Requests at the same time."""


@dataclass
class Gate:
    """Holds every run of a network until it is opened, and counts them."""

    opened: threading.Event
    runs: int = 0


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """Closed once ``gate.opened`` is cleared."""
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
    """A model server that runs one network at a time, once the gate lets it."""
    assert gate.opened.is_set()
    configs = default_model_configs(tiny_volume)
    options = ModelServerOptions(inference_threads=1)
    with in_thread(lambda: EmbeddedModelServer(configs, "127.0.0.1:0", options)) as server:
        yield server


@pytest.fixture
def service(tiny_volume: Path, gate: Gate, server: EmbeddedModelServer) -> Iterator[httpx.Client]:
    """Two images in progress, three may wait."""
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


def test_excess_requests_get_503_at_once_and_the_others_are_answered(
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


def test_a_request_is_rejected_before_its_body_arrives_when_the_queue_is_full(
    service: httpx.Client, gate: Gate, phantom_png: bytes
):
    gate.opened.clear()
    with ThreadPoolExecutor(5) as callers:
        answers = [callers.submit(post, service, phantom_png) for _ in range(5)]
        wait_until(lambda: "covidscan_images_waiting 3.0" in service.get("/metrics").text)
        for path, size, closes in (("/predict", 5000, False), ("/predict/batch", 2**21, True)):
            with socket.create_connection((service.base_url.host, service.base_url.port)) as bare:
                head = (
                    f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n"
                    "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
                )
                bare.sendall(head.encode())
                answer = b"".join(iter(lambda: bare.recv(1), b"}")) + b"}"
                assert answer.startswith(b"HTTP/1.1 503 ")
                assert b"retry-after: 1" in answer.lower()
                assert (b"connection: close" in answer.lower()) == closes
                if not closes:
                    # The connection stays of use once the body that nobody reads has come.
                    bare.sendall(bytes(size) + b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                    assert bare.recv(4096).startswith(b"HTTP/1.1 200 ")
        gate.opened.set()
        assert {answer.result().status_code for answer in answers} == {200}


def test_waiting_counts_towards_the_request_timeout(
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
            # One after the other they would take a second each.
            assert time.monotonic() - started < CALLERS / 2


def test_a_disconnect_stops_the_work_down_to_the_model_server(
    service: httpx.Client, server: EmbeddedModelServer, gate: Gate, phantom_png: bytes
):
    upload = service.build_request("POST", "/predict", files={"file": ("slice.png", phantom_png)})
    head = "".join(f"{name}: {value}\r\n" for name, value in upload.headers.items())
    request = f"POST /predict HTTP/1.1\r\n{head}\r\n".encode() + upload.read()
    models = len(MODEL_NAMES)
    gate.opened.clear()
    # One run occupies the model server's only thread; everything else waits behind it.
    with ThreadPoolExecutor(1) as patient:
        first = patient.submit(post, service, phantom_png)
        wait_until(lambda: predictions_in_progress(server) == models)
        for _ in range(3):
            with socket.create_connection((service.base_url.host, service.base_url.port)) as hasty:
                hasty.sendall(request)
                wait_until(lambda: predictions_in_progress(server) == 2 * models)
            wait_until(lambda: predictions_in_progress(server) == models)
        gate.opened.set()
        assert first.result().status_code == 200
    assert post(service, phantom_png).status_code == 200
    assert gate.runs == 2 * models, "two images of three models each, and none for those who left"


def test_decoding_that_takes_too_long_is_stopped_and_the_next_image_is_decoded(
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
        # Read, and then there is no model server to ask.
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
