"""Reads the signatures of a SavedModel without TensorFlow."""

from pathlib import Path
from typing import Final

from google.protobuf.message import DecodeError

from serving import volume
from serving.embedded.errors import ModelLoadError
from serving.protos.model_metadata_pb2 import SignatureDefMap
from serving.protos.model_status_pb2 import Code
from serving.protos.saved_model_pb2 import SavedModel
from system.regular_files import check_regular_files, read_regular_file

GRAPH_FILE: Final = "saved_model.pb"
SERVING_TAGS: Final = ["serve"]
_MAX_GRAPH_BYTES: Final = 2**31 - 1
"""The largest possible protobuf message."""


def read_signatures(version_dir: Path) -> SignatureDefMap:
    """The signatures of the meta graph for serving.

    Raises:
        ModelLoadError: this is not a SavedModel, or not one for serving; with TensorFlow Serving's
            code and message.
    """
    graph_file = version_dir / GRAPH_FILE
    try:
        # The engine opens files itself, and a FIFO would block it for ever.
        check_regular_files(version_dir, ignoring={volume.EXTRA_ASSETS})
        saved_model = SavedModel.FromString(
            read_regular_file(graph_file, max_bytes=_MAX_GRAPH_BYTES)
        )
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ModelLoadError(
            Code.NOT_FOUND,
            "Specified file path does not appear to contain a SavedModel bundle (should have a file"
            f" called `{GRAPH_FILE}`)\nSpecified file path: {version_dir}",
        ) from error
    except OSError as error:
        raise ModelLoadError(
            Code.UNAVAILABLE, f"{error.filename or graph_file}; {error.strerror}"
        ) from error
    except DecodeError as error:
        raise ModelLoadError(Code.DATA_LOSS, f"Can't parse {graph_file} as binary proto") from error
    for meta_graph in saved_model.meta_graphs:
        if meta_graph.meta_info_def.tags == SERVING_TAGS:
            return SignatureDefMap(signature_def=meta_graph.signature_def)
    raise ModelLoadError(
        Code.NOT_FOUND,
        f"Could not find meta graph def matching supplied tags: {{ {' '.join(SERVING_TAGS)} }}."
        " To inspect available tag-sets in the SavedModel, please use the SavedModel CLI:"
        " `saved_model_cli`",
    )
