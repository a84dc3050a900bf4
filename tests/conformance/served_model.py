"""A model on a running model server, whose version directories tests change."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from serving import protocol, tensors
from serving.protos.model_status_pb2 import (
    GetModelStatusRequest,
    GetModelStatusResponse,
    ModelVersionStatus,
)
from serving.protos.predict_pb2 import ModelSpec, PredictRequest, PredictResponse
from tests.conformance.recording import call
from tests.conformance.servables import Servables

State = tuple[int, str, int, str]
"""Version, state, error code and error message."""


@dataclass(frozen=True)
class ServedModel:
    """A model's directory on the volume, and the server that watches it."""

    name: str
    base_path: Path
    servables: Servables
    address: str = ""

    def add(self, version: int | str, kind: str = "m") -> None:
        self.servables.put(kind, self.base_path / str(version))

    def remove(self, version: int) -> None:
        shutil.rmtree(self.base_path / str(version))

    def remove_all(self) -> None:
        for path in sorted(self.base_path.iterdir(), key=lambda path: int(path.name)):
            shutil.rmtree(path)

    def repair(self, version: int) -> None:
        self.servables.copy_graph("m", self.base_path / str(version))

    def states(self) -> list[State]:
        request = GetModelStatusRequest(model_spec=ModelSpec(name=self.name))
        outcome = call(self.address, protocol.GET_MODEL_STATUS, request.SerializeToString())
        if outcome.status == "NOT_FOUND":
            return []
        return states_of(GetModelStatusResponse.FromString(outcome.response), str(self.base_path))

    def predict(self) -> tuple[str, int | str]:
        image = tensors.encode(np.full((1, 64, 64, 3), 0.5, np.float32))
        request = PredictRequest(model_spec=ModelSpec(name=self.name), inputs={"image": image})
        outcome = call(self.address, protocol.PREDICT, request.SerializeToString())
        if outcome.status != "OK":
            return outcome.status, outcome.message
        return "OK", PredictResponse.FromString(outcome.response).model_spec.version.value


def states_of(response: GetModelStatusResponse, base_path: str) -> list[State]:
    """The states in a response; ``BASE`` replaces the base path, a regular expression."""
    return [
        (
            version.version,
            ModelVersionStatus.State.Name(version.state),
            version.status.error_code,
            re.sub(base_path, "BASE", version.status.error_message),
        )
        for version in response.model_version_status
    ]
