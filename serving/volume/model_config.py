"""Reads and writes models.config, the text file that lists the servables and their directories."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from google.protobuf import text_format

from serving import volume
from serving.contract import MODEL_NAMES
from serving.errors import ModelConfigError
from serving.protos.model_config_pb2 import ModelConfig as ModelConfigProto
from serving.protos.model_config_pb2 import (
    ModelConfigList,
    ModelServerConfig,
    ServableVersionPolicy,
)
from system.regular_files import read_config_file, unreadable_reason

MODEL_PLATFORM: Final = "tensorflow"

MAX_MODELS: Final = 4096
"""In one configuration; the directory of each model is listed once a second."""
MAX_NAME_CHARACTERS: Final = 255
"""The longest name of a model or label."""
MAX_PATH_CHARACTERS: Final = 4096
MAX_VERSIONS_NAMED: Final = 1024
"""The highest number of labels of one model, or of versions in its policy."""


@dataclass(frozen=True)
class Latest:
    """Serves the newest versions."""

    num_versions: int = 1

    def select(self, versions: Sequence[int]) -> list[int]:
        """The versions to serve, ascending."""
        return list(versions[-self.num_versions :])


@dataclass(frozen=True)
class All:
    """Serves every version."""

    def select(self, versions: Sequence[int]) -> list[int]:
        """The versions to serve, ascending."""
        return list(versions)


@dataclass(frozen=True)
class Specific:
    """Serves the versions with these numbers."""

    versions: frozenset[int]

    def select(self, versions: Sequence[int]) -> list[int]:
        """The versions to serve, ascending."""
        return [version for version in versions if version in self.versions]


VersionPolicy = Latest | All | Specific


@dataclass(frozen=True)
class ModelConfig:
    """One servable: its name, its directory, which versions are served, and their labels."""

    name: str
    base_path: Path
    version_policy: VersionPolicy = Latest()
    version_labels: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def from_proto(cls, config: ModelConfigProto) -> Self:
        """Read one ``config`` entry.

        Raises:
            ModelConfigError: a field that TensorFlow Serving requires is missing (with its
                message), a name or path is too long, or the path is in a kernel file system.
        """
        if not config.name:
            raise ModelConfigError("a model has no name")
        _check_lengths(config)
        if not Path(config.base_path).is_absolute():
            raise ModelConfigError(
                f"Expected model {config.name} to have an absolute path or URI;"
                f" got base_path()={config.base_path}"
            )
        if volume.is_kernel_path(config.base_path):
            raise ModelConfigError(
                f"Model {config.name}: models cannot be in {', '.join(volume.KERNEL_PATHS)};"
                f" got base_path()={config.base_path}"
            )
        if not config.model_platform:
            raise ModelConfigError(
                "Illegal setting neither ModelServerConfig::model_type (deprecated) nor"
                f" ModelServerConfig::model_platform, model name is {config.name}"
            )
        if config.model_platform != MODEL_PLATFORM:
            raise ModelConfigError(
                f"Model {config.name} requests unsupported platform {config.model_platform}"
            )
        return cls(
            config.name,
            Path(config.base_path),
            _version_policy(config.model_version_policy),
            dict(config.version_labels),
        )


def default_model_configs(models_dir: Path) -> list[ModelConfig]:
    """The three CNNs of the contract in one volume."""
    root = models_dir.resolve()
    return [ModelConfig(name, root / name) for name in MODEL_NAMES]


def model_configs(config_list: ModelConfigList) -> list[ModelConfig]:
    """Read a list of ``config`` entries.

    Raises:
        ModelConfigError: an entry cannot be served, a name occurs twice, or there are too many
            entries.
    """
    count = len(config_list.config)
    if count > MAX_MODELS:
        raise ModelConfigError(f"{count} models are more than the {MAX_MODELS} that can be served")
    configs = [ModelConfig.from_proto(config) for config in config_list.config]
    seen: set[str] = set()
    for config in configs:
        if config.name in seen:
            raise ModelConfigError(
                f"Illegal to list model {config.name} multiple times in config list"
            )
        seen.add(config.name)
    return configs


def parse_model_configs(text: str) -> list[ModelConfig]:
    """Parse the text of a models.config.

    Raises:
        ModelConfigError: the text is malformed, has no list, or an entry cannot be served.
    """
    try:
        server_config = text_format.Parse(text, ModelServerConfig())
    except text_format.ParseError as error:
        raise ModelConfigError(f"models.config cannot be parsed: {error}") from error
    if not server_config.HasField("model_config_list"):
        raise ModelConfigError("models.config holds no model_config_list")
    return model_configs(server_config.model_config_list)


def read_model_configs(path: Path) -> list[ModelConfig]:
    """Read a models.config file.

    Raises:
        ModelConfigError: the file cannot be read, is malformed, or an entry cannot be served.
    """
    try:
        text = read_config_file(path).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ModelConfigError(f"{path} cannot be read: {unreadable_reason(error)}") from error
    return parse_model_configs(text)


def _check_lengths(config: ModelConfigProto) -> None:
    names = [config.name, *config.version_labels]
    # The name is not quoted: it would make the response and the log just as long.
    if any(len(name) > MAX_NAME_CHARACTERS for name in names):
        raise ModelConfigError(
            f"the name of a model or label has more than {MAX_NAME_CHARACTERS} characters"
        )
    if len(config.base_path) > MAX_PATH_CHARACTERS:
        raise ModelConfigError(
            f"Model {config.name}: base_path has more than {MAX_PATH_CHARACTERS} characters"
        )
    for kind, entries in (
        ("labels", config.version_labels),
        ("versions", config.model_version_policy.specific.versions),
    ):
        if len(entries) > MAX_VERSIONS_NAMED:
            raise ModelConfigError(
                f"Model {config.name} names more than {MAX_VERSIONS_NAMED} {kind}"
            )


def _version_policy(policy: ServableVersionPolicy) -> VersionPolicy:
    match policy.WhichOneof("policy_choice"):
        case "all":
            return All()
        case "specific":
            return Specific(frozenset(policy.specific.versions))
        case _:
            return Latest(policy.latest.num_versions or 1)
