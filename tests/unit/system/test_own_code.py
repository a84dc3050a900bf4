"""Logs say where in our own code an exception was raised."""

import tomllib
from pathlib import Path

import cv2
import pytest

from imaging.preprocess import preprocess
from system.own_code import OWN_PACKAGES, places_in_own_code


def test_the_last_place_is_the_innermost_line_of_our_own_code():
    with pytest.raises(cv2.error) as raised:
        preprocess(None)  # type: ignore[arg-type]
    assert places_in_own_code(raised.value)[-1].startswith("imaging.preprocess:")


def test_all_packages_of_the_wheel_are_our_own_code(repository: Path):
    project = tomllib.loads((repository / "pyproject.toml").read_text())
    assert set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) == set(
        OWN_PACKAGES
    )
