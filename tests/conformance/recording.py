"""Reads answers recorded from TensorFlow Serving 2.19.1, and compares ours with them."""

import base64
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from google.protobuf import json_format
from google.protobuf.message import Message

from serving import protocol, tensors
from serving.protos.model_config_pb2 import ReloadConfigRequest, ReloadConfigResponse
from serving.protos.model_metadata_pb2 import (
    GetModelMetadataRequest,
    GetModelMetadataResponse,
    SignatureDefMap,
)
from serving.protos.model_status_pb2 import GetModelStatusRequest, GetModelStatusResponse
from serving.protos.predict_pb2 import PredictRequest, PredictResponse
from tests.conformance.differences import DIFFERENCES

RECORDINGS = Path(__file__).parent / "recordings"

METHODS: dict[str, tuple[str, type[Message], type[Message]]] = {
    "Predict": (protocol.PREDICT, PredictRequest, PredictResponse),
    "GetModelMetadata": (
        protocol.GET_MODEL_METADATA,
        GetModelMetadataRequest,
        GetModelMetadataResponse,
    ),
    "GetModelStatus": (protocol.GET_MODEL_STATUS, GetModelStatusRequest, GetModelStatusResponse),
    "HandleReloadConfigRequest": (
        protocol.HANDLE_RELOAD_CONFIG_REQUEST,
        ReloadConfigRequest,
        ReloadConfigResponse,
    ),
}

_NODE = re.compile(r"\n\t \[\[.*", re.DOTALL)
_FLOAT_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Outcome:
    """The result of a call."""

    status: str
    message: str = ""
    response: bytes = b""


@dataclass(frozen=True)
class Recording:
    """One recorded case."""

    name: str
    content: dict[str, Any] = field(repr=False)

    @property
    def status(self) -> str:
        return str(self.content["status"])

    @property
    def note(self) -> str:
        return self.content.get("note") or ""

    @property
    def path(self) -> str:
        """The path of the gRPC method."""
        method = self.content["method"]
        if method.startswith("/"):
            return method
        return (
            METHODS[method][0] if method in METHODS else f"/{protocol.PREDICTION_SERVICE}/{method}"
        )

    @property
    def request(self) -> bytes:
        """The serialised request."""
        if "request_b64" in self.content:
            return base64.b64decode(self.content["request_b64"])
        request = self.content["request"]
        if isinstance(request, str):
            return base64.b64decode(request.removeprefix("raw bytes base64: "), validate=True)
        request_type = METHODS[self.content["method"]][1]
        return json_format.ParseDict(request, request_type()).SerializeToString()

    @property
    def response(self) -> Message | None:
        """The response, if all of it was recorded and we have messages for its method."""
        recorded = self.content["response"]
        if not isinstance(recorded, dict) or self.content["method"] not in METHODS:
            return None
        response_type = METHODS[self.content["method"]][2]
        if "response_b64" in self.content:
            return response_type.FromString(base64.b64decode(self.content["response_b64"]))
        return json_format.ParseDict(recorded, response_type())


def recordings(*prefixes: str) -> list[Recording]:
    """Return every recording whose name has one of these prefixes."""
    return [
        Recording(path.stem, json.loads(path.read_text()))
        for path in sorted(RECORDINGS.glob("*.json"))
        if path.stem.startswith(prefixes)
    ]


def call(address: str, path: str, request: bytes, *, limited: bool = False) -> Outcome:
    """Call a method with raw bytes; ``limited`` keeps gRPC's limit of 4 MiB for responses."""
    options = [("grpc.max_send_message_length", -1)]
    if not limited:
        options.append(("grpc.max_receive_message_length", -1))
    with grpc.insecure_channel(address, options=options) as channel:
        try:
            return Outcome("OK", "", channel.unary_unary(path)(request, timeout=30))
        except grpc.RpcError as error:
            return Outcome(error.code().name, error.details() or "")


def check(recording: Recording, outcome: Outcome, paths: dict[str, str] | None = None) -> None:
    """Compare an outcome with the recorded one, or with the intended difference.

    ``paths`` maps our directories to the recorded ones.
    """
    recorded = Outcome(recording.status, str(recording.content["message"]))
    if difference := DIFFERENCES.get(recording.name):
        assert outcome.status == difference.status
        assert re.search(difference.message, outcome.message), outcome.message
        assert not _agree(recorded, outcome, paths) or not _same_answer(
            recording, outcome, paths
        ), "it answers as TensorFlow Serving does: remove the difference"
        return
    assert outcome.status == recorded.status, outcome.message
    assert _agree(recorded, outcome, paths), (recorded.message, outcome.message)
    assert _same_answer(recording, outcome, paths), outcome.response


def _agree(recorded: Outcome, outcome: Outcome, paths: dict[str, str] | None) -> bool:
    """Whether status and message agree, except for names of nodes and messages of the transport."""
    if recorded.status != outcome.status:
        return False
    if not recorded.message or recorded.message.startswith("Stream removed"):
        return True
    return _NODE.sub("", recorded.message) == _NODE.sub("", _as_recorded(outcome.message, paths))


def _same_answer(recording: Recording, outcome: Outcome, paths: dict[str, str] | None) -> bool:
    expected = recording.response
    if expected is None or outcome.status != "OK":
        size = re.fullmatch(r"<(\d+) bytes>", str(recording.content["response"]))
        return size is None or len(outcome.response) == int(size[1])
    found = type(expected).FromString(outcome.response)
    if isinstance(expected, PredictResponse):
        return expected.model_spec == found.model_spec and _same_outputs(expected, found)
    if isinstance(expected, GetModelMetadataResponse):
        return expected.model_spec == found.model_spec and _signatures(expected) == _signatures(
            found
        )
    if isinstance(expected, GetModelStatusResponse):
        for version in found.model_version_status:
            version.status.error_message = _as_recorded(version.status.error_message, paths)
    return bool(expected == found)


def _same_outputs(expected: PredictResponse, found: PredictResponse) -> bool:
    if set(expected.outputs) != set(found.outputs):
        return False
    for name, tensor in expected.outputs.items():
        other = found.outputs[name]
        if bool(tensor.tensor_content) != bool(other.tensor_content):
            return False
        ours, theirs = tensors.decode(other), tensors.decode(tensor)
        if ours.dtype != theirs.dtype or ours.shape != theirs.shape:
            return False
        if not np.allclose(ours, theirs, atol=_FLOAT_TOLERANCE, equal_nan=True):
            return False
    return True


def _signatures(response: GetModelMetadataResponse) -> SignatureDefMap:
    packed = response.metadata[protocol.SIGNATURE_DEF_FIELD]
    assert packed.type_url == protocol.SIGNATURE_DEF_MAP_TYPE_URL
    return SignatureDefMap.FromString(packed.value)


def _as_recorded(message: str, paths: dict[str, str] | None) -> str:
    for ours, theirs in (paths or {}).items():
        message = message.replace(ours, theirs)
    return message
