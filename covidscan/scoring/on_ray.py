"""Scores a folder on Ray Data, for folders too large for one machine."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
import ray
from pyarrow.fs import FileSelector, FileSystem, FileType

from covidscan.scoring.folder_source import FolderSource
from covidscan.scoring.rows import COLUMNS, Status
from covidscan.scoring.scorer import ScoreOptions, Scorer
from covidscan.scoring.scoring_run import BATCH_FILES, Summary
from covidscan.scoring.source import UNREADABLE, Fault, File, SourceError
from covidscan.scoring.table import SCHEMA
from system.folder import LeftOut
from system.names import UniqueNames, is_system_file
from system.replacement import replacing

_CPUS: Final = 0.25
"""CPUs reserved per worker: a worker waits most of the time."""

_BLOCKS_PER_WORKER: Final = 8


def score_on_ray(path: str, options: ScoreOptions, out: Path, *, workers: int) -> Summary:
    """Score a folder, which may be anywhere that Arrow can read, such as ``s3://``.

    Args:
        path: the folder.
        options: the same for all files. Every machine must be able to reach their model server.
        out: the table to write.
        workers: the number of actors that read files and send requests.

    Raises:
        SourceError: it is not a folder, or cannot be listed.
    """
    left_out: Counter[LeftOut] = Counter()
    listed = _list_elsewhere if "://" in path else _list_here
    filesystem, files = listed(path, left_out)
    with ray.init():
        statuses, problems = _write(_rows(filesystem, files, options, workers), out)
    return Summary(statuses, problems, left_out)


class RayScorer(Scorer):
    """Called by Ray Data's ``map_batches`` in each actor.

    Args:
        options: the same for all files.
        filesystem: where the files lie. None for this machine's disk.
    """

    def __init__(self, options: ScoreOptions, filesystem: FileSystem | None) -> None:
        super().__init__(options)
        self._filesystem = filesystem

    def __call__(self, batch: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
        """Turn the columns ``name``, ``location`` and ``fault`` into ``COLUMNS``."""
        rows = self.score(
            [
                self._file(str(name), bytes(location), str(fault))
                for name, location, fault in zip(
                    batch["name"], batch["location"], batch["fault"], strict=True
                )
            ]
        )
        return {column: [row[column] for row in rows] for column in COLUMNS}

    def _file(self, name: str, location: bytes, fault: str) -> File:
        if fault:
            return File(name, fault=Fault(UNREADABLE, fault, lasting=False))
        if self._filesystem is None:
            return File(name, Path(os.fsdecode(location)))
        return _FileElsewhere(name, filesystem=self._filesystem, location=location.decode())


@dataclass(frozen=True, kw_only=True)
class _FileElsewhere(File):
    filesystem: FileSystem
    location: str

    def read(self, limit_bytes: int) -> bytes:
        with self.filesystem.open_input_stream(self.location) as stream:
            data: bytes = stream.read(limit_bytes + 1)
            return data


def _list_here(path: str, left_out: Counter[LeftOut]) -> tuple[FileSystem | None, pa.Table]:
    if not Path(path).is_dir():
        raise SourceError(f"{path} is not a folder; to score an archive, omit --ray or unpack it")
    try:
        # On a cluster, every machine must have the folder under the same path.
        source = FolderSource(Path(path).resolve())
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from error
    left_out.update(source.left_out)
    files = list(source.files(skip=frozenset()))
    return None, _table(
        [file.name for file in files],
        [b"" if file.path is None else os.fsencode(file.path) for file in files],
        ["" if file.fault is None else file.fault.detail for file in files],
    )


def _list_elsewhere(uri: str, left_out: Counter[LeftOut]) -> tuple[FileSystem | None, pa.Table]:
    try:
        filesystem, root = FileSystem.from_uri(uri)
        infos = filesystem.get_file_info(FileSelector(root, recursive=True))
    except (OSError, ValueError) as error:
        raise SourceError(f"{uri} cannot be listed: {error}") from error
    unique = UniqueNames()
    names, locations = [], []
    # Listed here because Ray Data leaves out names that begin with an underscore.
    for info in sorted(infos, key=lambda info: info.path):
        name = info.path.removeprefix(root).lstrip("/")
        if info.type != FileType.File:
            continue
        if is_system_file(name):
            left_out[LeftOut.SYSTEM] += 1
        else:
            names.append(unique.add(name))
            locations.append(info.path.encode())
    return filesystem, _table(names, locations, [""] * len(names))


def _table(names: list[str], locations: list[bytes], faults: list[str]) -> pa.Table:
    types = {"name": pa.string(), "location": pa.binary(), "fault": pa.string()}
    columns = zip(types.values(), (names, locations, faults), strict=True)
    return pa.table([pa.array(values, kind) for kind, values in columns], names=list(types))


def _rows(
    filesystem: FileSystem | None, files: pa.Table, options: ScoreOptions, workers: int
) -> Iterator[pa.Table]:
    if not len(files):
        return iter(())
    block = max(BATCH_FILES, len(files) // (_BLOCKS_PER_WORKER * workers))
    blocks = [files.slice(start, block) for start in range(0, len(files), block)]
    rows = ray.data.from_arrow(blocks).map_batches(
        RayScorer,
        fn_constructor_args=(options, filesystem),
        batch_size=BATCH_FILES,
        concurrency=workers,
        num_cpus=_CPUS,
    )
    batches: Iterator[pa.Table] = iter(rows.iter_batches(batch_size=None, batch_format="pyarrow"))
    return batches


def _write(batches: Iterator[pa.Table], out: Path) -> tuple[dict[str, int], Counter[str]]:
    counts: dict[str, int] = dict.fromkeys(map(str, Status), 0)
    problems: Counter[str] = Counter()
    with replacing(out) as file, pq.ParquetWriter(file, SCHEMA) as writer:
        for batch in batches:
            writer.write_table(batch.select(SCHEMA.names).cast(SCHEMA))
            for status in batch["status"].to_pylist():
                counts[status] += 1
            problems.update(filter(None, batch["problem"].to_pylist()))
    return counts, problems
