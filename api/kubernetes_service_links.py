"""Ignores the environment variables that Kubernetes sets for the Services of a namespace.

For a Service named ``covidscan``, every pod gets ``COVIDSCAN_PORT=tcp://10.0.0.1:8000``, unless the
pod has ``enableServiceLinks: false``. That is the address of the Service, not the setting ``port``.
"""

import re
from typing import Any, Final

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource

_SERVICE_LINK: Final = re.compile(r"(tcp|udp|sctp)://\S+:\d+", re.ASCII)
_FIELD: Final = "port"


class _EnvironmentWithoutServiceLinks(EnvSettingsSource):
    """The environment without service links for ``port``.

    Other sources, such as ``.env``, are then used as if the variable were not set.
    """

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return the value of a field, its key, and whether to parse it as JSON."""
        value, key, is_complex = super().get_field_value(field, field_name)
        if field_name == _FIELD and isinstance(value, str) and _SERVICE_LINK.fullmatch(value):
            return None, key, is_complex
        return value, key, is_complex


class IgnoresServiceLinks:
    """A mixin for settings that ignore service links; must come before ``BaseSettings``."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - replaced by ours
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The usual sources in their usual order, without service links in the environment."""
        environment = _EnvironmentWithoutServiceLinks(settings_cls)
        return init_settings, environment, dotenv_settings, file_secret_settings
