"""``covidscan settings`` prints a table of every setting, which the document contains."""

from pathlib import Path

from typer.testing import CliRunner

from api.settings import Settings
from covidscan.main import app


def test_the_document_has_the_table_that_the_command_prints(repository: Path):
    table = CliRunner().invoke(app, ["settings"]).stdout.strip()
    assert table in (repository / "docs" / "operations.md").read_text()


def test_the_table_has_every_setting_with_an_explanation():
    rows = CliRunner().invoke(app, ["settings"]).stdout.splitlines()[2:]
    assert len(rows) == len(Settings.model_fields)
    for name, row in zip(Settings.model_fields, rows, strict=True):
        _, variable, _, explanation, _ = (cell.strip() for cell in row.split("|"))
        assert variable == f"`COVIDSCAN_{name.upper()}`"
        assert explanation.endswith(".")
