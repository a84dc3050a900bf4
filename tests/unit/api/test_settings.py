"""Settings come from the environment, and unsafe ones are rejected at start."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from api.app import create_app
from api.http.access.api_keys import create_key
from api.settings import Settings
from api.start_errors import ModelServerNotSetError


def test_the_service_listens_on_loopback_by_default():
    settings = Settings(_env_file=None)
    assert (settings.host, settings.port, settings.models_dir) == (
        "127.0.0.1",
        8000,
        Path("models"),
    )


def test_environment_variables_set_the_settings(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COVIDSCAN_MODEL_SERVER", "serving:8500")
    monkeypatch.setenv("COVIDSCAN_QUORUM", "2")
    settings = Settings(_env_file=None)
    assert (settings.model_server, settings.quorum) == ("serving:8500", 2)


@pytest.mark.parametrize(
    ("name", "value"),
    [("port", 65536), ("quorum", 4), ("quorum", 0), ("operating_point", 1.0), ("max_pixels", 0)],
)
def test_values_out_of_range_are_rejected(name: str, value: float):
    with pytest.raises(ValidationError, match=name):
        Settings(_env_file=None, **{name: value})


@pytest.mark.parametrize("host", ["https://scan.example", "scan.example:8000", "a b", "*x", "é"])
def test_an_allowed_host_has_neither_scheme_nor_port(host: str):
    with pytest.raises(ValidationError, match="without scheme and port"):
        Settings(_env_file=None, allowed_hosts=f"localhost, {host}")
    names = "scan.example, *.example, *, [::1], 10.0.0.1"
    assert len(Settings(_env_file=None, allowed_hosts=names).allowed_hosts) == 5


def test_a_gateway_without_a_model_server_does_not_start():
    with pytest.raises(ModelServerNotSetError, match="COVIDSCAN_MODEL_SERVER"):
        create_app(Settings(_env_file=None))


@pytest.fixture
def record() -> str:
    return str(create_key("pacs")[1])


@pytest.mark.parametrize(
    "address",
    [
        {"host": "0.0.0.0"},
        {"host": "::"},
        {"publish": "8000"},
        {"host": "scan.local"},
        {"trusted_proxies": "127.0.0.1"},
    ],
)
def test_a_host_that_other_machines_reach_requires_api_keys_or_allow_anonymous(
    address: dict[str, str], record: str, tmp_path: Path
):
    with pytest.raises(ValidationError, match="API keys are required"):
        Settings(_env_file=None, **address)
    for access in (
        {"api_keys": record},
        {"api_keys_file": tmp_path / "keys"},
        {"allow_anonymous": True},
    ):
        Settings(_env_file=None, **address, **access)


@pytest.mark.parametrize("blank", ["", " ", "\n"])
def test_blank_api_keys_count_as_no_api_keys(monkeypatch: pytest.MonkeyPatch, blank: str):
    monkeypatch.setenv("COVIDSCAN_API_KEYS", blank)
    monkeypatch.setenv("COVIDSCAN_API_KEYS_FILE", "")
    assert not Settings(_env_file=None).has_api_keys
    with pytest.raises(ValidationError, match="API keys are required"):
        Settings(_env_file=None, host="0.0.0.0")


def test_a_max_received_bytes_too_small_for_one_body_is_rejected():
    with pytest.raises(ValidationError, match="max_received_bytes"):
        Settings(_env_file=None, max_received_bytes=1000)


def test_the_published_address_decides_whether_api_keys_are_required():
    Settings(_env_file=None, host="0.0.0.0", publish="127.0.0.1:8000")
    with pytest.raises(ValidationError, match=r"10\.0\.0\.1"):
        Settings(_env_file=None, host="127.0.0.1", publish="10.0.0.1:8000")


def test_a_dump_of_the_settings_contains_no_api_keys(record: str):
    settings = Settings(_env_file=None, api_keys=record)
    for dump in (repr(settings), str(settings), settings.model_dump_json()):
        assert record not in dump
        assert record.split(":")[2] not in dump


def test_a_certificate_without_its_key_is_rejected(tmp_path: Path):
    with pytest.raises(ValidationError, match="must be set together"):
        Settings(_env_file=None, tls_certificate_file=tmp_path / "certificate.pem")


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COVIDSCAN_ALLOW_ANONYMOUS", "true")
    monkeypatch.setenv("COVIDSCAN_TRUSTED_PROXIES", "10.0.0.1, 192.168.0.0/16")
    monkeypatch.setenv("COVIDSCAN_CORS_ORIGINS", "https://a.example,https://b.example")
    settings = Settings(_env_file=None)
    assert [str(network) for network in settings.trusted_proxies] == [
        "10.0.0.1/32",
        "192.168.0.0/16",
    ]
    assert settings.cors_origins == ["https://a.example", "https://b.example"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rate_limit_per_key", "many"),
        ("rate_limit_per_address", "5/fortnight"),
        ("trusted_proxies", "everybody"),
    ],
)
def test_malformed_rate_limits_and_proxies_are_rejected(name: str, value: str):
    with pytest.raises(ValidationError, match=name):
        Settings(_env_file=None, **{name: value})


SERVICE_LINKS = {
    "COVIDSCAN_SERVICE_HOST": "10.0.0.1",
    "COVIDSCAN_SERVICE_PORT": "8000",
    "COVIDSCAN_SERVICE_PORT_HTTP": "8000",
    "COVIDSCAN_PORT": "tcp://10.0.0.1:8000",
    "COVIDSCAN_PORT_8000_TCP": "tcp://10.0.0.1:8000",
    "COVIDSCAN_PORT_8000_TCP_PROTO": "tcp",
    "COVIDSCAN_PORT_8000_TCP_PORT": "8000",
    "COVIDSCAN_PORT_8000_TCP_ADDR": "10.0.0.1",
}
"""The variables that Kubernetes sets in every pod of a namespace with a ``covidscan`` Service."""


def test_kubernetes_service_links_do_not_change_the_settings(monkeypatch: pytest.MonkeyPatch):
    before = Settings(_env_file=None)
    for name, value in SERVICE_LINKS.items():
        monkeypatch.setenv(name, value)
    assert Settings(_env_file=None) == before


@pytest.mark.parametrize(
    "link", ["tcp://10.0.0.1:8000", "udp://10.0.0.1:8000", "sctp://[fd00::1]:8000"]
)
def test_a_service_link_does_not_override_the_port_of_the_env_file(
    link: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    env_file = tmp_path / ".env"
    env_file.write_text("COVIDSCAN_PORT=9000\n")
    monkeypatch.setenv("COVIDSCAN_PORT", link)
    assert Settings(_env_file=env_file).port == 9000


@pytest.mark.parametrize("port", ["http://10.0.0.1:8000", "tcp://", "tcp://10.0.0.1", "8000/tcp"])
def test_a_port_that_is_neither_a_number_nor_a_service_link_is_rejected(
    port: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COVIDSCAN_PORT", port)
    with pytest.raises(ValidationError, match="port"):
        Settings(_env_file=None)


def test_no_other_setting_has_the_name_of_a_service_link():
    """A Service called ``covidscan-x`` sets ``COVIDSCAN_X_PORT`` and others with that prefix."""
    links = re.compile(r".*_(PORT|SERVICE_HOST|SERVICE_PORT.*|PORT_\d+_(TCP|UDP|SCTP).*)")
    names = {f"COVIDSCAN_{name.upper()}" for name in Settings.model_fields}
    assert {name for name in names if links.fullmatch(name)} == {"COVIDSCAN_PORT"}
