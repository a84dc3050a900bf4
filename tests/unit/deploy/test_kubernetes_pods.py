"""Every pod in ``deploy/kubernetes``: security, image, memory, volumes and variables."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.settings import Settings
from tests.kubernetes.manifests import FOLDER, Manifests
from tests.kubernetes.schema import document_faults, pod_faults

COMPONENTS = {"trainer": "trainer", "model-server": "model-server", "gateway": "api"}
"""The Compose service of each component."""


@pytest.fixture(params=COMPONENTS)
def component(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def pod(base: Manifests, component: str) -> dict[str, Any]:
    return base.pods()[component]


def containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod.get("initContainers", []), *pod["containers"]]


def gibibytes(amount: str) -> float:
    number, unit = re.fullmatch(r"(\d+)(Gi|Mi|g|m)", amount).groups()
    return int(number) / (1 if unit in ("Gi", "g") else 1024)


def test_every_compose_service_has_a_pod(base: Manifests, services: dict[str, dict[str, Any]]):
    assert set(base.pods()) == set(COMPONENTS)
    assert set(COMPONENTS.values()) == set(services)


def test_every_document_matches_the_schema(base: Manifests):
    assert [fault for document in base.documents for fault in document_faults(document)] == []


def test_the_schema_rejects_an_unknown_field(base: Manifests):
    pod = dict(base.pods()["gateway"], enableServiceLink=False)
    assert any("enableServiceLink" in fault for fault in pod_faults(pod))


def test_a_pod_runs_unprivileged_with_a_read_only_root_file_system(
    pod: dict[str, Any], services: dict[str, Any]
):
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


def test_the_images_have_the_user_of_the_pods(root: Path, services: dict[str, Any]):
    for name in ("Dockerfile.api", "Dockerfile.trainer"):
        (user,) = re.findall(r"^USER (.+)$", (root / name).read_text(), re.MULTILINE)
        assert user == services["trainer"]["user"]


def test_service_links_are_disabled(pod: dict[str, Any]):
    assert pod["enableServiceLinks"] is False


def test_a_pod_shares_its_process_namespace_so_that_sigterm_works(pod: dict[str, Any]):
    """Process 1 ignores SIGTERM; in a shared process namespace no container is process 1."""
    assert pod["shareProcessNamespace"] is True


def test_a_pod_runs_the_image_and_the_command_of_compose(
    main_containers: dict[str, dict[str, Any]],
    component: str,
    compose: dict[str, Any],
    project: dict[str, Any],
):
    container = main_containers[component]
    service = compose["services"][COMPONENTS[component]]
    built = f"{compose['name']}-{COMPONENTS[component]}" if "build" in service else None
    assert container["image"] == (built or service["image"])
    command = service.get("entrypoint", service["command"])
    if command[:2] == ["bash", "-c"]:
        # The entry point in Compose first checks files of the host; a pod has none.
        command = re.findall(r"^exec (\S+)", command[2], re.MULTILINE)
    assert container["command"] == command
    if built:
        kustomization = yaml.safe_load((FOLDER / "base" / "kustomization.yaml").read_text())
        tags = {image["name"]: image["newTag"] for image in kustomization["images"]}
        assert tags[built] == project["project"]["version"]


def test_a_pod_has_at_least_the_memory_of_its_compose_service(
    main_containers: dict[str, dict[str, Any]], component: str, services: dict[str, Any]
):
    resources = main_containers[component]["resources"]
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


def test_every_pod_can_write_to_tmp_but_only_the_trainer_to_the_models(
    component: str, pod: dict[str, Any]
):
    (container,) = pod["containers"]
    read_only = {
        mount["mountPath"]: mount.get("readOnly", False) for mount in container["volumeMounts"]
    }
    assert not read_only["/tmp"]  # noqa: S108
    assert read_only["/models"] is (component != "trainer")


def test_every_variable_of_a_pod_is_a_setting(component: str, pod: dict[str, Any]):
    names = {variable["name"] for variable in pod["containers"][0].get("env", [])}
    settings = {f"COVIDSCAN_{name.upper()}" for name in Settings.model_fields}
    assert names - settings == ({"MALLOC_ARENA_MAX"} if component == "model-server" else set())


def test_every_covidscan_variable_in_the_manifests_is_a_setting():
    settings = {f"COVIDSCAN_{name.upper()}" for name in Settings.model_fields}
    for file in FOLDER.rglob("*.yaml"):
        assert set(re.findall(r"COVIDSCAN_[A-Z_]+", file.read_text())) <= settings, file
