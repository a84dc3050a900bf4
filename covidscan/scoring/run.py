"""A whole folder or archive, over several workers and with bounded memory."""

import itertools
import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Final

from covidscan.scoring.files import File, Source
from covidscan.scoring.rows import Row, Status
from covidscan.scoring.scorer import ScoreOptions, Scorer
from covidscan.scoring.table import GrowingTable

BATCH_FILES: Final = 32
_BATCHES_AHEAD: Final = 2
"""Of each worker: one that it works on and one that waits."""
_PART_ROWS: Final = 512
_MAX_FAILED_IN_A_ROW: Final = 4 * BATCH_FILES


class ScoringError(Exception):
    """The models cannot be asked."""


def score(
    source: Source,
    options: ScoreOptions,
    table: GrowingTable,
    *,
    workers: int,
    on_rows: Callable[[int], None],
) -> dict[str, int]:
    """Score all files that the table does not have yet.

    Args:
        source: the files.
        options: the same for all.
        table: where rows go.
        workers: processes that read and ask.
        on_rows: told how many rows there are more.

    Returns:
        How many rows of the whole table have which status.

    Raises:
        ScoringError: one file after another was not answered, or a worker has died; what was
            scored is kept.
        SourceError: the archive is damaged.
        TableError: the table cannot be written.
    """
    done = table.done()
    on_rows(len(done))
    waiting: list[Row] = []
    failed_in_a_row = 0
    for rows in _scored(source.files(skip=done), options, workers):
        for row in rows:
            failed_in_a_row = failed_in_a_row + 1 if row["status"] == Status.FAILED else 0
        waiting += rows
        on_rows(len(rows))
        if failed_in_a_row >= _MAX_FAILED_IN_A_ROW:
            table.add(waiting)
            raise ScoringError(str(rows[-1]["detail"]))
        if len(waiting) >= _PART_ROWS:
            table.add(waiting)
            waiting = []
    if waiting:
        table.add(waiting)
    return table.finish()


def _scored(files: Iterator[File], options: ScoreOptions, workers: int) -> Iterator[Sequence[Row]]:
    """Batches of rows, in the order of the files; a few batches are held at a time."""
    # Not forked: gRPC and OpenCV have threads.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        workers, context, initializer=_start_worker, initargs=(options,)
    ) as pool:
        ahead: deque[Future[list[Row]]] = deque()
        try:
            while batch := list(itertools.islice(files, BATCH_FILES)):
                ahead.append(pool.submit(_score_in_worker, batch))
                if len(ahead) > _BATCHES_AHEAD * workers:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        except BrokenProcessPool as error:
            raise ScoringError("a worker has died; run it again to go on") from error
        finally:
            pool.shutdown(cancel_futures=True)


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
