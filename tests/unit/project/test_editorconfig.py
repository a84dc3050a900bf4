"""``.editorconfig`` matches the formatter and the files of the repository."""

import configparser
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

BINARY = {".png"}
UNSTYLED = re.compile(r"/recordings/|_pb2\.pyi?$|\.min\.css$|LICENSE$")
"""Files that were copied, generated or recorded."""


@pytest.fixture(scope="session")
def rules(repository: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read_string("[preamble]\n" + (repository / ".editorconfig").read_text())
    return parser


@pytest.fixture(scope="session")
def texts(repository: Path) -> dict[str, str]:
    """The content of the text files that must have the style, by name."""
    if not (repository / ".git").exists():
        pytest.skip("not a git clone, so git cannot list the files of the project")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=repository, check=True, capture_output=True, text=True)
    return {
        name: (repository / name).read_bytes().decode("utf-8")
        for name in listed.stdout.split("\0")
        if (repository / name).is_file()
        and Path(name).suffix not in BINARY
        and not UNSTYLED.search(name)
    }


def test_the_line_length_and_the_indentation_are_those_of_ruff(
    rules: configparser.ConfigParser, project: dict[str, Any]
):
    assert rules["preamble"]["root"] == "true"
    python = rules["*.{py,pyi}"]
    assert python.getint("max_line_length") == project["tool"]["ruff"]["line-length"]
    # The default of ruff, which its format settings could change.
    assert "format" not in project["tool"]["ruff"]
    assert python.getint("indent_size") == 4


def test_the_files_have_the_configured_line_endings_and_whitespace(
    texts: dict[str, str], rules: configparser.ConfigParser
):
    assert rules["*"]["charset"] == "utf-8"
    assert rules["*"]["end_of_line"] == "lf"
    assert rules["*"].getboolean("trim_trailing_whitespace")
    assert rules["*"].getboolean("insert_final_newline")
    assert "pyproject.toml" in texts
    for name, text in texts.items():
        assert "\r" not in text, name
        assert not re.search(r"[ \t]$", text, re.MULTILINE), name
        assert text.endswith("\n") or not text, name


def test_only_the_makefile_is_indented_with_tabs(
    texts: dict[str, str], rules: configparser.ConfigParser
):
    assert rules["*"]["indent_style"] == "space"
    assert rules["Makefile"]["indent_style"] == "tab"
    indented = {name for name, text in texts.items() if re.search(r"^\t", text, re.MULTILINE)}
    assert indented == {"Makefile"}
