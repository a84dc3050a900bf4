"""ModelService: GetModelStatus."""

from serving.embedded.repository import ModelRepository
from serving.embedded.servable import ServableVersion
from serving.embedded.status import invalid_argument, not_found
from serving.protos.model_status_pb2 import (
    GetModelStatusRequest,
    GetModelStatusResponse,
    ModelVersionStatus,
    StatusProto,
)


class ModelService:
    """Tells the state of every version that was ever seen.

    Args:
        repository: the models.
    """

    def __init__(self, repository: ModelRepository) -> None:
        self._repository = repository

    async def get_model_status(self, request: GetModelStatusRequest) -> GetModelStatusResponse:
        """GetModelStatus: all versions newest first, or the one asked for.

        Raises:
            CallError: with TensorFlow Serving's code and message for this refusal.
        """
        if not request.HasField("model_spec"):
            raise invalid_argument("Missing ModelSpec")
        spec = request.model_spec
        servable = self._repository.servables.get(spec.name)
        versions = list(servable.versions) if servable else []
        if not versions:
            raise not_found(f"Could not find any versions of model {spec.name}")
        if spec.HasField("version"):
            versions = [v for v in versions if v.number == spec.version.value]
            if not versions:
                raise not_found(f"Could not find version {spec.version.value} of model {spec.name}")
        return GetModelStatusResponse(model_version_status=[_status(v) for v in versions])


def _status(version: ServableVersion) -> ModelVersionStatus:
    return ModelVersionStatus(
        version=version.number,
        state=version.state,
        status=StatusProto(error_code=version.error_code, error_message=version.error_message),
    )
