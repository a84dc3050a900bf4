"""Provides the servables that the recordings were made with."""

import pytest

from tests.conformance.servables import Servables


@pytest.fixture(scope="session")
def servables(tmp_path_factory: pytest.TempPathFactory) -> Servables:
    return Servables(tmp_path_factory.mktemp("servables"))
