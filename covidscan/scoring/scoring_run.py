"""Scores a whole folder or archive with several workers and bounded memory."""

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
from system.folder import LeftOut

BATCH_FILES: Final = 32
_BATCHES_AHEAD: Final = 2
"""Per worker: one that it works on and one that waits."""
_MAX_BATCH_BYTES: Final = 16 << 20
_MAX_BYTES_AHEAD: Final = 256 << 20
"""Size limit for files from archives, which wait in memory."""
_PART_ROWS: Final = 512
_MAX_FAILED_IN_A_ROW: Final = 4 * BATCH_FILES


class ScoringError(Exception):
    """The models cannot be reached or do not answer."""


@dataclass(frozen=True)
class Summary:
    """The contents of a table, and what was left out."""

    statuses: dict[str, int]
    """The number of rows by status."""
    problems: Counter[str]
    """The number of rows by problem."""
    left_out: Counter[LeftOut] = field(default_factory=Counter)
    """The number of entries without a row, by reason."""
    damage: str | None = None
    """Why the archive could not be read to its end. None if it could."""


def score(
    source: Source,
    options: ScoreOptions,
    table: GrowingTable,
    *,
    workers: int,
    on_rows: Callable[[int], None],
) -> Summary:
    """Score all files that the table does not contain yet.

    Args:
        source: the files.
        options: the same for all files.
        table: the table that rows are added to.
        workers: the number of processes that read files and send requests.
        on_rows: called with the number of rows added.

    Returns:
        A summary of the whole table. For a damaged archive, it contains what could be read.

    Raises:
        ScoringError: too many files in a row got no answer, or a worker has died. Finished rows
            are kept.
        SourceError: the disk reported an error. Finished rows are kept.
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
                # Disk errors say nothing about the models.
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
    """Yield batches of rows in the order of the files. Only a few batches are in memory."""
    # Not forked, because gRPC and OpenCV use threads.
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
            raise ScoringError("a worker has died; start the run again to continue") from error
        finally:
            pool.shutdown(cancel_futures=True)
    if failure is not None:
        raise failure


def _batches(files: Iterator[File]) -> Iterator[list[File]]:
    """Yield lists of files, bounded in number and bytes. Those before an error come first."""
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
"""Holds the one scorer of a worker process."""


def _start_worker(options: ScoreOptions) -> None:
    threading.Thread(target=_end_with_parent, name="watch the parent", daemon=True).start()
    _scorers.append(Scorer(options))


def _end_with_parent() -> None:
    """Exit when the parent has died: otherwise the worker would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _score_in_worker(files: Sequence[File]) -> list[Row]:
    return _scorers[0].score(files)
