"""Who can reach an address."""

import pytest

from api.exposure import is_loopback, published_host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost"])
def test_only_this_machine_reaches_loopback(host: str):
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "10.0.0.1", "example.org", "localhost.example.org", "", "127.0.0.1.x"]
)
def test_all_else_is_taken_for_outside(host: str):
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
def test_without_a_host_a_port_is_published_to_all(publish: str, host: str):
    assert published_host(publish) == host
