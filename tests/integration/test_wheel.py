"""The sdist and the wheel contain the right files, and the wheel works outside the checkout."""

import json
import os
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest

NOT_SHIPPED = {"__pycache__"}
"""Folders inside the packages that releases do not contain."""

PROGRAM = """
import json, importlib.metadata
import api.app, covidscan, imaging, serving, system, trainer
files = [package.__file__ for package in (api, covidscan, imaging, serving, system, trainer)]
print(json.dumps({"version": importlib.metadata.version("covidscan"), "files": files}))
"""


@pytest.fixture(scope="module")
def project(repository: Path) -> dict[str, Any]:
    return tomllib.loads((repository / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def distributions(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist and a wheel built from it."""
    folder = tmp_path_factory.mktemp("dist")
    # An isolated build would download the build backend.
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder)]
    subprocess.run([*command, str(repository)], check=True, capture_output=True)
    return folder


def shipped_files(repository: Path, packages: list[str]) -> set[str]:
    """Every file of the packages, relative to the checkout."""
    return {
        str(file.relative_to(repository))
        for package in packages
        for file in (repository / package).rglob("*")
        if file.is_file() and not NOT_SHIPPED & set(file.parts)
    }


def empty_environment(folder: Path, wheel: Path) -> Path:
    """Create a virtual environment with only the wheel, and the dependencies of the tests.

    Returns:
        The folder of its executables.
    """
    venv.create(folder, with_pip=False, symlinks=True)
    executables = folder / "bin"
    pip = [sys.executable, "-m", "pip", "--python", str(executables / "python")]
    install = ["install", "--quiet", "--no-deps", "--no-index", "--no-compile", str(wheel)]
    subprocess.run([*pip, *install], check=True, capture_output=True)
    (site_packages,) = (folder / "lib").glob("python*/site-packages")
    # Paths from a .pth file come after the environment's own packages, and .pth files in them are
    # not read. So the editable installation of the checkout is not found.
    dependencies = [path for path in sys.path if Path(path).name == "site-packages"]
    (site_packages / "dependencies.pth").write_text("\n".join(dependencies))
    return executables


def test_the_wheel_contains_every_file_and_works_in_an_empty_environment(
    repository: Path, project: dict[str, Any], distributions: Path, tmp_path: Path
):
    version = project["project"]["version"]
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    (wheel,) = distributions.glob("*.whl")
    assert wheel.name == f"covidscan-{version}-py3-none-any.whl"

    metadata = f"covidscan-{version}.dist-info/"
    files = set(zipfile.ZipFile(wheel).namelist())
    assert {file for file in files if not file.startswith(metadata)} == shipped_files(
        repository, packages
    )
    assert f"{metadata}licenses/LICENSE" in files

    executables = empty_environment(tmp_path / "environment", wheel)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*command: str) -> str:
        name, *arguments = command
        return subprocess.run(
            [executables / name, *arguments],
            cwd=elsewhere,
            env=outside,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    assert "model-server" in run("covidscan", "--help")
    imported = json.loads(run("python", "-c", PROGRAM))
    assert imported["version"] == version
    installed = Path(executables.parent, "lib")
    assert all(Path(file).is_relative_to(installed) for file in imported["files"])


def test_the_sdist_contains_the_packages_and_no_other_folder_of_the_checkout(
    project: dict[str, Any], distributions: Path
):
    (sdist,) = distributions.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        paths = [Path(name).parts[1:] for name in archive.getnames()]
    listed = set(project["tool"]["hatch"]["build"]["targets"]["sdist"]["only-include"])
    added_by_hatchling = {".gitignore", "LICENSE", "PKG-INFO", "README.md", "pyproject.toml"}
    assert {path[0] for path in paths if path} == listed | added_by_hatchling
