"""The address of the client and the scheme, behind trusted and untrusted proxies."""

import ipaddress

import pytest
from starlette.types import Receive, Scope, Send

from api.http.access.client_address import ClientAddressMiddleware, network_of

TRUSTED = [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("2001:db8:1::/48")]


async def scope_behind(peer: str, *headers: tuple[str, str]) -> Scope:
    """The scope that the app receives behind the middleware."""
    scopes: list[Scope] = []

    async def app(scope: Scope, _: Receive, __: Send) -> None:
        scopes.append(scope)

    scope = {
        "type": "http",
        "client": (peer, 5),
        "scheme": "http",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
    }
    await ClientAddressMiddleware(app, trusted=TRUSTED)(scope, None, None)  # type: ignore[arg-type]
    return scopes[0]


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", ["198.51.100.7"], "192.0.2.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("::ffff:10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["6.6.6.6, 198.51.100.7, 10.9.9.9"], "198.51.100.7"),
        ("10.0.0.1", ["6.6.6.6", "198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["198.51.100.7:4711"], "198.51.100.7"),
        ("10.0.0.1", ["[2001:db8:2::7]:4711"], "2001:db8:2::7"),
        ("2001:db8:1::1", ["2001:DB8:2::7"], "2001:db8:2::7"),
        ("10.0.0.1", ["::ffff:198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["fe80::1%<script>"], "fe80::1"),
        # A trusted proxy writes nothing but addresses.
        ("10.0.0.1", ["Muster^Maria"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.7, unknown, 10.2.2.2"], "10.2.2.2"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", ["1" * 5000], "10.0.0.1"),
        ("10.0.0.1", ["10.3.3.3"], "10.3.3.3"),
    ],
)
async def test_the_client_is_the_last_address_that_is_not_a_trusted_proxy(
    peer: str, forwarded: list[str], client: str
):
    scope = await scope_behind(peer, *(("x-forwarded-for", value) for value in forwarded))
    assert scope["client"][0] == client


@pytest.mark.parametrize(
    ("peer", "forwarded_scheme", "scheme"),
    [
        ("10.0.0.1", "https", "https"),
        ("10.0.0.1", "http, HTTPS", "https"),
        ("10.0.0.1", "javascript", "http"),
        ("192.0.2.1", "https", "http"),
    ],
)
async def test_only_a_trusted_proxy_sets_the_scheme(peer: str, forwarded_scheme: str, scheme: str):
    assert (await scope_behind(peer, ("x-forwarded-proto", forwarded_scheme)))["scheme"] == scheme


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1:2:3:4", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_an_ipv6_address_is_reduced_to_its_64_network(address: str, network: str):
    assert network_of(address) == network
