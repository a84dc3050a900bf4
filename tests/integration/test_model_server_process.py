"""``covidscan model-server`` as a process: its options, metrics, TLS and shutdown."""

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pytest

from api.settings import Settings
from serving import protocol, tensors
from serving.protos.predict_pb2 import ModelSpec, PredictRequest
from tests.conformance.recording import Outcome, call
from tests.integration.conftest import gateway
from tests.service_process import COVIDSCAN, wait_until

SERVING = b"\x08\x01"


@dataclass(frozen=True)
class Running:
    """The process of a model server and its addresses."""

    process: subprocess.Popen[str]
    address: str
    metrics: str

    def predict(self, name: str = "vgg16", count: int = 1) -> Outcome:
        return call(self.address, protocol.PREDICT, request_of(name, count))


def request_of(name: str, count: int = 1) -> bytes:
    images = np.full((count, 64, 64, 3), 0.5, np.float32)
    request = PredictRequest(model_spec=ModelSpec(name=name))
    request.inputs["image"].CopyFrom(tensors.encode(images))
    return request.SerializeToString()


@contextmanager
def running(*arguments: object) -> Iterator[Running]:
    process = subprocess.Popen(
        [*COVIDSCAN, "model-server", "--port=0", "--metrics-port=0", *map(str, arguments)],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    addresses: dict[str, str] = {}
    try:
        for line in process.stderr:
            if found := re.search(r'(listens on|metrics are at) ([^\s"]+)', line):
                addresses[found[1]] = found[2]
            if len(addresses) == 2:
                break
        assert len(addresses) == 2, "the model server did not start"
        # A full pipe would block the process.
        with ThreadPoolExecutor(1) as reader:
            reader.submit(process.stderr.read)
            try:
                yield Running(process, addresses["listens on"], addresses["metrics are at"])
            finally:
                if process.poll() is None:
                    process.kill()
                process.wait(10)
    finally:
        process.stderr.close()


def available(address: str, name: str = "") -> bool:
    request = bytes([10, len(name)]) + name.encode() if name else b""
    return call(address, "/grpc.health.v1.Health/Check", request).response == SERVING


def test_sigterm_lets_calls_in_flight_finish_and_rejects_new_ones(
    tiny_volume: Path, prove: Callable[[str], None]
):
    with running(f"--models-dir={tiny_volume}", "--grace-seconds=20") as server:
        wait_until(lambda: available(server.address))
        with ThreadPoolExecutor(8) as callers:
            calls = [callers.submit(server.predict, count=1000) for _ in range(8)]
            wait_until(lambda: all_are_in_progress(server, 8))
            server.process.send_signal(signal.SIGTERM)
            wait_until(lambda: server.predict().status == "UNAVAILABLE")
            statuses = [answer.result().status for answer in calls]
        assert statuses == ["OK"] * 8
        assert server.process.wait(20) == 0
    prove("SIGTERM with 8 calls in flight: 8 answered, later ones UNAVAILABLE, exit code 0")


@pytest.mark.usefixtures("heeding_hang_ups")
def test_sighup_shuts_the_model_server_down_with_exit_code_zero(tiny_volume: Path):
    with running(f"--models-dir={tiny_volume}") as server:
        server.process.send_signal(signal.SIGHUP)
        assert server.process.wait(20) == 0


def all_are_in_progress(server: Running, count: int) -> bool:
    """Whether the server has received this number of calls and not answered all of them."""
    text = httpx.get(server.metrics).text
    found = {
        kind: sum(float(value) for value in re.findall(pattern, text))
        for kind, pattern in {
            "in progress": r'requests_in_progress\{method="Predict"\} (\S+)',
            "answered": r'requests_total\{code="OK",method="Predict".*\} (\S+)',
        }.items()
    }
    return found["in progress"] > 0 and sum(found.values()) == count


def test_metrics_count_requests_batch_rows_and_loads_by_model_and_version(tiny_volume: Path):
    with running(f"--models-dir={tiny_volume}") as server:
        wait_until(lambda: available(server.address))
        assert server.predict(count=3).status == "OK"
        assert server.predict("nosuch").status == "NOT_FOUND"
        text = httpx.get(server.metrics).text
    prefix = "covidscan_model_server_"
    for line in (
        'requests_total{code="OK",method="Predict",model="vgg16",version="1"} 1.0',
        'requests_total{code="NOT_FOUND",method="Predict",model="",version=""} 1.0',
        'request_latency_seconds_count{method="Predict",model="vgg16",version="1"} 1.0',
        'batch_size_rows_sum{model="vgg16",version="1"} 3.0',
        'version_states_total{model="vgg16",state="AVAILABLE",version="1"} 1.0',
    ):
        assert prefix + line in text
    assert "nosuch" not in text, "clients cannot create labels"


def configuration(*entries: str) -> str:
    return f"model_config_list {{ {' '.join(entries)} }}"


def entry(name: str, base_path: Path, more: str = "") -> str:
    return (
        f'config {{ name: "{name}" base_path: "{base_path}" model_platform: "tensorflow" {more} }}'
    )


def test_a_changed_models_config_is_loaded_and_an_invalid_one_is_ignored(
    tiny_volume: Path, tmp_path: Path
):
    config = tmp_path / "models.config"

    def name(*names: str) -> None:
        config.write_text(configuration(*(entry(name, tiny_volume / name) for name in names)))

    name("vgg16")
    flags = (f"--model_config_file={config}", "--model_config_file_poll_wait_seconds=0.1")
    with running(*flags) as server:
        wait_until(lambda: available(server.address))
        name("vgg16", "resnet50")
        wait_until(lambda: available(server.address, "resnet50"))
        config.write_text("nonsense {")
        time.sleep(0.5)
        assert server.predict("resnet50").status == "OK"
        name("resnet50")
        wait_until(lambda: server.predict("vgg16").status == "NOT_FOUND")
        assert server.predict("resnet50").status == "OK"


def test_a_changed_models_config_is_retried_until_the_versions_of_its_labels_exist(
    tiny_volume: Path, tiny_saved_model: Path, tmp_path: Path
):
    config = tmp_path / "models.config"
    missing_path = Path("/nosuch/vgg16")
    config.write_text(configuration(entry("vgg16", missing_path)))
    flags = (f"--model_config_file={config}", "--model_config_file_poll_wait_seconds=0.1")
    with running(*flags, f"--models-dir={tiny_volume}") as server:
        wait_until(lambda: available(server.address))
        label = 'version_labels { key: "new" value: 2 }'
        config.write_text(configuration(entry("vgg16", missing_path, label)))
        time.sleep(0.5)
        by_label = PredictRequest.FromString(request_of("vgg16"))
        by_label.model_spec.version_label = "new"
        labelled_request = by_label.SerializeToString()
        assert call(server.address, protocol.PREDICT, labelled_request).status == "INVALID_ARGUMENT"
        shutil.copytree(tiny_saved_model, tiny_volume / ".draft")
        (tiny_volume / ".draft").rename(tiny_volume / "vgg16" / "2")
        wait_until(lambda: call(server.address, protocol.PREDICT, labelled_request).status == "OK")


def test_one_model_can_be_served_without_a_models_config(tiny_volume: Path):
    flags = ("--model_name=one", f"--model_base_path={tiny_volume / 'vgg16'}")
    with running(*flags) as server:
        wait_until(lambda: available(server.address))
        assert server.predict("one").status == "OK"


@pytest.mark.parametrize("client_verify", [False, True])
def test_tls_rejects_plaintext_and_with_client_verify_also_clients_without_a_certificate(
    tiny_volume: Path, certificates: Path, tmp_path: Path, client_verify: bool
):
    fields = {
        "server_key": (certificates / "server.key").read_text(),
        "server_cert": (certificates / "server.pem").read_text(),
        "custom_ca": (certificates / "ca.pem").read_text(),
    }
    ssl_config = tmp_path / "ssl.config"
    quoted = "\n".join(f'{key}: "{pem}"'.replace("\n", "\\n") for key, pem in fields.items())
    ssl_config.write_text(f"{quoted}\nclient_verify: {str(client_verify).lower()}")
    with running(f"--models-dir={tiny_volume}", f"--ssl_config_file={ssl_config}") as server:
        assert server.predict().status == "UNAVAILABLE", "an unencrypted call is not answered"
        settings = Settings(
            _env_file=None,
            model_server=server.address,
            models_dir=tiny_volume,
            model_server_ca_file=certificates / "ca.pem",
        )
        client_certificate = {
            "model_server_certificate_file": certificates / "client.pem",
            "model_server_key_file": certificates / "client.key",
        }
        with gateway(settings.model_copy(update=client_certificate)) as client:
            wait_until(lambda: client.get("/readyz?strict=true").status_code == 200)
        with gateway(settings) as client:
            if client_verify:
                assert client.get("/readyz").status_code == 503
            else:
                wait_until(lambda: client.get("/readyz?strict=true").status_code == 200)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--model_name=m"], "must be given together"),
        (["--batching_parameters_file=x"], "enable_batching to true"),
        (["--ssl_config_file=nosuch"], "nosuch cannot be read"),
        (["--enable_batching=true", "--batching_parameters_file=nosuch"], "nosuch cannot be read"),
        (["--max_num_load_retries=-1"], "max_num_load_retries"),
    ],
)
def test_bad_options_are_rejected_with_their_reason(arguments: list[str], reason: str):
    result = subprocess.run(
        [*COVIDSCAN, "model-server", *arguments], capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert reason in result.stderr


def test_a_port_in_use_exits_with_code_one_and_a_reason(tiny_volume: Path):
    with running(f"--models-dir={tiny_volume}") as server:
        port = server.address.rpartition(":")[2]
        result = subprocess.run(
            [*COVIDSCAN, "model-server", f"--port={port}", f"--models-dir={tiny_volume}"],
            capture_output=True,
            text=True,
            check=False,
        )
    assert result.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in result.stderr
