import re
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

DOCKERFILES = {"api": "Dockerfile.api", "trainer": "Dockerfile.trainer"}


@pytest.fixture(params=DOCKERFILES)
def service(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def dockerfile(root: Path, service: str) -> str:
    return (root / DOCKERFILES[service]).read_text()


@pytest.fixture(scope="session")
def image_python(root: Path) -> str:
    """The Python version that all stages of both images start from."""
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


def test_compose_builds_from_it(services: dict[str, Any], service: str):
    assert services[service]["build"] == {"context": ".", "dockerfile": DOCKERFILES[service]}
    # With a name of its own, compose would look for it in a registry first.
    assert "image" not in services[service]


@pytest.mark.parametrize("package", ["tensorflow", "tensorflow-serving-api"])
def test_the_trainer_is_no_newer_than_the_server(
    root: Path, model_server: dict[str, Any], image_python: str, package: str
):
    repository, _, tag = model_server["image"].partition(":")
    assert repository == "tensorflow/serving"
    assert minor(constrained_version(root, package, image_python)) == minor(tag)


def test_the_image_s_python_is_supported(project: dict[str, Any], image_python: str):
    assert f"{image_python}.0" in SpecifierSet(project["project"]["requires-python"])


def test_it_runs_as_the_user_that_owns_the_volume(
    services: dict[str, Any], service: str, dockerfile: str
):
    final_stage = dockerfile.rpartition("\nFROM ")[2]
    (user,) = re.findall(r"^USER (.+)$", final_stage, re.MULTILINE)
    assert user == services[service]["user"] == services["model-server"]["user"]
    assert f"useradd --uid {user.partition(':')[0]} " in dockerfile
    assert "install --directory --owner covidscan --group covidscan /models" in dockerfile


def test_what_compose_starts_the_image_starts_by_itself(
    services: dict[str, Any], service: str, dockerfile: str
):
    (command,) = re.findall(r"^CMD (.+)$", dockerfile, re.MULTILINE)
    assert re.findall(r'"(.+?)"', command) == services[service]["command"]


def test_every_install_is_pinned(dockerfile: str):
    installs = re.findall(r"pip install (.+)$", dockerfile, re.MULTILINE)
    assert installs
    assert all("--constraint" in install or "--no-deps" in install for install in installs)
    assert not re.search(r"://|index-url", dockerfile)


def test_the_gateway_installs_neither_tensorflow_nor_openvino(root: Path, project: dict[str, Any]):
    assert "optional-dependencies" not in (root / DOCKERFILES["api"]).read_text()
    names = {Requirement(text).name for text in project["project"]["dependencies"]}
    assert not {"tensorflow", "tensorflow-serving-api", "keras", "openvino"} & names


def test_only_a_change_of_requirements_reinstalls_them(dockerfile: str):
    (dependencies,) = re.findall(
        r"^FROM base AS dependencies$.*?(?=^FROM )", dockerfile, re.MULTILINE | re.DOTALL
    )
    assert set(re.findall(r"^COPY (.+) \./$", dependencies, re.MULTILINE)) == {
        "--from=requirements /src/requirements.txt",
        "constraints.txt",
    }


def test_the_build_context_is_exactly_what_is_copied(
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
