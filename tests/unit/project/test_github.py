"""The files in ``.github/``: a workflow that runs the Makefile's targets, and templates."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = ".github"

SCHEMAS = {
    "workflows/*.yml": "vendor.github-workflows",
    "ISSUE_TEMPLATE/[!c]*.yml": "vendor.github-issue-forms",
    "ISSUE_TEMPLATE/config.yml": "vendor.github-issue-config",
}
"""The built-in schema of check-jsonschema for each kind of file."""


@pytest.fixture(scope="session")
def workflow_text(repository: Path) -> str:
    (file,) = (repository / FOLDER / "workflows").iterdir()
    return file.read_text()


@pytest.fixture(scope="session")
def workflow(workflow_text: str) -> dict[Any, Any]:
    return yaml.safe_load(workflow_text)


@pytest.fixture(scope="session")
def job(workflow: dict[Any, Any]) -> dict[str, Any]:
    (job,) = workflow["jobs"].values()
    return job


@pytest.mark.parametrize(("pattern", "schema"), SCHEMAS.items())
def test_the_files_match_their_schemas(repository: Path, pattern: str, schema: str):
    files = [str(file) for file in (repository / FOLDER).glob(pattern)]
    assert files
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema]
    outcome = subprocess.run([*command, *files], capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout


def test_the_workflow_runs_only_makefile_targets(job: dict[str, Any], makefile_targets: set[str]):
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert commands == ["make smoke", "make test"]
    assert {command.removeprefix("make ") for command in commands} <= makefile_targets


def test_the_smoke_test_starts_the_service_with_make_serve(repository: Path):
    makefile = (repository / "Makefile").read_text()
    (recipe,) = re.findall(r"^smoke:.*\n((?:\t.+\n)+)", makefile, re.MULTILINE)
    assert recipe.strip() == "$(BIN)/python .ci/smoke.py $(MAKE) serve"


def test_the_workflow_tests_the_python_versions_of_the_classifiers(
    job: dict[str, Any], project: dict[str, Any]
):
    prefix = "Programming Language :: Python :: "
    supported = [
        classifier.removeprefix(prefix)
        for classifier in project["project"]["classifiers"]
        if classifier.startswith(prefix)
    ]
    assert job["strategy"]["matrix"]["python"] == supported
    (setup,) = (step for step in job["steps"] if "setup-python" in step.get("uses", ""))
    assert setup["with"]["python-version"] == "${{ matrix.python }}"


def test_actions_are_pinned_to_a_commit(workflow_text: str):
    uses = re.findall(r"uses: (.+)", workflow_text)
    assert uses
    for action in uses:
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


def test_the_workflow_has_only_read_permissions_and_a_timeout(
    workflow: dict[Any, Any], job: dict[str, Any]
):
    assert workflow["permissions"] == {"contents": "read"}
    assert "permissions" not in job
    assert "github.ref" in workflow["concurrency"]["group"]
    assert job["timeout-minutes"] <= 90
    (checkout,) = (step for step in job["steps"] if "checkout" in step.get("uses", ""))
    assert checkout["with"]["persist-credentials"] is False


def test_the_bug_form_asks_for_no_patient_images(repository: Path):
    form = yaml.safe_load((repository / FOLDER / "ISSUE_TEMPLATE" / "bug.yml").read_text())
    introduction, *_, confirmation = form["body"]
    assert "Do not attach patient images" in introduction["attributes"]["value"]
    (option,) = confirmation["attributes"]["options"]
    assert "no patient images" in option["label"]
    assert option["required"] is True


def test_the_pull_request_template_asks_for_make_test(repository: Path, makefile_targets: set[str]):
    template = (repository / FOLDER / "pull_request_template.md").read_text()
    named = set(re.findall(r"`make ([a-z]+)`", template))
    assert "test" in named
    assert named <= makefile_targets
