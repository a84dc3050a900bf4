"""Validates documents against the JSON schemas of the Kubernetes API.

``v1.30.json`` holds the schemas that the manifests need. They come from the package
``kubernetes-validate`` (Apache-2.0), strict and without descriptions. To extract them again,
install it and run ``python -m tests.kubernetes.schema path/to/kubernetes_validate``.
"""

import functools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

VERSION = "1.30"
"""The oldest version that ``docs/kubernetes.md`` supports; later ones know all of its fields."""

_FILE = Path(__file__).with_name(f"v{VERSION}.json")

_NAMES = {
    ("v1", "Namespace"): "io.k8s.api.core.v1.Namespace",
    ("v1", "ConfigMap"): "io.k8s.api.core.v1.ConfigMap",
    ("v1", "PersistentVolumeClaim"): "io.k8s.api.core.v1.PersistentVolumeClaim",
    ("v1", "Service"): "io.k8s.api.core.v1.Service",
    ("apps/v1", "Deployment"): "io.k8s.api.apps.v1.Deployment",
    ("autoscaling/v2", "HorizontalPodAutoscaler"): (
        "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler"
    ),
    ("batch/v1", "Job"): "io.k8s.api.batch.v1.Job",
    ("networking.k8s.io/v1", "NetworkPolicy"): "io.k8s.api.networking.v1.NetworkPolicy",
    ("policy/v1", "PodDisruptionBudget"): "io.k8s.api.policy.v1.PodDisruptionBudget",
}
_POD = "io.k8s.api.core.v1.PodSpec"


def document_faults(document: dict[str, Any]) -> list[str]:
    """Validate a document against the schema of its kind; returns the errors."""
    return _faults(_NAMES[document["apiVersion"], document["kind"]], document)


def pod_faults(pod: dict[str, Any]) -> list[str]:
    """Validate a pod specification; returns the errors."""
    return _faults(_POD, pod)


def _faults(name: str, instance: dict[str, Any]) -> list[str]:
    return [
        f"{error.json_path}: {error.message}" for error in _validator(name).iter_errors(instance)
    ]


@functools.cache
def _validator(name: str) -> Draft202012Validator:
    definitions = json.loads(_FILE.read_text())["$defs"]
    return Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": definitions})


def _write(package: Path) -> None:
    source = package / "kubernetes-json-schema" / f"v{VERSION}.0-local-strict" / "_definitions.json"
    definitions = json.loads(source.read_text())["$defs"]
    needed: dict[str, Any] = {}
    pending = list(_NAMES.values())
    while pending:
        name = pending.pop()
        if name not in needed:
            needed[name] = _without_descriptions(definitions[name])
            pending.extend(_references(needed[name]))
    lines = [f'"{name}": {json.dumps(needed[name])}' for name in sorted(needed)]
    _FILE.write_text('{"$defs": {\n' + ",\n".join(lines) + "\n}}\n")


def _without_descriptions(node: Any) -> Any:
    if isinstance(node, dict):
        return {
            key: _without_descriptions(value)
            for key, value in node.items()
            if not key.startswith("x-kubernetes-")
            and not (key == "description" and isinstance(value, str))
        }
    return [_without_descriptions(item) for item in node] if isinstance(node, list) else node


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref" and isinstance(value, str):
                yield value.rpartition("/")[2]
            else:
                yield from _references(value)
    elif isinstance(node, list):
        for item in node:
            yield from _references(item)


if __name__ == "__main__":
    _write(Path(sys.argv[1]))
