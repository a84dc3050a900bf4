import re
import tomllib
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def project(repository: Path) -> dict[str, Any]:
    """``pyproject.toml``."""
    return tomllib.loads((repository / "pyproject.toml").read_text())


@pytest.fixture(scope="session")
def makefile_targets(repository: Path) -> set[str]:
    """The phony targets that the Makefile defines and declares."""
    makefile = (repository / "Makefile").read_text()
    (declared,) = re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    defined = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    assert set(declared.split()) == defined
    return defined
