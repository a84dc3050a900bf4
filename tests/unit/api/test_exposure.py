"""Which hosts only this machine can reach, and on which host a port is published."""

import pytest

from api.exposure import is_loopback, published_host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost"])
def test_loopback_hosts_are_recognised(host: str):
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "10.0.0.1", "example.org", "localhost.example.org", "", "127.0.0.1.x"]
)
def test_any_other_host_counts_as_reachable_from_other_machines(host: str):
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("publish", "host"),
    [
        ("127.0.0.1:8000", "127.0.0.1"),
        ("8000", "0.0.0.0"),
        (":8000", "0.0.0.0"),
        ("[::1]:8000", "[::1]"),
        ("0.0.0.0:8000", "0.0.0.0"),
    ],
)
def test_a_port_without_a_host_is_published_on_all_interfaces(publish: str, host: str):
    assert published_host(publish) == host
