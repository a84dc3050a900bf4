"""Read and write models.config, the text file that names the servables and where they lie."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from google.protobuf import text_format

from serving.contract import MODEL_NAMES
from serving.errors import ModelConfigError
from serving.protos.model_config_pb2 import ModelConfig as ModelConfigProto
from serving.protos.model_config_pb2 import ModelConfigList, ModelServerConfig

MODEL_PLATFORM: Final = "tensorflow"


@dataclass(frozen=True)
class ModelConfig:
    """One servable: its name, its directory, and how many of its newest versions are served."""

    name: str
    base_path: Path
    num_versions: int = 1

    @classmethod
    def from_proto(cls, config: ModelConfigProto) -> Self:
        """Read one ``config`` entry.

        Raises:
            ModelConfigError: it lacks what TensorFlow Serving demands, or asks for what the
                embedded model server does not offer.
        """
        if not config.name:
            raise ModelConfigError("a model has no name")
        if not Path(config.base_path).is_absolute():
            raise ModelConfigError(
                f"Expected model {config.name} to have an absolute path or URI;"
                f" got base_path()={config.base_path}"
            )
        if config.model_platform != MODEL_PLATFORM:
            raise ModelConfigError(
                f"model {config.name} has model_platform {config.model_platform!r},"
                f" only {MODEL_PLATFORM!r} is served"
            )
        policy = config.model_version_policy
        if policy.WhichOneof("policy_choice") not in (None, "latest") or config.version_labels:
            raise ModelConfigError(
                f"model {config.name}: of version policies only latest is served, without labels"
            )
        return cls(config.name, Path(config.base_path), policy.latest.num_versions or 1)

    def to_proto(self) -> ModelConfigProto:
        """The entry as TensorFlow Serving reads it."""
        config = ModelConfigProto(
            name=self.name, base_path=str(self.base_path), model_platform=MODEL_PLATFORM
        )
        config.model_version_policy.latest.num_versions = self.num_versions
        return config


def default_model_configs(models_dir: Path) -> list[ModelConfig]:
    """The three CNNs of the contract below one volume."""
    root = models_dir.resolve()
    return [ModelConfig(name, root / name) for name in MODEL_NAMES]


def parse_model_configs(text: str) -> list[ModelConfig]:
    """Parse the text of a models.config.

    Raises:
        ModelConfigError: the text is malformed, or an entry cannot be served.
    """
    try:
        server_config = text_format.Parse(text, ModelServerConfig())
    except text_format.ParseError as error:
        raise ModelConfigError(f"models.config cannot be parsed: {error}") from error
    configs = [ModelConfig.from_proto(c) for c in server_config.model_config_list.config]
    names = [config.name for config in configs]
    duplicates = sorted({name for name in names if names.count(name) > 1})
    if duplicates:
        raise ModelConfigError(f"models.config names more than once: {', '.join(duplicates)}")
    return configs


def format_model_configs(configs: list[ModelConfig]) -> str:
    """The text of a models.config that names these models."""
    return text_format.MessageToString(
        ModelServerConfig(
            model_config_list=ModelConfigList(config=[config.to_proto() for config in configs])
        )
    )


def read_model_configs(path: Path) -> list[ModelConfig]:
    """Read a models.config file.

    Raises:
        ModelConfigError: the file cannot be read, is malformed, or an entry cannot be served.
    """
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ModelConfigError(f"{path} cannot be read") from error
    return parse_model_configs(text)
