"""Leaves out the variables that Kubernetes sets for the Services of a namespace.

A Service called ``covidscan`` sets ``COVIDSCAN_PORT=tcp://10.0.0.1:8000`` in every pod, unless the
pod has ``enableServiceLinks: false``. That is the address of the Service, not the setting ``port``.
"""

import re
from typing import Any, Final

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource

_SERVICE_LINK: Final = re.compile(r"(tcp|udp|sctp)://\S+:\d+", re.ASCII)
_FIELD: Final = "port"


class _EnvironmentWithoutServiceLinks(EnvSettingsSource):
    """The environment, in which a service link does not set ``port``.

    Settings from elsewhere, such as ``.env``, are then used as if the variable was not there.
    """

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The value of a field, its key, and whether it is to be parsed as JSON."""
        value, key, is_complex = super().get_field_value(field, field_name)
        if field_name == _FIELD and isinstance(value, str) and _SERVICE_LINK.fullmatch(value):
            return None, key, is_complex
        return value, key, is_complex


class IgnoresServiceLinks:
    """For settings that the name of a Service must not change; listed before ``BaseSettings``."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - ours takes its place
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The usual sources in their usual order, with our reading of the environment."""
        environment = _EnvironmentWithoutServiceLinks(settings_cls)
        return init_settings, environment, dotenv_settings, file_secret_settings
