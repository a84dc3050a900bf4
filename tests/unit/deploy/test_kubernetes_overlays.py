"""The rendered Kubernetes overlays, and the KServe alternative."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.kubernetes.manifests import FOLDER, OVERLAYS, Manifests, build_command, pod_of
from tests.kubernetes.schema import document_faults, pod_faults

renders = pytest.mark.skipif(
    build_command() is None, reason="neither kubectl nor kustomize is installed"
)


def faults(document: dict[str, Any]) -> list[str]:
    if document["kind"] == "InferenceService":
        return pod_faults(pod_of(document))
    return document_faults(document)


@renders
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_rendered_documents_match_the_schema_and_are_in_the_namespace(overlay: str):
    rendered = Manifests.render(FOLDER / overlay)
    assert [fault for document in rendered.documents for fault in faults(document)] == []
    for document in rendered.documents:
        if document["kind"] != "Namespace":
            assert document["metadata"]["namespace"] == "covidscan"


@renders
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_image_has_a_version_tag(overlay: str):
    for pod in Manifests.render(FOLDER / overlay).pods().values():
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            assert re.fullmatch(r"[a-z/-]+:\d+\.\d+\.\d+", container["image"])


@renders
def test_the_single_node_overlay_runs_one_replica_of_each_deployment():
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
def test_the_kserve_overlay_replaces_the_deployment_with_an_inference_service():
    base = Manifests.render(FOLDER / "base")
    rendered = Manifests.render(FOLDER / "kserve")

    def names(manifests: Manifests) -> set[tuple[str, str]]:
        return {(d["kind"], d["metadata"]["name"]) for d in manifests.documents}

    assert names(base) - names(rendered) == {
        ("Deployment", "covidscan-model-server"),
        ("HorizontalPodAutoscaler", "covidscan-model-server"),
    }
    assert names(rendered) - names(base) == {("InferenceService", "covidscan-models")}
    # kustomize must rename the ConfigMap in the InferenceService too.
    assert rendered.pods()["model-server"]["volumes"] == base.pods()["model-server"]["volumes"]


@pytest.fixture(scope="module")
def inference_service() -> dict[str, Any]:
    (document,) = Manifests.read(FOLDER / "kserve").of_kind("InferenceService")
    return document


def test_the_pod_of_the_inference_service_equals_that_of_the_deployment(
    inference_service: dict[str, Any],
):
    pod = pod_of(inference_service)
    assert pod_faults(pod) == []
    (container,) = pod["containers"]
    # KServe requires this name.
    assert container["name"] == "kserve-container"
    container = dict(container, name="model-server")
    base = Manifests.read(FOLDER / "base").pods()["model-server"]
    assert dict(pod, containers=[container]) == base


def test_the_service_selects_the_pods_of_kserve(inference_service: dict[str, Any]):
    service = Manifests.read(FOLDER / "base").get("Service", "covidscan-model-server")
    assert inference_service["spec"]["predictor"]["labels"] == service["spec"]["selector"]


def test_the_inference_service_is_cluster_local_and_scales_like_the_autoscaler(
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
def test_the_kustomization_in_the_docs_renders_valid_documents(root: Path, tmp_path: Path):
    text = (root / "docs" / "kubernetes.md").read_text()
    (block,) = [b for b in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "resources:" in b]
    own = tmp_path / "own"
    own.mkdir()
    (tmp_path / "covidscan").symlink_to(root)
    (own / "kustomization.yaml").write_text(block)
    rendered = Manifests.render(own)
    assert [fault for document in rendered.documents for fault in faults(document)] == []
    assert rendered.get("NetworkPolicy", "covidscan-model-server-metrics")
    new_names = {image["name"]: image["newName"] for image in yaml.safe_load(block)["images"]}
    (gateway,) = rendered.pods()["gateway"]["containers"]
    assert gateway["image"].startswith(new_names["covidscan-api"] + ":")
    (trainer,) = rendered.pods()["trainer"]["containers"]
    assert trainer["image"].startswith(new_names["covidscan-trainer"] + ":")
