"""What surrounds the pods: Services, autoscalers, budgets, network policies, the volume."""

from typing import Any

import pytest
import yaml

from tests.kubernetes.manifests import FOLDER, Manifests
from tests.kubernetes.schema import document_faults

SERVING = ("covidscan", "covidscan-model-server")


@pytest.fixture(scope="module")
def base() -> Manifests:
    return Manifests.read(FOLDER / "base")


def labels(component: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": "covidscan", "app.kubernetes.io/component": component}


def test_every_document_is_labelled(base: Manifests):
    for document in base.documents:
        if document["kind"] != "Namespace":
            assert document["metadata"]["labels"]["app.kubernetes.io/name"] == "covidscan"


def test_the_namespace_admits_restricted_pods_only(base: Manifests):
    (namespace,) = base.of_kind("Namespace")
    level = namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
    assert level == "restricted"
    kustomization = yaml.safe_load((FOLDER / "base" / "kustomization.yaml").read_text())
    assert kustomization["namespace"] == namespace["metadata"]["name"]


@pytest.mark.parametrize("name", SERVING)
def test_selectors_find_the_pods_of_the_deployment(base: Manifests, name: str):
    deployment = base.get("Deployment", name)["spec"]
    pods = deployment["template"]["metadata"]["labels"]
    (spread,) = deployment["template"]["spec"]["topologySpreadConstraints"]
    assert pods == deployment["selector"]["matchLabels"] == spread["labelSelector"]["matchLabels"]
    assert pods == base.get("Service", name)["spec"]["selector"]
    assert pods == base.get("PodDisruptionBudget", name)["spec"]["selector"]["matchLabels"]


@pytest.mark.parametrize("name", SERVING)
def test_a_service_s_ports_are_those_of_the_container(base: Manifests, name: str):
    (container,) = base.get("Deployment", name)["spec"]["template"]["spec"]["containers"]
    offered = {port["name"]: port["containerPort"] for port in container["ports"]}
    ports = base.get("Service", name)["spec"]["ports"]
    assert {port["targetPort"]: port["port"] for port in ports} == offered


def test_the_model_server_s_name_leads_to_each_replica(base: Manifests):
    service = base.get("Service", "covidscan-model-server")["spec"]
    assert service["clusterIP"] == "None"
    assert not service.get("publishNotReadyAddresses", False)


def test_nothing_is_published_outside_the_cluster(base: Manifests):
    assert {service["spec"].get("type", "ClusterIP") for service in base.of_kind("Service")} == {
        "ClusterIP"
    }


@pytest.mark.parametrize("name", SERVING)
def test_the_autoscaler_alone_says_how_many_replicas_there_are(base: Manifests, name: str):
    autoscaler = base.get("HorizontalPodAutoscaler", name)["spec"]
    deployment = base.get(
        autoscaler["scaleTargetRef"]["kind"], autoscaler["scaleTargetRef"]["name"]
    )
    assert deployment["metadata"]["name"] == name
    assert autoscaler["scaleTargetRef"]["apiVersion"] == deployment["apiVersion"]
    # Otherwise each apply would go back to that number.
    assert "replicas" not in deployment["spec"]
    # Without a request there is no utilization.
    (metric,) = autoscaler["metrics"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert metric["resource"]["name"] in container["resources"]["requests"]


@pytest.mark.parametrize("name", SERVING)
def test_a_drained_node_or_a_rollout_leaves_a_replica(base: Manifests, name: str):
    autoscaler = base.get("HorizontalPodAutoscaler", name)["spec"]
    budget = base.get("PodDisruptionBudget", name)["spec"]
    assert autoscaler["maxReplicas"] > autoscaler["minReplicas"] > budget["maxUnavailable"] > 0
    strategy = base.get("Deployment", name)["spec"]["strategy"]["rollingUpdate"]
    assert strategy == {"maxSurge": 1, "maxUnavailable": 0}


def test_every_kind_of_pod_has_a_policy_in_both_directions(base: Manifests):
    selected = [policy["spec"]["podSelector"] for policy in base.of_kind("NetworkPolicy")]
    assert selected == [
        {"matchLabels": labels(component)} for component in ("gateway", "model-server", "trainer")
    ]
    for policy in base.of_kind("NetworkPolicy"):
        assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]


def port_numbers(base: Manifests, name: str) -> dict[str, int]:
    return {port["name"]: port["port"] for port in base.get("Service", name)["spec"]["ports"]}


def test_only_the_gateway_reaches_the_model_server(base: Manifests):
    policy = base.get("NetworkPolicy", "covidscan-model-server")["spec"]
    grpc = port_numbers(base, "covidscan-model-server")["grpc"]
    assert policy["ingress"] == [
        {
            "from": [{"podSelector": {"matchLabels": labels("gateway")}}],
            "ports": [{"port": grpc}],
        }
    ]


def test_the_gateway_reaches_the_model_server_and_dns_alone(base: Manifests):
    policy = base.get("NetworkPolicy", "covidscan")["spec"]
    grpc = port_numbers(base, "covidscan-model-server")["grpc"]
    assert policy["egress"] == [
        {
            "to": [{"podSelector": {"matchLabels": labels("model-server")}}],
            "ports": [{"port": grpc}],
        },
        {
            "to": [
                {
                    "namespaceSelector": {
                        "matchLabels": {"kubernetes.io/metadata.name": "kube-system"}
                    }
                }
            ],
            "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}],
        },
    ]
    assert policy["ingress"] == [{"ports": [{"port": port_numbers(base, "covidscan")["http"]}]}]


@pytest.mark.parametrize("name", ["covidscan-model-server", "covidscan-trainer"])
def test_neither_model_server_nor_trainer_reaches_anything(base: Manifests, name: str):
    assert base.get("NetworkPolicy", name)["spec"]["egress"] == []


def test_nobody_reaches_the_trainer(base: Manifests):
    assert base.get("NetworkPolicy", "covidscan-trainer")["spec"]["ingress"] == []


def test_pods_on_all_nodes_share_the_volume(base: Manifests):
    (claim,) = base.of_kind("PersistentVolumeClaim")
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]


def test_the_trainer_ends_and_can_be_applied_again(base: Manifests):
    job = base.get("Job", "covidscan-trainer")["spec"]
    assert job["template"]["spec"]["restartPolicy"] == "Never"
    assert job["backoffLimit"] <= 3
    assert job["ttlSecondsAfterFinished"] <= 3600


def test_prometheus_reaches_the_metrics_alone(base: Manifests):
    (policy,) = Manifests.read(FOLDER / "prometheus").documents
    assert document_faults(policy) == []
    assert policy["spec"]["podSelector"]["matchLabels"] == labels("model-server")
    (rule,) = policy["spec"]["ingress"]
    metrics = port_numbers(base, "covidscan-model-server")["metrics"]
    assert rule["ports"] == [{"port": metrics}]
    (peer,) = rule["from"]
    assert isinstance(peer["namespaceSelector"]["matchLabels"], dict)


def test_kustomizations_list_files_and_folders_that_are_there():
    def resources(folder: Any) -> list[str]:
        return yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]

    for kustomization in FOLDER.rglob("kustomization.yaml"):
        folder = kustomization.parent
        for name in resources(folder):
            assert (folder / name).exists()
        written = {file.name for file in folder.glob("*.yaml")} - {
            "kustomization.yaml",
            "names.yaml",
        }
        assert written == {name for name in resources(folder) if name.endswith(".yaml")}
