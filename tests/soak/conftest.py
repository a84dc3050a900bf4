"""Fixtures of the tests at length."""

import pytest

from tests.soak.known_answers import KnownNetworks, make_known_networks


@pytest.fixture(scope="session")
def known(tmp_path_factory: pytest.TempPathFactory) -> KnownNetworks:
    """Networks whose answers are known beforehand."""
    return make_known_networks(tmp_path_factory.mktemp("known"))
