"""``docker-compose.yml``: dependencies, networks, volumes, security and model server flags."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from api.settings import Settings
from covidscan.command_line.channel_arguments import BOUNDED_AGE, parse_channel_arguments
from covidscan.health.gateway_check import DEFAULT_TIMEOUT_SECONDS
from covidscan.service.http.server import grace_seconds
from serving.contract import MODEL_NAMES

LONG_RUNNING = ("model-server", "api")
ALL = ("trainer", *LONG_RUNNING)

TENSORFLOW_SERVING_FLAGS = {
    "port",
    "rest_api_port",
    "model_config_file",
    "monitoring_config_file",
    "enable_batching",
    "batching_parameters_file",
    "grpc_channel_arguments",
    "grpc_max_threads",
    "num_load_threads",
    "max_num_load_retries",
    "load_retry_interval_micros",
    "file_system_poll_wait_seconds",
}
"""Spelled as in the source of TensorFlow Serving, which ignores unknown flags."""


def mounts(service: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The mounts of a service by target, with the short syntax expanded."""
    found = {}
    for mount in service["volumes"]:
        if isinstance(mount, dict):
            found[mount["target"]] = mount
        else:
            source, target, *mode = mount.split(":")
            found[target] = {"source": source, "read_only": mode == ["ro"]}
    return found


def test_a_service_starts_after_the_service_that_it_depends_on(services: dict[str, Any]):
    needs = {name: service.get("depends_on") for name, service in services.items()}
    assert needs == {
        "trainer": None,
        "model-server": {"trainer": {"condition": "service_completed_successfully"}},
        "api": {"model-server": {"condition": "service_healthy"}},
    }


def test_the_trainer_only_trains_missing_models_and_is_not_restarted(services: dict[str, Any]):
    assert services["trainer"]["command"] == ["covidscan", "demo", "--if-missing"]
    assert services["trainer"]["restart"] == "no"


@pytest.mark.parametrize("name", LONG_RUNNING)
def test_long_running_services_restart_after_a_crash(services: dict[str, Any], name: str):
    assert services[name]["restart"] == "unless-stopped"


def test_only_the_gateway_is_published_and_by_default_on_loopback(services: dict[str, Any]):
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {"api": ["${COVIDSCAN_PUBLISH:-127.0.0.1:8000}:8000"]}


def test_only_the_gateway_reaches_the_model_server(compose: dict[str, Any]):
    network = "model-server"
    members = {
        name
        for name, service in compose["services"].items()
        if network in service.get("networks", [])
    }
    assert members == {"model-server", "api"}
    assert compose["services"]["model-server"]["networks"] == [network]
    assert compose["networks"][network]["internal"] is True


def test_only_the_trainer_writes_to_the_volume(services: dict[str, Any]):
    writers = {
        name
        for name, service in services.items()
        if not mounts(service)["/models"].get("read_only", False)
    }
    assert writers == {"trainer"}
    assert {mounts(service)["/models"]["source"] for service in services.values()} == {"models"}


@pytest.mark.parametrize("name", LONG_RUNNING)
def test_only_the_trainer_image_initialises_an_empty_volume(services: dict[str, Any], name: str):
    assert mounts(services[name])["/models"]["volume"] == {"nocopy": True}
    assert "volume" not in mounts(services["trainer"])["/models"]


@pytest.mark.parametrize("name", ALL)
def test_a_service_runs_unprivileged_and_read_only_with_a_memory_limit(
    services: dict[str, Any], name: str
):
    service = services[name]
    user, group = service["user"].split(":")
    assert int(user) > 0
    assert int(group) > 0
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["deploy"]["resources"]["limits"]["memory"].endswith("g")


@pytest.mark.parametrize("name", ALL)
def test_a_service_has_an_init_process_that_forwards_sigterm(services: dict[str, Any], name: str):
    assert services[name]["init"] is True


@pytest.fixture
def start_model_server(
    model_server: dict[str, Any], root: Path, tmp_path: Path
) -> Callable[[], subprocess.CompletedProcess[str]]:
    """Runs the entry point of the model server with `config/` and `models/` in `tmp_path`."""
    bash, option, script, name = model_server["entrypoint"]
    assert name == "tensorflow_model_server"
    config, models = tmp_path / "config", tmp_path / "models"
    config.mkdir()
    text = (root / "models.config").read_text()
    (config / "models.config").write_text(text.replace('"/models/', f'"{models}/'))
    models.mkdir()
    server = tmp_path / "tensorflow_model_server"
    server.write_text('#!/bin/sh\necho started "$@"\n')
    server.chmod(0o755)
    local_script = script.replace("$$", "$").replace("/config/", f"{config}/")

    def start() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [bash, option, local_script, name, "--port=1"],
            capture_output=True,
            text=True,
            env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
            check=False,
        )

    return start


def test_the_entry_point_starts_the_server_and_warns_about_a_model_without_a_version(
    start_model_server: Callable[[], subprocess.CompletedProcess[str]], tmp_path: Path
):
    for name in MODEL_NAMES[1:]:
        (tmp_path / "models" / name / "1").mkdir(parents=True)
    result = start_model_server()
    assert (result.returncode, result.stdout) == (0, "started --port=1\n")
    missing = [line for line in result.stderr.splitlines() if "no version of a model" in line]
    assert len(missing) == 1
    assert f"/models/{MODEL_NAMES[0]}," in missing[0]
    assert "docker compose up trainer" in missing[0]
    (tmp_path / "models" / MODEL_NAMES[0] / "12").mkdir(parents=True)
    assert start_model_server().stderr == ""


def test_an_unreadable_config_file_stops_the_entry_point_with_a_remedy(
    start_model_server: Callable[[], subprocess.CompletedProcess[str]], tmp_path: Path
):
    # A dangling link, because root can read every file.
    (tmp_path / "config" / "batching.config").symlink_to(tmp_path / "nowhere")
    result = start_model_server()
    assert (result.returncode, result.stdout) == (1, "")
    assert "cannot read" in result.stderr
    assert "chmod -R go+rX models.config serving/config" in result.stderr


def test_the_model_server_has_at_most_two_malloc_arenas(model_server: dict[str, Any]):
    # With more arenas the heap grows with each published version.
    assert model_server["environment"] == {"MALLOC_ARENA_MAX": "2"}


def test_tensorflow_serving_knows_every_flag(flags: dict[str, str]):
    assert set(flags) <= TENSORFLOW_SERVING_FLAGS


def test_grpc_max_threads_allows_a_burst_of_calls_on_a_small_machine(flags: dict[str, str]):
    # Recording grpc_burst_64_concurrent_default_threads: 57 of 64 calls were rejected.
    assert int(flags["grpc_max_threads"]) >= 100


def test_connections_have_a_maximum_age_so_that_new_replicas_get_calls(flags: dict[str, str]):
    arguments = parse_channel_arguments(flags["grpc_channel_arguments"])
    assert arguments == parse_channel_arguments(BOUNDED_AGE)
    grace_ms = arguments["grpc.max_connection_age_grace_ms"]
    assert isinstance(grace_ms, int)
    assert grace_ms > 1000 * Settings(_env_file=None).request_timeout_seconds


def test_a_broken_version_does_not_block_the_loading_of_others(flags: dict[str, str]):
    # Recording life_load_threads2_broken; by default a broken version blocks all models for 301 s.
    assert int(flags["num_load_threads"]) >= 2
    assert int(flags["max_num_load_retries"]) <= 1
    assert int(flags["load_retry_interval_micros"]) <= 5_000_000


def test_the_model_server_polls_for_new_versions(flags: dict[str, str]):
    assert int(flags["file_system_poll_wait_seconds"]) >= 1


def test_batching_is_both_enabled_and_configured(flags: dict[str, str]):
    # Recording startup_batching_file_without_enable: the server exits.
    assert flags["enable_batching"] == "true"
    assert "batching_parameters_file" in flags


def test_metrics_have_their_own_port(flags: dict[str, str]):
    assert "monitoring_config_file" in flags
    assert flags["rest_api_port"] not in ("0", flags["port"])


def test_every_config_file_is_mounted_read_only_from_the_repository(
    model_server: dict[str, Any], flags: dict[str, str], root: Path
):
    files = {path for name, path in flags.items() if name.endswith("_file")}
    found = mounts(model_server)
    assert files == set(found) - {"/models"}
    for target in files:
        assert found[target]["read_only"]
        assert (root / found[target]["source"]).is_file()


def test_the_model_server_is_healthy_once_its_grpc_port_is_open(
    model_server: dict[str, Any], flags: dict[str, str]
):
    assert model_server["healthcheck"]["test"] == [
        "CMD",
        "bash",
        "-c",
        f"</dev/tcp/127.0.0.1/{flags['port']}",
    ]


def test_the_settings_of_the_gateway_match_the_other_services(
    services: dict[str, Any], flags: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    published = {"COVIDSCAN_PUBLISH": "127.0.0.1:8000"}
    for name, value in services["api"]["environment"].items():
        monkeypatch.setenv(name, published.get(name, value))
    settings = Settings(_env_file=None)
    assert settings.model_server == f"model-server:{flags['port']}"
    assert settings.host == "0.0.0.0"
    assert str(settings.models_dir) in mounts(services["api"])
    assert services["api"]["ports"][0].endswith(f":{settings.port}")


def test_a_gateway_published_to_other_machines_requires_api_keys(
    services: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    environment = services["api"]["environment"]
    assert environment["COVIDSCAN_PUBLISH"] == "${COVIDSCAN_PUBLISH:-127.0.0.1:8000}"
    for name, value in (environment | {"COVIDSCAN_PUBLISH": "0.0.0.0:8000"}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match="API keys are required"):
        Settings(_env_file=None)


def test_compose_and_the_image_run_covidscan_health(services: dict[str, Any], root: Path):
    healthcheck = services["api"]["healthcheck"]
    assert healthcheck["test"] == ["CMD", "covidscan", "health"]
    timeout = healthcheck["timeout"]
    assert int(timeout.removesuffix("s")) > 2 * DEFAULT_TIMEOUT_SECONDS
    (instruction,) = re.findall(
        r"^HEALTHCHECK (.+) CMD (.+)$", (root / "Dockerfile.api").read_text(), re.MULTILINE
    )
    options, command = instruction
    assert command == '["covidscan", "health"]'
    assert options == (
        f"--interval={healthcheck['interval']} --timeout={timeout}"
        f" --start-period={healthcheck['start_period']}"
    )


def test_the_audit_trail_has_a_volume_at_a_folder_that_the_image_creates(root: Path):
    override = yaml.safe_load((root / "docker-compose.audit.yml").read_text())
    assert set(override["services"]) == {"api"}
    (mount,) = override["services"]["api"]["volumes"]
    source, folder = mount.split(":")
    assert source in override["volumes"]
    file = Path(override["services"]["api"]["environment"]["COVIDSCAN_AUDIT_FILE"])
    assert file.parent == Path(folder)
    dockerfile = (root / "Dockerfile.api").read_text()
    assert f"install --directory --owner covidscan --group covidscan --mode 700 {folder}" in (
        dockerfile
    )


def test_the_stop_grace_period_lets_the_gateway_answer_pending_requests(services: dict[str, Any]):
    (seconds,) = re.fullmatch(r"(\d+)s", services["api"]["stop_grace_period"]).groups()
    assert int(seconds) > grace_seconds(Settings(_env_file=None)) + 2
