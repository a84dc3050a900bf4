"""A table is written in parts, resumed after an interruption, and finished as one file."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from covidscan.scoring.rows import COLUMNS, Row, Status
from covidscan.scoring.table import SCHEMA, GrowingTable, TableError

OPTIONS: dict[str, object] = {"images": "folder", "tta": 0}


def row(name: str, status: Status = Status.OK, **values: object) -> Row:
    return dict.fromkeys(COLUMNS) | {"file": name, "status": str(status)} | values


def test_a_finished_table_has_every_row_in_order_and_leaves_no_other_files(tmp_path: Path):
    table = GrowingTable(tmp_path / "t.parquet", OPTIONS)
    table.add([row("a", probability=0.5, frame=3, review=True), row("b", Status.REJECTED)])
    table.add([row("c")])
    assert table.finish() == {"ok": 2, "rejected": 1, "failed": 0}
    read = pq.read_table(tmp_path / "t.parquet")
    assert read.schema.equals(SCHEMA)
    assert read["file"].to_pylist() == ["a", "b", "c"]
    assert read.to_pylist()[0]["probability"] == 0.5
    assert [file.name for file in tmp_path.iterdir()] == ["t.parquet"]


def test_a_second_run_resumes_and_retries_failed_rows(tmp_path: Path):
    first = GrowingTable(tmp_path / "t.parquet", OPTIONS)
    first.add([row("a"), row("b", Status.FAILED), row("c", Status.REJECTED)])
    second = GrowingTable(tmp_path / "t.parquet", OPTIONS)
    assert second.done() == {"a", "c"}
    second.add([row("b", probability=0.25)])
    assert second.finish() == {"ok": 2, "rejected": 1, "failed": 0}
    rows = {each["file"]: each for each in pq.read_table(tmp_path / "t.parquet").to_pylist()}
    assert (rows["b"]["status"], rows["b"]["probability"]) == ("ok", 0.25)


def test_a_partially_written_part_is_ignored(tmp_path: Path):
    GrowingTable(tmp_path / "t.parquet", OPTIONS).add([row("a")])
    (tmp_path / "t.parquet.parts" / ".000001.parquet").write_bytes(b"PAR1")
    table = GrowingTable(tmp_path / "t.parquet", OPTIONS)
    assert table.done() == {"a"}
    table.add([row("b")])
    assert table.finish()["ok"] == 2


def test_parts_of_a_run_with_other_options_are_not_resumed(tmp_path: Path):
    GrowingTable(tmp_path / "t.parquet", OPTIONS).add([row("a")])
    with pytest.raises(TableError, match="other options; remove it"):
        GrowingTable(tmp_path / "t.parquet", {**OPTIONS, "tta": 8})


def test_a_table_without_rows_is_a_valid_table(tmp_path: Path):
    assert GrowingTable(tmp_path / "t.parquet", OPTIONS).finish() == {
        "ok": 0,
        "rejected": 0,
        "failed": 0,
    }
    assert pq.read_table(tmp_path / "t.parquet").schema.equals(SCHEMA)


def test_a_table_that_cannot_be_written_raises_table_error(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(TableError, match="cannot be used"):
        GrowingTable(tmp_path / "file" / "t.parquet", OPTIONS)
