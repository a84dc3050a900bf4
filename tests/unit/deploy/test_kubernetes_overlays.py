"""What kubectl would apply, and the KServe alternative."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.kubernetes.manifests import FOLDER, OVERLAYS, Manifests, build_command, pod_of
from tests.kubernetes.schema import document_faults, pod_faults

renders = pytest.mark.skipif(
    build_command() is None, reason="neither kubectl nor kustomize is here"
)


def faults(document: dict[str, Any]) -> list[str]:
    if document["kind"] == "InferenceService":
        return pod_faults(pod_of(document))
    return document_faults(document)


@renders
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_is_rendered_keeps_to_the_schema(overlay: str):
    rendered = Manifests.render(FOLDER / overlay)
    assert [fault for document in rendered.documents for fault in faults(document)] == []
    for document in rendered.documents:
        if document["kind"] != "Namespace":
            assert document["metadata"]["namespace"] == "covidscan"


@renders
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_image_has_a_version(overlay: str):
    for pod in Manifests.render(FOLDER / overlay).pods().values():
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            assert re.fullmatch(r"[a-z/-]+:\d+\.\d+\.\d+", container["image"])


@renders
def test_on_a_single_node_there_is_one_of_each():
    rendered = Manifests.render(FOLDER / "single-node")
    (claim,) = rendered.of_kind("PersistentVolumeClaim")
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    for autoscaler in rendered.of_kind("HorizontalPodAutoscaler"):
        assert (autoscaler["spec"]["minReplicas"], autoscaler["spec"]["maxReplicas"]) == (1, 1)
    strategy = rendered.get("Deployment", "covidscan-model-server")["spec"]["strategy"]
    assert strategy["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
    (gateway,) = rendered.pods()["gateway"]["containers"]
    groups = [v["value"] for v in gateway["env"] if v["name"] == "COVIDSCAN_MAX_GROUPS"]
    assert groups == ["2"]


@renders
def test_with_kserve_the_inference_service_takes_the_deployment_s_place():
    base = Manifests.render(FOLDER / "base")
    rendered = Manifests.render(FOLDER / "kserve")

    def names(manifests: Manifests) -> set[tuple[str, str]]:
        return {(d["kind"], d["metadata"]["name"]) for d in manifests.documents}

    assert names(base) - names(rendered) == {
        ("Deployment", "covidscan-model-server"),
        ("HorizontalPodAutoscaler", "covidscan-model-server"),
    }
    assert names(rendered) - names(base) == {("InferenceService", "covidscan-models")}
    # Its volume, too, has the name that kustomize gave the ConfigMap.
    assert rendered.pods()["model-server"]["volumes"] == base.pods()["model-server"]["volumes"]


@pytest.fixture(scope="module")
def inference_service() -> dict[str, Any]:
    (document,) = Manifests.read(FOLDER / "kserve").of_kind("InferenceService")
    return document


def test_kserve_runs_the_pod_of_the_deployment(inference_service: dict[str, Any]):
    pod = pod_of(inference_service)
    assert pod_faults(pod) == []
    (container,) = pod["containers"]
    # KServe looks for this name.
    assert container["name"] == "kserve-container"
    container = dict(container, name="model-server")
    base = Manifests.read(FOLDER / "base").pods()["model-server"]
    assert dict(pod, containers=[container]) == base


def test_the_service_finds_kserve_s_pods(inference_service: dict[str, Any]):
    service = Manifests.read(FOLDER / "base").get("Service", "covidscan-model-server")
    assert inference_service["spec"]["predictor"]["labels"] == service["spec"]["selector"]


def test_kserve_publishes_nothing_and_scales_as_the_autoscaler_does(
    inference_service: dict[str, Any],
):
    metadata = inference_service["metadata"]
    assert metadata["labels"]["networking.kserve.io/visibility"] == "cluster-local"
    assert metadata["annotations"] == {"serving.kserve.io/deploymentMode": "Standard"}
    predictor = inference_service["spec"]["predictor"]
    base = Manifests.read(FOLDER / "base")
    autoscaler = base.get("HorizontalPodAutoscaler", "covidscan-model-server")["spec"]
    (metric,) = autoscaler["metrics"]
    assert predictor["minReplicas"] == autoscaler["minReplicas"]
    assert predictor["maxReplicas"] == autoscaler["maxReplicas"]
    assert predictor["scaleMetric"] == metric["resource"]["name"]
    assert predictor["scaleTarget"] == metric["resource"]["target"]["averageUtilization"]
    strategy = base.get("Deployment", "covidscan-model-server")["spec"]["strategy"]
    assert predictor["deploymentStrategy"]["rollingUpdate"] == strategy["rollingUpdate"]


@renders
def test_the_kustomization_of_the_docs_is_one(root: Path, tmp_path: Path):
    text = (root / "docs" / "kubernetes.md").read_text()
    (block,) = [b for b in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "resources:" in b]
    own = tmp_path / "own"
    own.mkdir()
    (tmp_path / "covidscan").symlink_to(root)
    (own / "kustomization.yaml").write_text(block)
    rendered = Manifests.render(own)
    assert [fault for document in rendered.documents for fault in faults(document)] == []
    assert rendered.get("NetworkPolicy", "covidscan-model-server-metrics")
    wanted = {image["name"]: image["newName"] for image in yaml.safe_load(block)["images"]}
    (gateway,) = rendered.pods()["gateway"]["containers"]
    assert gateway["image"].startswith(wanted["covidscan-api"] + ":")
    (trainer,) = rendered.pods()["trainer"]["containers"]
    assert trainer["image"].startswith(wanted["covidscan-trainer"] + ":")
