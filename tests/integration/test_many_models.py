"""Many models at once: the cost of a reload grows linearly with their number."""

from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2

from serving import protocol
from serving.embedded import repository
from serving.embedded.errors import CallError
from serving.embedded.options import ModelServerOptions
from serving.embedded.servable import Servable, ServableVersion
from serving.embedded.server import EmbeddedModelServer
from serving.protos.model_config_pb2 import ReloadConfigRequest
from serving.volume.model_config import MAX_MODELS, MODEL_PLATFORM, ModelConfig
from tests.conformance.recording import call
from tests.model_server_calls import health
from tests.servers import embedded_model_server

OPTIONS = ModelServerOptions(load_retries=0, poll_seconds=60)


def models(root: Path, count: int) -> list[ModelConfig]:
    """Models whose only version is an empty folder, which is rejected when it is loaded."""
    (root / "m" / "1").mkdir(parents=True, exist_ok=True)
    return [ModelConfig(f"m{number}", root / "m") for number in range(count)]


async def test_a_reload_looks_up_each_model_a_bounded_number_of_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    lookups = 0
    find = Servable.find

    def counted(self: Servable, number: int | None = None) -> ServableVersion | None:
        nonlocal lookups
        lookups += 1
        return find(self, number)

    monkeypatch.setattr(Servable, "find", counted)
    lookups_per_model = []
    async with EmbeddedModelServer([], "127.0.0.1:0", OPTIONS) as server:
        for count in (5, 200):
            await server.reload([])
            lookups = 0
            with pytest.raises(CallError, match=f"{count} model"):
                await server.reload(models(tmp_path, count))
            lookups_per_model.append(lookups / count)
    few, many = lookups_per_model
    assert many <= few + 1


async def test_only_the_most_recent_removed_models_are_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(repository, "MAX_MODELS", 3)
    async with EmbeddedModelServer([], "127.0.0.1:0", OPTIONS) as server:
        for config in models(tmp_path, 6):
            with pytest.raises(CallError):
                await server.reload([config])
        known = [f"m{n}" for n in range(6) if server._repository.versions(f"m{n}")]
    # The served model, and the last three removed ones.
    assert known == ["m2", "m3", "m4", "m5"]


@pytest.mark.parametrize(
    ("base_path", "count", "reason"),
    [
        ("/proc/self/fd", 1, "models cannot be in /proc"),
        ("//dev/fd", 1, "models cannot be in /proc"),
        ("models", 1, "to have an absolute path or URI"),
        ("/nosuch", MAX_MODELS + 1, f"more than the {MAX_MODELS} that can be served"),
    ],
)
def test_an_invalid_configuration_is_rejected_and_changes_nothing(
    tiny_volume: Path, base_path: str, count: int, reason: str
):
    request = ReloadConfigRequest()
    for number in range(count):
        request.config.model_config_list.config.add(
            name=f"m{number}", base_path=base_path, model_platform=MODEL_PLATFORM
        )
    served = [ModelConfig("vgg16", tiny_volume / "vgg16")]
    with embedded_model_server(served, OPTIONS) as address:
        outcome = call(address, protocol.HANDLE_RELOAD_CONFIG_REQUEST, request.SerializeToString())
        assert outcome.status == grpc.StatusCode.INVALID_ARGUMENT.name
        assert reason in outcome.message
        assert health(address, "vgg16") in health_pb2.HealthCheckResponse.ServingStatus.values()


async def test_a_symbolic_link_to_proc_has_no_versions(tmp_path: Path):
    (tmp_path / "m").symlink_to("/proc/self/fd")
    async with EmbeddedModelServer([], "127.0.0.1:0", OPTIONS) as server:
        await server.reload([ModelConfig("m", tmp_path / "m")])
        assert not server._repository.versions("m")
