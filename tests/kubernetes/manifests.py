"""Reads and renders the manifests in ``deploy/kubernetes``."""

import functools
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
OVERLAYS = ("base", "single-node", "kserve")
"""The kustomizations that users apply. ``prometheus`` is a component for their own ones."""

Document = dict[str, Any]


@dataclass(frozen=True)
class Manifests:
    """Documents that can be looked up by kind and name."""

    documents: list[Document]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the files that a kustomization lists, without rendering them."""
        kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
        files = [folder / name for name in kustomization["resources"] if name.endswith(".yaml")]
        return cls(
            [document for file in files for document in yaml.safe_load_all(file.read_text())]
        )

    @classmethod
    def render(cls, folder: Path) -> Self:
        """Render what ``kubectl apply --kustomize`` would send."""
        return cls(list(yaml.safe_load_all(_build(folder))))

    def get(self, kind: str, name: str) -> Document:
        (found,) = [d for d in self.of_kind(kind) if d["metadata"]["name"] == name]
        return found

    def of_kind(self, kind: str) -> list[Document]:
        return [document for document in self.documents if document["kind"] == kind]

    def pods(self) -> dict[str, Document]:
        """Return the pod specifications by component."""
        return {
            document["metadata"]["labels"]["app.kubernetes.io/component"]: pod_of(document)
            for document in self.documents
            if document["kind"] in ("Deployment", "Job", "InferenceService")
        }


@functools.cache
def _build(folder: Path) -> str:
    command = build_command()
    assert command is not None
    built = subprocess.run([*command, folder], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return built.stdout


def pod_of(document: Document) -> Document:
    if document["kind"] != "InferenceService":
        return document["spec"]["template"]["spec"]
    kserve_fields = {"labels", "minReplicas", "maxReplicas", "scaleMetric", "scaleTarget"}
    kserve_fields |= {"deploymentStrategy"}
    predictor = document["spec"]["predictor"]
    return {name: value for name, value in predictor.items() if name not in kserve_fields}


def build_command() -> list[str] | None:
    """Return the command that renders a kustomization on this machine, if there is one."""
    if shutil.which("kubectl"):
        return ["kubectl", "kustomize"]
    if shutil.which("kustomize"):
        return ["kustomize", "build"]
    return None
