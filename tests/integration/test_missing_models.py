"""The gateway while some or all models are missing or late."""

import shutil
from pathlib import Path

from api.settings import Settings
from serving.contract import MODEL_NAMES
from tests.integration.conftest import READY, gateway, states
from tests.integration.responses import assert_problem, post_file
from tests.servers import model_server
from tests.service_process import wait_until


def test_a_prediction_without_one_model_is_degraded_and_names_that_model(
    tiny_volume: Path, phantom_png: bytes
):
    shutil.rmtree(tiny_volume / "resnet50")
    with (
        model_server(tiny_volume) as address,
        gateway(Settings(_env_file=None, model_server=address)) as client,
    ):
        wait_until(lambda: states(client) == {**READY, "resnet50": "not_available"})
        assert client.get("/readyz").status_code == 200
        assert client.get("/readyz?strict=true").status_code == 503
        answer = post_file(client, phantom_png).json()
    assert answer["degraded"] is True
    assert answer["agreement"]["answered"] == 2
    missing = answer["models"][1]
    assert (missing["name"], missing["status"]) == ("resnet50", "not_available")
    assert missing["prediction"] is missing["probabilities"] is missing["version"] is None


def test_too_few_models_for_the_quorum_are_answered_503(tiny_volume: Path, phantom_png: bytes):
    shutil.rmtree(tiny_volume / "resnet50")
    with (
        model_server(tiny_volume) as address,
        gateway(Settings(_env_file=None, model_server=address, quorum=3)) as client,
    ):
        wait_until(lambda: states(client) == {**READY, "resnet50": "not_available"})
        assert client.get("/readyz").status_code == 503
        response = post_file(client, phantom_png)
    assert "resnet50: not_available" in assert_problem(response, 503, "models-unavailable").detail
    assert int(response.headers["retry-after"]) > 0


def test_a_gateway_without_a_model_server_is_alive_but_not_ready(phantom_png: bytes):
    with gateway(Settings(_env_file=None, model_server="127.0.0.1:1")) as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        ready = client.get("/readyz")
        assert ready.status_code == 503
        unreachable = dict.fromkeys(MODEL_NAMES, "unreachable")
        assert ready.json() == {"ready": False, "models": unreachable, "training": None}
        assert_problem(post_file(client, phantom_png), 503, "models-unavailable")
        assert {m["status"] for m in client.get("/models").json()["models"]} == {"unreachable"}


def test_a_request_is_answered_504_if_all_models_exceed_their_timeout(
    tiny_volume: Path, phantom_png: bytes
):
    with model_server(tiny_volume) as address:
        late = Settings(_env_file=None, model_server=address, model_timeout_seconds=1e-6)
        with gateway(late) as client:
            # The error of a model that is not loaded yet may arrive within the timeout.
            wait_until(lambda: client.get("/readyz?strict=true").status_code == 200)
            response = post_file(client, phantom_png)
    assert_problem(response, 504, "models-timeout")
    assert int(response.headers["retry-after"]) > 0
