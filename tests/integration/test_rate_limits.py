"""Rate limits of requests per client address and of images per API key."""

from pathlib import Path

import pytest

from api.http.access.api_keys import create_key
from api.http.access.key_file import change_key_file, read_key_file
from tests.integration.conftest import gateway
from tests.integration.routes import settings_with


def test_an_address_over_its_rate_limit_is_answered_429_with_retry_after():
    with gateway(settings_with(rate_limit_per_address="3/hour")) as client:
        statuses = [client.get("/models").status_code for _ in range(4)]
        rejected = client.get("/nowhere")
        assert client.get("/healthz").status_code == 200
    assert statuses == [200, 200, 200, 429]
    assert rejected.status_code == 429
    assert rejected.json()["type"] == "urn:covidscan:problem:too-many-requests"
    assert 0 < int(rejected.headers["retry-after"]) <= 3600


def test_the_rate_limit_of_a_key_counts_each_image_of_a_batch(keys_file: Path, key: str):
    other, other_record = create_key("other")
    change_key_file(keys_file, lambda _: [*read_key_file(keys_file), other_record])
    files = [("files", ("a.png", b"no image"))] * 3
    settings = settings_with(api_keys_file=keys_file, rate_limit_per_key="5/hour")
    with gateway(settings) as client:

        def batch(key: str) -> int:
            headers = {"X-API-Key": key}
            return client.post("/predict/batch", files=files, headers=headers).status_code

        assert [batch(key), batch(key), batch(other)] == [200, 429, 200]
        file = {"file": ("a.png", b"no image")}
        headers = {"X-API-Key": key}
        statuses = [
            client.post(path, files=file, headers=headers).status_code
            for path in ("/predict", "/", "/")
        ]
        assert statuses == [415, 415, 429]


@pytest.mark.parametrize(("trusted", "statuses"), [([], [200, 429]), (["127.0.0.1"], [200, 200])])
def test_x_forwarded_for_is_used_only_if_a_trusted_proxy_sends_it(
    trusted: list[str], statuses: list[int]
):
    settings = settings_with(
        rate_limit_per_address="1/hour", trusted_proxies=trusted, allow_anonymous=True
    )
    with gateway(settings) as client:
        answered = [
            client.get("/models", headers={"X-Forwarded-For": address}).status_code
            for address in ("203.0.113.1", "203.0.113.2")
        ]
    assert answered == statuses


def test_the_addresses_of_one_ipv6_network_share_a_rate_limit():
    settings = settings_with(
        rate_limit_per_address="1/hour", trusted_proxies=["127.0.0.1"], allow_anonymous=True
    )
    addresses = ("2001:db8::1", "2001:db8::ffff", "2001:db8:1::1", "::ffff:1.2.3.4", "1.2.3.4")
    with gateway(settings) as client:
        answered = [
            client.get("/models", headers={"X-Forwarded-For": address}).status_code
            for address in addresses
        ]
    assert answered == [200, 429, 200, 200, 429]


def test_a_batch_larger_than_the_rate_limit_is_answered_413(keys_file: Path, key: str):
    files = [("files", ("a.png", b"no image"))] * 3
    settings = settings_with(api_keys_file=keys_file, rate_limit_per_key="2/second")
    with gateway(settings) as client:
        response = client.post("/predict/batch", files=files, headers={"X-API-Key": key})
    assert response.status_code == 413
    assert "2 per 1 second" in response.json()["detail"]
