"""Schedules requests on a fixed number of threads, in batches.

A request runs at once if a thread is idle. Otherwise it joins the newest waiting batch of its model
if that has room. So batches grow with the load, and no request waits for others that may not come.
Everything happens on the event loop; only inference runs in a thread.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import grpc

from serving.batching_parameters import BatchingParameters
from serving.embedded.batch_tensors import BatchKey, Tensors, batch_key, count_rows, infer_together
from serving.embedded.engine import InferenceError, LoadedModel
from serving.embedded.errors import CallError
from serving.embedded.servable import ServableVersion


@dataclass(frozen=True)
class _Task:
    """One waiting request."""

    inputs: Tensors
    rows: int
    answer: "asyncio.Future[Tensors]"


@dataclass(eq=False)
class _Batch:
    """Requests that run together."""

    version: ServableVersion
    model: LoadedModel
    """Kept here, so that a version that is unloaded meanwhile still answers these requests."""
    key: BatchKey
    tasks: list[_Task] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return sum(task.rows for task in self.tasks)

    def drop_abandoned(self) -> None:
        """Remove requests whose deadline has passed or whose client has disconnected."""
        self.tasks = [task for task in self.tasks if not task.answer.done()]


class Scheduler:
    """Runs the requests of all models on one thread pool, oldest batch first.

    Args:
        threads: the number of concurrent runs without batching parameters.
        batching: how requests are batched; without it each request runs alone.
        observe_batch: called with the version and the number of rows of each run.
    """

    def __init__(
        self,
        *,
        threads: int,
        batching: BatchingParameters | None = None,
        observe_batch: Callable[[ServableVersion, int], None] = lambda _version, _rows: None,
    ) -> None:
        self._batching = batching
        self._idle_threads = batching.num_batch_threads if batching else threads
        self._executor = ThreadPoolExecutor(self._idle_threads, thread_name_prefix="infer")
        self._observe_batch = observe_batch
        self._waiting: deque[_Batch] = deque()
        self._running: set[asyncio.Task[None]] = set()

    async def infer(self, version: ServableVersion, inputs: Tensors) -> Tensors:
        """Run one request; the version must be available, and the arrays must match its signature.

        Cancelling removes the request from the queue.

        Args:
            version: to run.
            inputs: by name.

        Returns:
            All outputs of the signature.

        Raises:
            CallError: the queue is full, or the request does not fit into a batch.
            InferenceError: the engine failed.
        """
        answer: asyncio.Future[Tensors] = asyncio.get_running_loop().create_future()
        if self._batching is None:
            rows = max((len(array) for array in inputs.values() if array.ndim), default=1)
            batch = _Batch(version, version.loaded, ())
            self._waiting.append(batch)
        else:
            rows = count_rows(inputs, self._batching)
            batch = self._batch_for(version, batch_key(inputs), rows, self._batching)
        batch.tasks.append(_Task(inputs, rows, answer))
        self._start_waiting()
        try:
            return await answer
        except asyncio.CancelledError:
            if batch in self._waiting:
                batch.drop_abandoned()
                if not batch.tasks:
                    self._waiting.remove(batch)
            raise

    async def stop(self) -> None:
        """Run nothing more; waiting calls must have been cancelled."""
        self._waiting.clear()
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _batch_for(
        self,
        version: ServableVersion,
        key: BatchKey,
        rows: int,
        batching: BatchingParameters,
    ) -> _Batch:
        waiting = [batch for batch in self._waiting if batch.version is version]
        for batch in waiting:
            batch.drop_abandoned()
        waiting = [batch for batch in waiting if batch.tasks]
        newest = waiting[-1] if waiting else None
        if newest and newest.key == key and newest.rows + rows <= batching.rows_together:
            return newest
        if len(waiting) >= batching.max_enqueued_batches:
            raise CallError(
                grpc.StatusCode.UNAVAILABLE,
                "The batch scheduling queue to which this task was submitted is full; currently"
                f" {len(waiting)} batches enqueued and max_enqueued_batches is"
                f" {batching.max_enqueued_batches}",
            )
        batch = _Batch(version, version.loaded, key)
        self._waiting.append(batch)
        return batch

    def _start_waiting(self) -> None:
        while self._waiting and self._idle_threads:
            batch = self._waiting.popleft()
            batch.drop_abandoned()
            if batch.tasks:
                self._idle_threads -= 1
                running = asyncio.create_task(self._run(batch))
                self._running.add(running)
                running.add_done_callback(partial(self._finished, batch))

    def _finished(self, batch: _Batch, running: asyncio.Task[None]) -> None:
        self._running.discard(running)
        error = None if running.cancelled() else running.exception()
        for task in batch.tasks:
            # An internal error, such as out of memory. No caller may wait for an answer for ever.
            if error is not None and not task.answer.done():
                task.answer.set_exception(error)
        self._idle_threads += 1
        self._start_waiting()

    async def _run(self, batch: _Batch) -> None:
        answered = await self._try(batch, batch.tasks)
        if not answered:
            # A failing request must not make the others in its batch fail.
            for task in batch.tasks:
                await self._try(batch, [task])

    async def _try(self, batch: _Batch, tasks: Sequence[_Task]) -> bool:
        """Run requests together; returns False if that failed and each must be tried alone."""
        try:
            answers = await self._infer(batch, tasks)
        except (CallError, InferenceError) as error:
            if len(tasks) > 1:
                return False
            _settle(tasks[0], error)
        else:
            for task, outputs in zip(tasks, answers, strict=True):
                _settle(task, outputs)
        return True

    async def _infer(self, batch: _Batch, tasks: Sequence[_Task]) -> list[Tensors]:
        self._observe_batch(batch.version, sum(task.rows for task in tasks))
        requests = [task.inputs for task in tasks]
        if self._batching is None:
            run = partial(_infer_alone, batch.model, requests)
        else:
            run = partial(infer_together, batch.model.infer, requests, self._batching)
        return await asyncio.get_running_loop().run_in_executor(self._executor, run)


def _settle(task: _Task, result: Tensors | Exception) -> None:
    if task.answer.done():
        return
    if isinstance(result, Exception):
        task.answer.set_exception(result)
    else:
        task.answer.set_result(result)


def _infer_alone(model: LoadedModel, requests: list[Tensors]) -> list[Tensors]:
    return [model.infer(inputs) for inputs in requests]
