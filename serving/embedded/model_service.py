"""ModelService: GetModelStatus and HandleReloadConfigRequest."""

import logging

from serving.embedded.errors import invalid_argument, not_found
from serving.embedded.repository import ModelRepository
from serving.errors import ModelConfigError
from serving.protos.model_config_pb2 import ReloadConfigRequest, ReloadConfigResponse
from serving.protos.model_status_pb2 import (
    GetModelStatusRequest,
    GetModelStatusResponse,
    StatusProto,
)
from serving.volume.model_config import model_configs

logger = logging.getLogger(__name__)


class ModelService:
    """Reports the state of every version ever seen, and changes which models are served.

    Args:
        repository: the models.
    """

    def __init__(self, repository: ModelRepository) -> None:
        self._repository = repository

    async def get_model_status(self, request: GetModelStatusRequest) -> GetModelStatusResponse:
        """GetModelStatus: all versions, newest first, or the requested one.

        Raises:
            CallError: with TensorFlow Serving's status code and message.
        """
        if not request.HasField("model_spec"):
            raise invalid_argument("Missing ModelSpec")
        spec = request.model_spec
        versions = self._repository.versions(spec.name)
        if not versions:
            raise not_found(f"Could not find any versions of model {spec.name}")
        if spec.HasField("version"):
            versions = [v for v in versions if v.number == spec.version.value]
            if not versions:
                raise not_found(f"Could not find version {spec.version.value} of model {spec.name}")
        return GetModelStatusResponse(model_version_status=[v.status for v in versions])

    async def handle_reload_config_request(
        self, request: ReloadConfigRequest
    ) -> ReloadConfigResponse:
        """HandleReloadConfigRequest: serve exactly the models of this configuration.

        A rejected configuration changes nothing.

        Raises:
            CallError: with TensorFlow Serving's status code and message.
        """
        if not request.config.HasField("model_config_list"):
            raise invalid_argument(
                "ServerModelConfig type not supported by HandleReloadConfigRequest. Only"
                " ModelConfigList is currently supported"
            )
        try:
            configs = model_configs(request.config.model_config_list)
        except ModelConfigError as error:
            raise invalid_argument(str(error)) from error
        logger.info("the configuration was replaced by one with %d models", len(configs))
        await self._repository.reload(configs)
        return ReloadConfigResponse(status=StatusProto())
