"""The table on disk: written in parts, so that an interrupted run can continue; then one file.

Until all files are scored, ``results.parquet.parts/`` exists beside ``results.parquet``.
"""

import json
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from covidscan.scoring.rows import COLUMNS, Row, Status
from system.replacement import replacing

_TYPES: Final = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}

SCHEMA: Final = pa.schema(
    [
        pa.field(name, _TYPES[kind], nullable=name not in {"file", "status"})
        for name, kind in COLUMNS.items()
    ]
)


class TableError(Exception):
    """The table cannot be written, or belongs to another run."""


class GrowingTable:
    """A table that is written part by part.

    Args:
        path: the path of the finished table.
        options: what determines the content of its rows. Only a run with the same options continues
            with existing parts.
    """

    def __init__(self, path: Path, options: dict[str, object]) -> None:
        self.problems: Counter[str] = Counter()
        """The number of rows in the finished table by problem."""
        self._path = path
        self._parts_dir = path.with_name(f"{path.name}.parts")
        self._options_file = self._parts_dir / "options.json"
        written = json.dumps(options, sort_keys=True)
        try:
            self._parts_dir.mkdir(parents=True, exist_ok=True)
            if not self._options_file.exists():
                self._options_file.write_text(written)
            same = self._options_file.read_text() == written
        except OSError as error:
            raise TableError(f"{self._parts_dir} cannot be used: {error.strerror}") from error
        if not same:
            raise TableError(
                f"{self._parts_dir} belongs to a run with other options; remove it, or use the same"
                " options"
            )

    def done(self) -> frozenset[str]:
        """Return the files that need not be scored again. Failed ones need to."""
        names: set[str] = set()
        for part in self._parts():
            table = _read(part, ["file", "status"])
            for name, status in zip(*(column.to_pylist() for column in table), strict=True):
                if status != Status.FAILED:
                    names.add(name)
        return frozenset(names)

    def add(self, rows: Sequence[Row]) -> None:
        """Write a part, completely or not at all.

        Raises:
            TableError: it cannot be written.
        """
        part = self._parts_dir / f"{len(self._parts()):06d}.parquet"
        try:
            # Arrow accepts only paths that are valid UTF-8.
            with replacing(part) as file:
                pq.write_table(pa.Table.from_pylist(list(rows), SCHEMA), file)
        except OSError as error:
            raise TableError(f"{part} cannot be written: {error.strerror}") from error

    def finish(self) -> dict[str, int]:
        """Combine the parts into one table; return the number of rows by status.

        Raises:
            TableError: it cannot be written.
        """
        counts = dict.fromkeys(map(str, Status), 0)
        try:
            with replacing(self._path) as file, pq.ParquetWriter(file, SCHEMA) as writer:
                for table in self._latest():
                    writer.write_table(table)
                    for status in table["status"].to_pylist():
                        counts[status] += 1
                    self.problems.update(filter(None, table["problem"].to_pylist()))
            shutil.rmtree(self._parts_dir)
        except OSError as error:
            raise TableError(f"{self._path} cannot be written: {error.strerror}") from error
        return counts

    def _parts(self) -> list[Path]:
        return sorted(self._parts_dir.glob("[0-9]*.parquet"))

    def _latest(self) -> Iterator[pa.Table]:
        """Yield the parts, without rows of files that a later part contains as well."""
        parts = self._parts()
        last = {name: part for part in parts for name in _names(part)}
        for part in parts:
            table = _read(part)
            keep = [last[name] == part for name in table["file"].to_pylist()]
            yield table.filter(pa.array(keep))


def _names(part: Path) -> Iterable[str]:
    names: list[str] = _read(part, ["file"])["file"].to_pylist()
    return names


def _read(part: Path, columns: list[str] | None = None) -> pa.Table:
    with part.open("rb") as file:
        return pq.read_table(file, columns=columns)
