"""``covidscan keys`` creates, lists and revokes API keys."""

from pathlib import Path

from click.testing import Result
from typer.testing import CliRunner

from api.http.access.api_keys import find_record, parse_records
from api.http.access.key_file import read_key_file
from covidscan.main import app


def keys(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["keys", *map(str, arguments)])


def test_create_prints_the_key_and_stores_only_its_record(tmp_path: Path):
    file = tmp_path / "keys"
    printed = keys("create", "pacs", "--file", file).stdout.split()
    assert len(printed) == 1
    records = read_key_file(file)
    assert find_record(records, printed[0]) == records[0]
    assert printed[0] not in file.read_text()


def test_several_keys_are_valid_until_one_is_revoked(tmp_path: Path):
    file = tmp_path / "keys"
    for name in ("pacs-old", "pacs-new"):
        assert keys("create", name, "--file", file).exit_code == 0
    old, new = read_key_file(file)
    assert keys("list", "--file", file).stdout.splitlines() == [
        f"{old.id}  pacs-old",
        f"{new.id}  pacs-new",
    ]
    assert keys("revoke", old.id, "--file", file).exit_code == 0
    assert read_key_file(file) == [new]


def test_create_without_a_file_prints_the_record_for_the_environment():
    result = keys("create", "pacs")
    (record,) = parse_records(result.stderr.split(": ", 1)[1])
    assert find_record([record], result.stdout.strip()) == record


def test_invalid_usage_exits_with_code_2_and_one_line_on_stderr(tmp_path: Path):
    file = tmp_path / "keys"
    assert keys("create", "pacs", "--file", file).exit_code == 0
    for arguments in (
        ("create", "no spaces", "--file", file),
        ("revoke", "00000000", "--file", file),
        ("list", "--file", tmp_path / "missing"),
        ("create", "pacs", "--file", tmp_path / "no" / "folder" / "keys"),
    ):
        result = keys(*arguments)
        assert result.exit_code == 2, arguments
        assert result.stderr.startswith("covidscan: ")
        assert result.stderr.count("\n") == 1
