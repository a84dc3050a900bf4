"""The gateway and the model server in Kubernetes: settings, flags, probes and shutdown."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from api.http.access.open_paths import OPEN_PATHS
from api.settings import Settings
from covidscan.service.http.server import grace_seconds
from tests.kubernetes.manifests import FOLDER, Manifests, build_command, pod_of

GRPC_RESOLUTION_SECONDS = 30
"""The minimum time between two DNS queries of gRPC for a name."""
DNS_TTL_SECONDS = 5
"""The time to live in the answers of the DNS of the cluster."""


def environment(container: dict[str, Any]) -> dict[str, str]:
    return {variable["name"]: variable["value"] for variable in container["env"]}


def parse_flags(arguments: list[str]) -> dict[str, str]:
    pairs = [flag.removeprefix("--").partition("=") for flag in arguments]
    return {name: value for name, _, value in pairs}


@pytest.fixture
def gateway_environment(
    main_containers: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    found = environment(main_containers["gateway"])
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    return found


@pytest.mark.usefixtures("gateway_environment")
def test_the_settings_of_the_gateway_match_the_cluster(
    base: Manifests, main_containers: dict[str, dict[str, Any]]
):
    settings = Settings(_env_file=None)
    service = base.get("Service", "covidscan-model-server")
    (grpc,) = [port for port in service["spec"]["ports"] if port["name"] == "grpc"]
    assert settings.model_server == f"dns:///{service['metadata']['name']}:{grpc['port']}"
    assert settings.host == "0.0.0.0"
    gateway = main_containers["gateway"]
    assert gateway["ports"] == [{"name": "http", "containerPort": settings.port}]
    paths = {mount["mountPath"] for mount in gateway["volumeMounts"]}
    assert {str(settings.models_dir), str(settings.api_keys_file.parent)} <= paths


@pytest.mark.usefixtures("gateway_environment")
def test_the_gateway_does_not_start_without_api_keys(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("COVIDSCAN_API_KEYS_FILE")
    with pytest.raises(ValidationError, match="API keys are required"):
        Settings(_env_file=None)


def test_the_api_keys_come_from_the_secret_that_the_docs_create(
    base: Manifests, root: Path, gateway_environment: dict[str, str]
):
    volumes = {volume["name"]: volume for volume in base.pods()["gateway"]["volumes"]}
    secret = volumes["keys"]["secret"]
    assert secret["defaultMode"] == 0o440
    key = Path(gateway_environment["COVIDSCAN_API_KEYS_FILE"]).name
    command = f"create secret generic {secret['secretName']} --from-file={key}"
    assert command in (root / "docs" / "kubernetes.md").read_text()


def test_max_groups_is_the_default_times_the_replicas_of_the_model_server(
    base: Manifests, gateway_environment: dict[str, str]
):
    replicas = base.get("HorizontalPodAutoscaler", "covidscan-model-server")["spec"]["minReplicas"]
    per_replica = Settings.model_fields["max_groups"].default
    assert int(gateway_environment["COVIDSCAN_MAX_GROUPS"]) == per_replica * replicas


def test_the_probes_of_the_gateway_use_open_paths(main_containers: dict[str, dict[str, Any]]):
    gateway = main_containers["gateway"]
    paths = {
        name: gateway[name]["httpGet"]["path"]
        for name in ("startupProbe", "readinessProbe", "livenessProbe")
    }
    assert paths == {
        "startupProbe": "/healthz",
        "readinessProbe": "/readyz",
        "livenessProbe": "/healthz",
    }
    assert set(paths.values()) <= OPEN_PATHS
    assert {gateway[name]["httpGet"]["port"] for name in paths} == {"http"}


def test_the_readiness_probe_waits_longer_than_the_status_timeout(
    main_containers: dict[str, dict[str, Any]],
):
    probe = main_containers["gateway"]["readinessProbe"]
    assert probe["timeoutSeconds"] > Settings(_env_file=None).status_timeout_seconds


def test_the_termination_grace_period_lets_the_gateway_answer_pending_requests(
    base: Manifests, main_containers: dict[str, dict[str, Any]], services: dict[str, Any]
):
    pause = main_containers["gateway"]["lifecycle"]["preStop"]["sleep"]["seconds"]
    left = base.pods()["gateway"]["terminationGracePeriodSeconds"] - pause
    assert left > grace_seconds(Settings(_env_file=None)) + 2
    assert f"{left}s" == services["api"]["stop_grace_period"]


def test_the_model_server_has_the_flags_of_compose(
    main_containers: dict[str, dict[str, Any]], flags: dict[str, str]
):
    found = parse_flags(main_containers["model-server"]["args"])
    assert found == flags | {"grpc_channel_arguments": found["grpc_channel_arguments"]}


def test_the_ports_and_probes_of_the_model_server_match_its_flags(
    main_containers: dict[str, dict[str, Any]],
):
    container = main_containers["model-server"]
    parsed = parse_flags(container["args"])
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"grpc": int(parsed["port"]), "metrics": int(parsed["rest_api_port"])}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["tcpSocket"] == {"port": "grpc"}


def test_a_stopping_model_server_outlives_the_connections_of_its_clients(
    base: Manifests, main_containers: dict[str, dict[str, Any]]
):
    container = main_containers["model-server"]
    arguments = dict(
        pair.split("=")
        for pair in parse_flags(container["args"])["grpc_channel_arguments"].split(",")
    )
    oldest_connection = 1.1 * int(arguments["grpc.max_connection_age_ms"]) / 1000
    pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pause > oldest_connection + GRPC_RESOLUTION_SECONDS + DNS_TTL_SECONDS
    left = base.pods()["model-server"]["terminationGracePeriodSeconds"] - pause
    assert left > Settings(_env_file=None).model_timeout_seconds


def test_the_model_server_has_at_most_two_malloc_arenas(main_containers: dict[str, dict[str, Any]]):
    assert environment(main_containers["model-server"])["MALLOC_ARENA_MAX"] == "2"


def test_the_model_server_has_the_config_files_of_the_repository(
    base: Manifests, main_containers: dict[str, dict[str, Any]], root: Path
):
    kustomization = yaml.safe_load((FOLDER / "base" / "kustomization.yaml").read_text())
    (generated,) = kustomization["configMapGenerator"]
    names = {Path(file).name for file in generated["files"]}
    parsed = parse_flags(main_containers["model-server"]["args"])
    files = {Path(value) for name, value in parsed.items() if name.endswith("_file")}
    assert files == {Path("/config") / name for name in names}
    originals = {"models.config": root} | dict.fromkeys(
        ("batching.config", "monitoring.config"), root / "serving" / "config"
    )
    for file in generated["files"]:
        copy = FOLDER / "base" / file
        assert copy.read_bytes() == (originals[copy.name] / copy.name).read_bytes()
    volumes = {volume["name"]: volume for volume in base.pods()["model-server"]["volumes"]}
    assert volumes["config"]["configMap"]["name"] == generated["name"]


@pytest.mark.skipif(build_command() is None, reason="neither kubectl nor kustomize is installed")
def test_a_changed_config_file_starts_new_model_servers():
    rendered = Manifests.render(FOLDER / "base")
    (config_map,) = rendered.of_kind("ConfigMap")
    name = config_map["metadata"]["name"]
    assert re.fullmatch(r"covidscan-model-server-[a-z0-9]{10}", name)
    deployment = rendered.get("Deployment", "covidscan-model-server")
    volumes = {volume["name"]: volume for volume in pod_of(deployment)["volumes"]}
    assert volumes["config"]["configMap"]["name"] == name
