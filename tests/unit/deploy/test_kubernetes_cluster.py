"""Services, autoscalers, disruption budgets, network policies and the volume in Kubernetes."""

from typing import Any

import pytest
import yaml

from tests.kubernetes.manifests import FOLDER, Manifests
from tests.kubernetes.schema import document_faults

SERVING = ("covidscan", "covidscan-model-server")


def labels(component: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": "covidscan", "app.kubernetes.io/component": component}


def test_every_document_has_the_name_label(base: Manifests):
    for document in base.documents:
        if document["kind"] != "Namespace":
            assert document["metadata"]["labels"]["app.kubernetes.io/name"] == "covidscan"


def test_the_namespace_admits_only_restricted_pods(base: Manifests):
    (namespace,) = base.of_kind("Namespace")
    level = namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
    assert level == "restricted"
    kustomization = yaml.safe_load((FOLDER / "base" / "kustomization.yaml").read_text())
    assert kustomization["namespace"] == namespace["metadata"]["name"]


@pytest.mark.parametrize("name", SERVING)
def test_selectors_match_the_pods_of_the_deployment(base: Manifests, name: str):
    deployment = base.get("Deployment", name)["spec"]
    pods = deployment["template"]["metadata"]["labels"]
    (spread,) = deployment["template"]["spec"]["topologySpreadConstraints"]
    assert pods == deployment["selector"]["matchLabels"] == spread["labelSelector"]["matchLabels"]
    assert pods == base.get("Service", name)["spec"]["selector"]
    assert pods == base.get("PodDisruptionBudget", name)["spec"]["selector"]["matchLabels"]


@pytest.mark.parametrize("name", SERVING)
def test_the_ports_of_the_service_are_those_of_the_container(base: Manifests, name: str):
    (container,) = base.get("Deployment", name)["spec"]["template"]["spec"]["containers"]
    offered = {port["name"]: port["containerPort"] for port in container["ports"]}
    ports = base.get("Service", name)["spec"]["ports"]
    assert {port["targetPort"]: port["port"] for port in ports} == offered


def test_the_name_of_the_model_server_resolves_to_every_ready_replica(base: Manifests):
    service = base.get("Service", "covidscan-model-server")["spec"]
    assert service["clusterIP"] == "None"
    assert not service.get("publishNotReadyAddresses", False)


def test_no_service_is_published_outside_the_cluster(base: Manifests):
    assert {service["spec"].get("type", "ClusterIP") for service in base.of_kind("Service")} == {
        "ClusterIP"
    }


@pytest.mark.parametrize("name", SERVING)
def test_only_the_autoscaler_sets_the_number_of_replicas(base: Manifests, name: str):
    autoscaler = base.get("HorizontalPodAutoscaler", name)["spec"]
    deployment = base.get(
        autoscaler["scaleTargetRef"]["kind"], autoscaler["scaleTargetRef"]["name"]
    )
    assert deployment["metadata"]["name"] == name
    assert autoscaler["scaleTargetRef"]["apiVersion"] == deployment["apiVersion"]
    # Otherwise each `kubectl apply` would reset the number.
    assert "replicas" not in deployment["spec"]
    # Utilisation is measured relative to the request.
    (metric,) = autoscaler["metrics"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert metric["resource"]["name"] in container["resources"]["requests"]


@pytest.mark.parametrize("name", SERVING)
def test_a_drained_node_or_a_rollout_leaves_at_least_one_replica(base: Manifests, name: str):
    autoscaler = base.get("HorizontalPodAutoscaler", name)["spec"]
    budget = base.get("PodDisruptionBudget", name)["spec"]
    assert autoscaler["maxReplicas"] > autoscaler["minReplicas"] > budget["maxUnavailable"] > 0
    strategy = base.get("Deployment", name)["spec"]["strategy"]["rollingUpdate"]
    assert strategy == {"maxSurge": 1, "maxUnavailable": 0}


def test_every_component_has_a_network_policy_for_ingress_and_egress(base: Manifests):
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


def test_the_gateway_reaches_only_the_model_server_and_dns(base: Manifests):
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
def test_the_model_server_and_the_trainer_have_no_egress(base: Manifests, name: str):
    assert base.get("NetworkPolicy", name)["spec"]["egress"] == []


def test_the_trainer_has_no_ingress(base: Manifests):
    assert base.get("NetworkPolicy", "covidscan-trainer")["spec"]["ingress"] == []


def test_pods_on_all_nodes_share_the_volume(base: Manifests):
    (claim,) = base.of_kind("PersistentVolumeClaim")
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]


def test_the_trainer_job_is_not_restarted_and_is_deleted_within_an_hour(base: Manifests):
    job = base.get("Job", "covidscan-trainer")["spec"]
    assert job["template"]["spec"]["restartPolicy"] == "Never"
    assert job["backoffLimit"] <= 3
    assert job["ttlSecondsAfterFinished"] <= 3600


def test_prometheus_reaches_only_the_metrics_port(base: Manifests):
    (policy,) = Manifests.read(FOLDER / "prometheus").documents
    assert document_faults(policy) == []
    assert policy["spec"]["podSelector"]["matchLabels"] == labels("model-server")
    (rule,) = policy["spec"]["ingress"]
    metrics = port_numbers(base, "covidscan-model-server")["metrics"]
    assert rule["ports"] == [{"port": metrics}]
    (peer,) = rule["from"]
    assert isinstance(peer["namespaceSelector"]["matchLabels"], dict)


def test_kustomizations_list_exactly_the_existing_files():
    def resources(folder: Any) -> list[str]:
        return yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]

    for kustomization in FOLDER.rglob("kustomization.yaml"):
        folder = kustomization.parent
        for name in resources(folder):
            assert (folder / name).exists()
        existing = {file.name for file in folder.glob("*.yaml")} - {
            "kustomization.yaml",
            "names.yaml",
        }
        assert existing == {name for name in resources(folder) if name.endswith(".yaml")}
