"""All servables of a model server, kept in sync with the volume and models.config."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from serving.embedded.errors import failed_precondition, invalid_argument, not_found, unknown
from serving.embedded.loader import Loader
from serving.embedded.servable import Servable, ServableVersion
from serving.protos.model_status_pb2 import Code
from serving.protos.predict_pb2 import ModelSpec
from serving.volume.model_config import MAX_MODELS, ModelConfig

logger = logging.getLogger(__name__)


class ModelRepository:
    """Polls the directory of each model and swaps versions.

    Args:
        loader: loads versions.
        poll_seconds: the interval for polling a model's directory.
        allow_labels_for_unavailable: whether a label may refer to an unavailable version.
    """

    def __init__(
        self,
        loader: Loader,
        *,
        poll_seconds: float,
        allow_labels_for_unavailable: bool,
    ) -> None:
        self._loader = loader
        self._poll_seconds = poll_seconds
        self._allow_labels_for_unavailable = allow_labels_for_unavailable
        self._listeners: list[Callable[[ServableVersion | None], None]] = []
        self._watches: dict[str, asyncio.Task[None]] = {}
        self._served: dict[str, Servable] = {}
        self._servables: dict[str, Servable] = {}
        """Current and former models; the status of former ones may still be requested."""
        self._reloading = asyncio.Lock()

    @property
    def served(self) -> Mapping[str, Servable]:
        """The models of the current configuration."""
        return self._served

    def versions(self, name: str) -> Sequence[ServableVersion]:
        """Every version of a model ever seen, newest first, even of a removed model."""
        return self._servables[name].versions if name in self._servables else ()

    def find(self, spec: ModelSpec) -> ServableVersion:
        """The available version that a request selects, by default the newest.

        Raises:
            CallError: there is none; with TensorFlow Serving's status code and message.
        """
        if not spec.name:
            raise invalid_argument("ModelSpec has no name specified.")
        servable = self._served.get(spec.name)
        number = None
        if spec.WhichOneof("version_choice") == "version_label":
            labels = servable.config.version_labels if servable else {}
            if spec.version_label not in labels:
                raise invalid_argument(f"Unrecognized servable version label: {spec.version_label}")
            number = labels[spec.version_label]
        elif spec.HasField("version"):
            number = spec.version.value
        version = servable.find(number) if servable else None
        if version is None:
            asked = f"Latest({spec.name})" if number is None else f"Specific({spec.name}, {number})"
            raise not_found(f"Servable not found for request: {asked}")
        return version

    def on_change(self, listener: Callable[[ServableVersion | None], None]) -> None:
        """Call ``listener`` with a version after every change of its state.

        It is called with None after models were added or removed.
        """
        self._listeners.append(listener)

    def configure(self, configs: Sequence[ModelConfig]) -> None:
        """Serve exactly these models from now on; loading continues in the background.

        A rejected configuration changes nothing.

        Raises:
            CallError: a label refers to an unavailable version.
        """
        self._check_labels(configs)
        gone = self._watches.keys() - {config.name for config in configs}
        for name in gone:
            self._watches.pop(name).cancel()
            self._served.pop(name).stop()
        came = [config.name for config in configs if config.name not in self._watches]
        for config in configs:
            self._serve(config)
        self._forget_oldest()
        if gone or came:
            # Once for all changes, because each listener checks every model.
            self._changed(None)

    async def reload(self, configs: Sequence[ModelConfig]) -> None:
        """Serve exactly these models from now on; returns once their versions are loaded.

        Raises:
            CallError: the configuration is rejected, or one of its models has only broken versions.
        """
        async with self._reloading:
            self.configure(configs)
            servables = [self._servables[config.name] for config in configs]
            await asyncio.gather(*(servable.settle() for servable in servables))
            broken = [
                f"{{{{name: {servable.config.name} version: {version.number}}} due to error:"
                f" {Code.Name(version.error.code)}: {version.error.message}}}, "
                for servable in servables
                if servable.find() is None
                for version in servable.versions
                if version.error is not None
            ]
            if broken:
                raise unknown(
                    f"{len(broken)} model(s) did not become available: {{{''.join(broken)}}}"
                )

    async def stop(self) -> None:
        """Stop watching and unload everything."""
        watches = list(self._watches.values())
        for watch in watches:
            watch.cancel()
        for servable in self._served.values():
            servable.stop()
        await asyncio.gather(*watches, return_exceptions=True)
        self._loader.stop()

    def _serve(self, config: ModelConfig) -> None:
        if config.name not in self._servables:
            self._servables[config.name] = Servable(config, self._loader, self._changed)
        servable = self._servables[config.name]
        servable.config = config
        if config.name not in self._watches:
            self._served[config.name] = servable
            self._watches[config.name] = asyncio.create_task(
                self._watch(servable), name=f"watch {config.name}"
            )

    def _forget_oldest(self) -> None:
        """Limit the number of former models that are kept."""
        removed = [name for name in self._servables if name not in self._served]
        for name in removed[: max(0, len(removed) - MAX_MODELS)]:
            del self._servables[name]

    def _check_labels(self, configs: Sequence[ModelConfig]) -> None:
        if self._allow_labels_for_unavailable:
            return
        for config in configs:
            servable = self._served.get(config.name)
            for number in config.version_labels.values():
                if servable is None or servable.find(number) is None:
                    raise failed_precondition(
                        f"Request to assign label to version {number} of model {config.name},"
                        " which is not currently available for inference"
                    )

    async def _watch(self, servable: Servable) -> None:
        while True:
            await servable.poll()
            await asyncio.sleep(self._poll_seconds)

    def _changed(self, version: ServableVersion | None) -> None:
        for listener in self._listeners:
            listener(version)
