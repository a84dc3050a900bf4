"""The Dockerfiles, the locked requirements and the build context."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from system.container_user import CONTAINER_USER

DOCKERFILES = {"api": "Dockerfile.api", "trainer": "Dockerfile.trainer"}

LOCKS: dict[str, list[str]] = {
    "api.txt": ["tracing"],
    "trainer.txt": ["trainer"],
    "trainer-gpu.txt": ["trainer"],
    "build.txt": [],
}
"""The lock files in `requirements/`, and the extras that each includes."""
BUILD_ONLY = ("build.txt",)
"""Requirements that build the project but are not installed in an image."""


@pytest.fixture(params=DOCKERFILES)
def service(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def dockerfile(root: Path, service: str) -> str:
    return (root / DOCKERFILES[service]).read_text()


@pytest.fixture(scope="session")
def image_python(root: Path) -> str:
    """The Python version on which all stages of both images are based."""
    text = "".join((root / name).read_text() for name in DOCKERFILES.values())
    (version,) = set(re.findall(r"^FROM python:(\d+\.\d+)-slim-bookworm ", text, re.MULTILINE))
    return version


def constrained_version(root: Path, package: str, python: str) -> str:
    environment = {"python_version": python, "python_full_version": f"{python}.0"}
    (pin,) = (
        requirement
        for requirement in map(Requirement, (root / "constraints.txt").read_text().splitlines())
        if requirement.name == package
        and (requirement.marker is None or requirement.marker.evaluate(environment))
    )
    return str(pin.specifier).removeprefix("==")


def minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def test_compose_builds_the_image_from_the_dockerfile(services: dict[str, Any], service: str):
    assert services[service]["build"] == {"context": ".", "dockerfile": DOCKERFILES[service]}
    # If it had a name, Compose would try to pull it from a registry first.
    assert "image" not in services[service]


@pytest.mark.parametrize("package", ["tensorflow", "tensorflow-serving-api"])
def test_the_trainer_has_the_minor_version_of_the_model_server(
    root: Path, model_server: dict[str, Any], image_python: str, package: str
):
    repository, _, tag = model_server["image"].partition(":")
    assert repository == "tensorflow/serving"
    assert minor(constrained_version(root, package, image_python)) == minor(tag)


def test_the_project_supports_the_python_version_of_the_images(
    project: dict[str, Any], image_python: str
):
    assert f"{image_python}.0" in SpecifierSet(project["project"]["requires-python"])


def test_the_image_runs_as_the_user_that_owns_the_volume(
    services: dict[str, Any], service: str, dockerfile: str
):
    final_stage = dockerfile.rpartition("\nFROM ")[2]
    (user,) = re.findall(r"^USER (.+)$", final_stage, re.MULTILINE)
    assert user == services[service]["user"] == services["model-server"]["user"]
    assert user == f"{CONTAINER_USER}:{CONTAINER_USER}"
    assert f"useradd --uid {user.partition(':')[0]} " in dockerfile
    assert "install --directory --owner covidscan --group covidscan /models" in dockerfile


def test_the_default_command_of_the_image_is_the_command_in_compose(
    services: dict[str, Any], service: str, dockerfile: str
):
    (command,) = re.findall(r"^CMD (.+)$", dockerfile, re.MULTILINE)
    assert re.findall(r'"(.+?)"', command) == services[service]["command"]


def test_every_pip_install_except_of_the_project_itself_requires_hashes(dockerfile: str):
    commands = dockerfile.replace("\\\n", " ")
    installs = re.findall(r"pip (?:install|wheel) ([^&\n]+)", commands)
    assert len(installs) == 4
    for install in installs:
        # The project itself has no hash: it is built from the copied sources, without an index.
        installs_project = "--no-deps --no-index" in install
        assert installs_project != ("--require-hashes" in install)
        assert installs_project != ("--only-binary :all:" in install)
    assert not re.search(r"://|index-url|trusted-host", dockerfile)


def test_a_rebuild_after_a_source_change_needs_no_package_index(dockerfile: str):
    stages = dict(
        re.findall(r"^FROM \S+ AS (\w+)$(.*?)(?=^FROM )", dockerfile, re.MULTILINE | re.DOTALL)
    )
    assert "requirements/build.txt" in stages["dependencies"]
    assert "COPY requirements requirements" in stages["dependencies"]
    commands = re.findall(
        r"pip (?:install|wheel) (.+?)(?: \\)?$", stages["application"], re.MULTILINE
    )
    assert len(commands) == 2
    assert all("--no-index" in command for command in commands)


def test_the_image_labels_contain_licence_title_version_revision_and_source(
    dockerfile: str, project: dict[str, Any]
):
    final_stage = dockerfile.rpartition("\nFROM ")[2]
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', final_stage))
    assert labels["licenses"] == project["project"]["license"]
    assert labels.keys() >= {"title", "description"}
    arguments = {"version": "VERSION", "revision": "REVISION", "source": "SOURCE"}
    assert {name: labels[name] for name in arguments} == {
        name: f"${argument}" for name, argument in arguments.items()
    }
    assert f"ARG VERSION={project['project']['version']}\n" in final_stage


def test_slim_keeps_the_codecs_that_dicom_needs(root: Path, tmp_path: Path):
    """What remains of imagecodecs decodes every DICOM format; an unneeded codec is removed."""
    import imagecodecs

    installed = Path(imagecodecs.__file__).parents[1]
    for folder in ("imagecodecs", "imagecodecs.libs"):
        if (installed / folder).is_dir():
            shutil.copytree(installed / folder, tmp_path / folder)
    (tmp_path / "pkg" / "tests").mkdir(parents=True)
    (tmp_path / "pkg" / "tests" / "test_it.py").touch()
    (tmp_path / "pkg" / "tests" / "helper.py").touch()
    (tmp_path / "tensorflow" / "include").mkdir(parents=True)
    slim = [sys.executable, str(root / "requirements" / "slim.py"), str(tmp_path)]
    subprocess.run(slim, check=True, capture_output=True)
    assert not (tmp_path / "tensorflow" / "include").exists()
    assert [file.name for file in (tmp_path / "pkg" / "tests").iterdir()] == ["helper.py"]
    source = (root / "imaging" / "dicom" / "frame.py").read_text()
    decoders = set(re.findall(r"imagecodecs\.(\w+_decode)", source))
    assert decoders == {"jpeg8_decode", "jpegls_decode", "jpeg2k_decode", "dicomrle_decode"}
    program = """
import numpy, imagecodecs
from imagecodecs import dicomrle_decode
image = numpy.arange(4096, dtype=numpy.uint8).reshape(64, 64)
for name in ("jpeg8", "jpegls", "jpeg2k"):
    encoded = getattr(imagecodecs, f"{name}_encode")(image)
    assert getattr(imagecodecs, f"{name}_decode")(encoded).shape == image.shape
lossless = imagecodecs.jpeg8_encode(image, lossless=True)
assert (imagecodecs.jpeg8_decode(lossless) == image).all()
assert not imagecodecs.AVIF.available
"""
    subprocess.run(
        [sys.executable, "-c", program], env=os.environ | {"PYTHONPATH": str(tmp_path)}, check=True
    )


@dataclass(frozen=True)
class Locked:
    """A requirement of an image, with the hashes of its files."""

    requirement: Requirement
    hashes: list[str]


def locked(root: Path, name: str) -> list[Locked]:
    text = (root / "requirements" / name).read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return [
        Locked(Requirement(line.split("--hash")[0].strip()), re.findall(r"--hash=(\S+)", line))
        for line in lines
    ]


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_requirement_has_hashes_and_the_version_in_the_constraints(
    root: Path, name: str
):
    assert (root / "requirements" / name).stat().st_size < 1_000_000
    pinned = {
        (pin.name, str(pin.specifier))
        for pin in map(Requirement, (root / "constraints.txt").read_text().splitlines())
    }
    entries = locked(root, name)
    assert entries
    for entry in entries:
        assert entry.hashes
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in entry.hashes)
        if not entry.requirement.name.startswith("nvidia-"):
            assert (entry.requirement.name, str(entry.requirement.specifier)) in pinned


@pytest.mark.parametrize(("name", "extras"), LOCKS.items())
def test_the_lock_file_satisfies_every_dependency_of_the_project(
    root: Path, project: dict[str, Any], image_python: str, name: str, extras: list[str]
):
    environment = {"python_version": image_python, "python_full_version": f"{image_python}.0"}
    dependencies = [*project["build-system"]["requires"]]
    if name not in BUILD_ONLY:
        dependencies = [*project["project"]["dependencies"]]
    for extra in extras:
        dependencies += project["project"]["optional-dependencies"][extra]
    listed = {
        entry.requirement.name: str(entry.requirement.specifier).removeprefix("==")
        for entry in locked(root, name)
        if entry.requirement.marker is None or entry.requirement.marker.evaluate(environment)
    }
    for requirement in map(Requirement, dependencies):
        if requirement.marker is None or requirement.marker.evaluate(environment):
            assert listed[requirement.name] in requirement.specifier


def test_the_gateway_installs_neither_tensorflow_nor_openvino(root: Path, project: dict[str, Any]):
    assert "requirements/api.txt" in (root / DOCKERFILES["api"]).read_text()
    names = {Requirement(text).name for text in project["project"]["dependencies"]}
    names |= {entry.requirement.name for entry in locked(root, "api.txt")}
    assert not {"tensorflow", "tensorflow-serving-api", "keras", "openvino"} & names


def test_only_a_change_of_the_requirements_reinstalls_them(dockerfile: str):
    (dependencies,) = re.findall(
        r"^FROM base AS dependencies$.*?(?=^FROM )", dockerfile, re.MULTILINE | re.DOTALL
    )
    assert re.findall(r"^COPY (.+)$", dependencies, re.MULTILINE) == ["requirements requirements"]


def test_the_build_context_contains_exactly_the_copied_files(
    root: Path, project: dict[str, Any], dockerfile: str
):
    ignore = [
        line
        for line in (root / ".dockerignore").read_text().splitlines()
        if not line.startswith("#")
    ]
    assert ignore[0] == "*"
    sent = {line.strip("!/") for line in ignore if line.startswith("!")}
    copied = {
        source
        for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE)
        for source in sources.split()
    }
    assert copied == sent
    assert set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) <= copied
