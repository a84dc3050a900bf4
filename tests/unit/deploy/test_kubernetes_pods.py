"""The pods of ``deploy/kubernetes``, held against the images, Compose and the settings."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from api.http.access.open_paths import OPEN_PATHS
from api.settings import Settings
from covidscan.service.http_server import grace_seconds
from tests.kubernetes.manifests import FOLDER, Manifests, build_command, pod_of
from tests.kubernetes.schema import document_faults, pod_faults

COMPONENTS = {"trainer": "trainer", "model-server": "model-server", "gateway": "api"}
"""Each component's service in Compose."""

GRPC_RESOLUTION_SECONDS = 30
"""gRPC's pause between two look-ups of a name."""
DNS_TTL_SECONDS = 5
"""That the cluster's name server gives."""


@pytest.fixture(scope="module")
def base() -> Manifests:
    return Manifests.read(FOLDER / "base")


@pytest.fixture(params=COMPONENTS)
def component(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def pod(base: Manifests, component: str) -> dict[str, Any]:
    return base.pods()[component]


def containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod.get("initContainers", []), *pod["containers"]]


def main_container(base: Manifests, component: str) -> dict[str, Any]:
    (container,) = base.pods()[component]["containers"]
    return container


def environment(container: dict[str, Any]) -> dict[str, str]:
    return {variable["name"]: variable["value"] for variable in container["env"]}


def flags(arguments: list[str]) -> dict[str, str]:
    pairs = [flag.removeprefix("--").partition("=") for flag in arguments]
    return {name: value for name, _, value in pairs}


def gibibytes(amount: str) -> float:
    number, unit = re.fullmatch(r"(\d+)(Gi|Mi|g|m)", amount).groups()
    return int(number) / (1 if unit in ("Gi", "g") else 1024)


def test_there_is_a_pod_for_each_service_of_compose(
    base: Manifests, services: dict[str, dict[str, Any]]
):
    assert set(base.pods()) == set(COMPONENTS)
    assert set(COMPONENTS.values()) == set(services)


def test_it_keeps_to_the_schema(base: Manifests):
    assert [fault for document in base.documents for fault in document_faults(document)] == []


def test_the_schema_rejects_what_it_does_not_know(base: Manifests):
    pod = dict(base.pods()["gateway"], enableServiceLink=False)
    assert any("enableServiceLink" in fault for fault in pod_faults(pod))


def test_it_has_no_more_rights_than_it_needs(pod: dict[str, Any], services: dict[str, Any]):
    (user,) = {service["user"] for service in services.values()}
    uid, gid = map(int, user.split(":"))
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": uid,
        "runAsGroup": gid,
        "fsGroup": gid,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert pod["automountServiceAccountToken"] is False
    for container in containers(pod):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_the_images_have_that_user(root: Path, services: dict[str, Any]):
    for name in ("Dockerfile.api", "Dockerfile.trainer"):
        (user,) = re.findall(r"^USER (.+)$", (root / name).read_text(), re.MULTILINE)
        assert user == services["trainer"]["user"]


def test_no_service_sets_its_variables(pod: dict[str, Any]):
    assert pod["enableServiceLinks"] is False


def test_sigterm_arrives(pod: dict[str, Any]):
    """In a shared process namespace no container is process 1, which ignores SIGTERM."""
    assert pod["shareProcessNamespace"] is True


def test_it_runs_the_image_and_the_command_of_compose(
    base: Manifests, component: str, compose: dict[str, Any], project: dict[str, Any]
):
    container = main_container(base, component)
    service = compose["services"][COMPONENTS[component]]
    built = f"{compose['name']}-{COMPONENTS[component]}" if "build" in service else None
    assert container["image"] == (built or service["image"])
    command = service.get("entrypoint", service["command"])
    if command[:2] == ["bash", "-c"]:
        # It looks at files of the host first, which there are none of here.
        command = re.findall(r"^exec (\S+)", command[2], re.MULTILINE)
    assert container["command"] == command
    if built:
        kustomization = yaml.safe_load((FOLDER / "base" / "kustomization.yaml").read_text())
        tags = {image["name"]: image["newTag"] for image in kustomization["images"]}
        assert tags[built] == project["project"]["version"]


def test_it_has_the_memory_that_it_has_in_compose(
    base: Manifests, component: str, services: dict[str, Any]
):
    resources = main_container(base, component)["resources"]
    limit = services[COMPONENTS[component]]["deploy"]["resources"]["limits"]["memory"]
    assert gibibytes(resources["limits"]["memory"]) >= gibibytes(limit)
    assert set(resources["requests"]) == {"cpu", "memory"}


def test_every_mount_has_a_volume_and_every_volume_a_mount(base: Manifests, pod: dict[str, Any]):
    mounted = {
        mount["name"] for container in containers(pod) for mount in container["volumeMounts"]
    }
    assert mounted == {volume["name"] for volume in pod["volumes"]}
    claims = {claim["metadata"]["name"] for claim in base.of_kind("PersistentVolumeClaim")}
    for volume in pod["volumes"]:
        if "persistentVolumeClaim" in volume:
            assert volume["persistentVolumeClaim"]["claimName"] in claims
        if "emptyDir" in volume:
            assert "sizeLimit" in volume["emptyDir"]


def test_it_can_write_to_tmp_and_only_the_trainer_to_the_models(
    component: str, pod: dict[str, Any]
):
    (container,) = pod["containers"]
    read_only = {
        mount["mountPath"]: mount.get("readOnly", False) for mount in container["volumeMounts"]
    }
    assert not read_only["/tmp"]  # noqa: S108
    assert read_only["/models"] is (component != "trainer")


def test_every_variable_is_a_setting(component: str, pod: dict[str, Any]):
    names = {variable["name"] for variable in pod["containers"][0].get("env", [])}
    settings = {f"COVIDSCAN_{name.upper()}" for name in Settings.model_fields}
    assert names - settings == ({"MALLOC_ARENA_MAX"} if component == "model-server" else set())


def test_every_variable_that_is_named_anywhere_is_a_setting():
    settings = {f"COVIDSCAN_{name.upper()}" for name in Settings.model_fields}
    for file in FOLDER.rglob("*.yaml"):
        assert set(re.findall(r"COVIDSCAN_[A-Z_]+", file.read_text())) <= settings, file


@pytest.fixture
def gateway_environment(base: Manifests, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    found = environment(main_container(base, "gateway"))
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    return found


@pytest.mark.usefixtures("gateway_environment")
def test_the_gateway_s_settings_fit_the_cluster(base: Manifests):
    settings = Settings(_env_file=None)
    service = base.get("Service", "covidscan-model-server")
    (grpc,) = [port for port in service["spec"]["ports"] if port["name"] == "grpc"]
    assert settings.model_server == f"dns:///{service['metadata']['name']}:{grpc['port']}"
    assert settings.host == "0.0.0.0"
    gateway = main_container(base, "gateway")
    assert gateway["ports"] == [{"name": "http", "containerPort": settings.port}]
    paths = {mount["mountPath"] for mount in gateway["volumeMounts"]}
    assert {str(settings.models_dir), str(settings.api_keys_file.parent)} <= paths


@pytest.mark.usefixtures("gateway_environment")
def test_the_gateway_does_not_start_without_keys(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("COVIDSCAN_API_KEYS_FILE")
    with pytest.raises(ValidationError, match="API keys are required"):
        Settings(_env_file=None)


def test_the_keys_come_from_the_secret_that_the_docs_create(
    base: Manifests, root: Path, gateway_environment: dict[str, str]
):
    volumes = {volume["name"]: volume for volume in base.pods()["gateway"]["volumes"]}
    secret = volumes["keys"]["secret"]
    assert secret["defaultMode"] == 0o440
    key = Path(gateway_environment["COVIDSCAN_API_KEYS_FILE"]).name
    command = f"create secret generic {secret['secretName']} --from-file={key}"
    assert command in (root / "docs" / "kubernetes.md").read_text()


def test_the_gateway_asks_as_many_groups_as_there_are_model_servers_for(
    base: Manifests, gateway_environment: dict[str, str]
):
    replicas = base.get("HorizontalPodAutoscaler", "covidscan-model-server")["spec"]["minReplicas"]
    per_replica = Settings.model_fields["max_groups"].default
    assert int(gateway_environment["COVIDSCAN_MAX_GROUPS"]) == per_replica * replicas


def test_the_gateway_s_probes_are_open_paths(base: Manifests):
    gateway = main_container(base, "gateway")
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


def test_readiness_may_take_as_long_as_the_question_behind_it(base: Manifests):
    probe = main_container(base, "gateway")["readinessProbe"]
    assert probe["timeoutSeconds"] > Settings(_env_file=None).status_timeout_seconds


def test_the_gateway_has_the_time_to_answer_what_it_has(base: Manifests, services: dict[str, Any]):
    pause = main_container(base, "gateway")["lifecycle"]["preStop"]["sleep"]["seconds"]
    left = base.pods()["gateway"]["terminationGracePeriodSeconds"] - pause
    assert left > grace_seconds(Settings(_env_file=None)) + 2
    assert f"{left}s" == services["api"]["stop_grace_period"]


def test_the_model_server_has_the_flags_of_compose(base: Manifests, flags_of_compose: dict):
    found = flags(main_container(base, "model-server")["args"])
    assert found == flags_of_compose | {"grpc_channel_arguments": found["grpc_channel_arguments"]}


@pytest.fixture
def flags_of_compose(model_server: dict[str, Any]) -> dict[str, str]:
    return flags(model_server["command"])


def test_the_model_server_s_ports_and_probes_are_those_of_its_flags(base: Manifests):
    container = main_container(base, "model-server")
    given = flags(container["args"])
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"grpc": int(given["port"]), "metrics": int(given["rest_api_port"])}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["tcpSocket"] == {"port": "grpc"}


def test_a_model_server_that_ends_has_no_more_callers(base: Manifests):
    container = main_container(base, "model-server")
    arguments = dict(
        pair.split("=") for pair in flags(container["args"])["grpc_channel_arguments"].split(",")
    )
    oldest_connection = 1.1 * int(arguments["grpc.max_connection_age_ms"]) / 1000
    pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pause > oldest_connection + GRPC_RESOLUTION_SECONDS + DNS_TTL_SECONDS
    left = base.pods()["model-server"]["terminationGracePeriodSeconds"] - pause
    assert left > Settings(_env_file=None).model_timeout_seconds


def test_the_model_server_s_memory_is_bounded(base: Manifests):
    assert environment(main_container(base, "model-server"))["MALLOC_ARENA_MAX"] == "2"


def test_the_model_server_has_the_config_files_of_the_repository(base: Manifests, root: Path):
    kustomization = yaml.safe_load((FOLDER / "base" / "kustomization.yaml").read_text())
    (generated,) = kustomization["configMapGenerator"]
    names = {Path(file).name for file in generated["files"]}
    given = flags(main_container(base, "model-server")["args"])
    wanted = {Path(value) for name, value in given.items() if name.endswith("_file")}
    assert wanted == {Path("/config") / name for name in names}
    originals = {"models.config": root} | dict.fromkeys(
        ("batching.config", "monitoring.config"), root / "serving" / "config"
    )
    for file in generated["files"]:
        copy = FOLDER / "base" / file
        assert copy.read_bytes() == (originals[copy.name] / copy.name).read_bytes()
    volumes = {volume["name"]: volume for volume in base.pods()["model-server"]["volumes"]}
    assert volumes["config"]["configMap"]["name"] == generated["name"]


@pytest.mark.skipif(build_command() is None, reason="neither kubectl nor kustomize is here")
def test_a_change_of_a_config_file_starts_new_model_servers():
    rendered = Manifests.render(FOLDER / "base")
    (config_map,) = rendered.of_kind("ConfigMap")
    name = config_map["metadata"]["name"]
    assert re.fullmatch(r"covidscan-model-server-[a-z0-9]{10}", name)
    deployment = rendered.get("Deployment", "covidscan-model-server")
    volumes = {volume["name"]: volume for volume in pod_of(deployment)["volumes"]}
    assert volumes["config"]["configMap"]["name"] == name
