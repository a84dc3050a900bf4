"""Settings come from the environment, and unsafe ones are refused at start."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from api.app import ModelServerNotSetError, create_app
from api.settings import Settings


def test_defaults_listen_on_loopback_only():
    settings = Settings(_env_file=None)
    assert (settings.host, settings.port, settings.models_dir) == (
        "127.0.0.1",
        8000,
        Path("models"),
    )


def test_the_environment_sets_them(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COVIDSCAN_MODEL_SERVER", "serving:8500")
    monkeypatch.setenv("COVIDSCAN_QUORUM", "2")
    settings = Settings(_env_file=None)
    assert (settings.model_server, settings.quorum) == ("serving:8500", 2)


@pytest.mark.parametrize(
    ("name", "value"),
    [("port", 65536), ("quorum", 4), ("quorum", 0), ("operating_point", 1.0), ("max_pixels", 0)],
)
def test_values_out_of_range_are_refused(name: str, value: float):
    with pytest.raises(ValidationError, match=name):
        Settings(_env_file=None, **{name: value})


def test_a_gateway_without_a_model_server_does_not_start():
    with pytest.raises(ModelServerNotSetError, match="COVIDSCAN_MODEL_SERVER"):
        create_app(Settings(_env_file=None))
