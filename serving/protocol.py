"""The gRPC methods of a model server, by the paths that client and server use."""

from typing import Final

PREDICTION_SERVICE: Final = "tensorflow.serving.PredictionService"
MODEL_SERVICE: Final = "tensorflow.serving.ModelService"

PREDICT: Final = f"/{PREDICTION_SERVICE}/Predict"
GET_MODEL_METADATA: Final = f"/{PREDICTION_SERVICE}/GetModelMetadata"
GET_MODEL_STATUS: Final = f"/{MODEL_SERVICE}/GetModelStatus"
HANDLE_RELOAD_CONFIG_REQUEST: Final = f"/{MODEL_SERVICE}/HandleReloadConfigRequest"

CHECK_HEALTH: Final = "/grpc.health.v1.Health/Check"
WHOLE_SERVER: Final = b""
"""A ``HealthCheckRequest`` without a name."""

SIGNATURE_DEF_FIELD: Final = "signature_def"
"""The only metadata field that GetModelMetadata supports."""

SIGNATURE_DEF_MAP_TYPE_URL: Final = "type.googleapis.com/tensorflow.serving.SignatureDefMap"


MAX_MESSAGE_BYTES: Final = 64 * 1024 * 1024
"""gRPC's default of 4 MiB is too small for a batch of images."""
