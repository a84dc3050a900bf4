"""A whole folder or archive, over several workers and with bounded memory."""

import multiprocessing
import os
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import Final

from covidscan.scoring.rows import Row, Status
from covidscan.scoring.scorer import ScoreOptions, Scorer
from covidscan.scoring.source import UNREADABLE, DamagedArchiveError, File, Source, SourceError
from covidscan.scoring.table import GrowingTable
from serving.files.folder import LeftOut

BATCH_FILES: Final = 32
_BATCHES_AHEAD: Final = 2
"""Of each worker: one that it works on and one that waits."""
_MAX_BATCH_BYTES: Final = 16 << 20
_MAX_BYTES_AHEAD: Final = 256 << 20
"""Of files out of archives, which wait in memory."""
_PART_ROWS: Final = 512
_MAX_FAILED_IN_A_ROW: Final = 4 * BATCH_FILES


class ScoringError(Exception):
    """The models cannot be asked."""


@dataclass(frozen=True)
class Summary:
    """What a table holds and what it does not."""

    statuses: dict[str, int]
    """How many rows have which status."""
    problems: Counter[str]
    """How many rows have which problem."""
    left_out: Counter[LeftOut] = field(default_factory=Counter)
    """What has no row, and why."""
    damage: str | None = None
    """Why the archive was not read to its end, if it was not."""


def score(
    source: Source,
    options: ScoreOptions,
    table: GrowingTable,
    *,
    workers: int,
    on_rows: Callable[[int], None],
) -> Summary:
    """Score all files that the table does not have yet.

    Args:
        source: the files.
        options: the same for all.
        table: where rows go.
        workers: processes that read and ask.
        on_rows: told how many rows there are more.

    Returns:
        What the whole table holds; of a damaged archive it has what could be read.

    Raises:
        ScoringError: one file after another was not answered, or a worker has died; what was
            scored is kept.
        SourceError: the disk gave an error; what was scored is kept.
        TableError: the table cannot be written.
    """
    done = table.done()
    on_rows(len(done))
    damage = None
    try:
        _fill(table, _scored(source.files(skip=done), options, workers), on_rows)
    except DamagedArchiveError as error:
        damage = str(error)
    statuses = table.finish()
    return Summary(statuses, table.problems, source.left_out, damage)


def _fill(
    table: GrowingTable, scored: Iterator[Sequence[Row]], on_rows: Callable[[int], None]
) -> None:
    waiting: list[Row] = []
    failed_in_a_row = 0
    try:
        for rows in scored:
            for row in rows:
                # What the disk does not give says nothing of the models.
                failed = row["status"] == Status.FAILED and row["problem"] != UNREADABLE
                failed_in_a_row = failed_in_a_row + 1 if failed else 0
            waiting += rows
            on_rows(len(rows))
            if failed_in_a_row >= _MAX_FAILED_IN_A_ROW:
                raise ScoringError(str(rows[-1]["detail"]))
            if len(waiting) >= _PART_ROWS:
                table.add(waiting)
                waiting = []
    finally:
        if waiting:
            table.add(waiting)


def _scored(files: Iterator[File], options: ScoreOptions, workers: int) -> Iterator[Sequence[Row]]:
    """Batches of rows, in the order of the files; a few batches are held at a time."""
    # Not forked: gRPC and OpenCV have threads.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        workers, context, initializer=_start_worker, initargs=(options,)
    ) as pool:
        ahead: deque[tuple[Future[list[Row]], int]] = deque()
        failure: SourceError | None = None
        batches = _batches(files)
        try:
            while True:
                try:
                    batch = next(batches)
                except StopIteration:
                    break
                except SourceError as error:
                    failure = error
                    break
                ahead.append((pool.submit(_score_in_worker, batch), _size(batch)))
                while len(ahead) > _BATCHES_AHEAD * workers or (
                    sum(size for _, size in ahead) > _MAX_BYTES_AHEAD
                ):
                    yield ahead.popleft()[0].result()
            while ahead:
                yield ahead.popleft()[0].result()
        except BrokenProcessPool as error:
            raise ScoringError("a worker has died; run it again to go on") from error
        finally:
            pool.shutdown(cancel_futures=True)
    if failure is not None:
        raise failure


def _batches(files: Iterator[File]) -> Iterator[list[File]]:
    """Lists of files, bounded in number and bytes; those before an error come before it."""
    batch: list[File] = []
    try:
        for file in files:
            batch.append(file)
            if len(batch) == BATCH_FILES or _size(batch) >= _MAX_BATCH_BYTES:
                yield batch
                batch = []
    except SourceError:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def _size(batch: Sequence[File]) -> int:
    return sum(len(file.data or b"") for file in batch)


_scorers: list[Scorer] = []
"""A worker's one."""


def _start_worker(options: ScoreOptions) -> None:
    threading.Thread(target=_end_with_parent, name="watch the parent", daemon=True).start()
    _scorers.append(Scorer(options))


def _end_with_parent() -> None:
    """Nobody else ends a worker whose parent was killed: it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _score_in_worker(files: Sequence[File]) -> list[Row]:
    return _scorers[0].score(files)
