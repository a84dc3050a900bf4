"""Fixtures of the soak tests."""

import pytest

from tests.soak.known_answers import KnownNetworks, make_known_networks


@pytest.fixture(scope="session")
def known(tmp_path_factory: pytest.TempPathFactory) -> KnownNetworks:
    """Networks whose answers to some images are known in advance."""
    return make_known_networks(tmp_path_factory.mktemp("known"))
