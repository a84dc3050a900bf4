"""When requests run and in which batches, on a model whose runs the test controls."""

import asyncio
import dataclasses
import threading
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.batching_parameters import BatchingParameters
from serving.embedded.batch_tensors import infer_together
from serving.embedded.engine import InferenceError
from serving.embedded.errors import CallError
from serving.embedded.scheduler import Scheduler
from serving.embedded.servable import ServableVersion
from serving.protos.model_status_pb2 import ModelVersionStatus

Tensors = dict[str, np.ndarray]


class GatedModel:
    """Doubles its input once the gate is open, and records the rows of each run."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.runs: list[list[float]] = []

    def infer(self, inputs: Tensors) -> Tensors:
        self.runs.append([float(row) for row in inputs["x"].reshape(len(inputs["x"]), -1)[:, 0]])
        assert self.gate.wait(30)
        if (inputs["x"] < 0).any():
            raise InferenceError("a negative number")
        return {"y": inputs["x"] * 2}


def version_of(model: Any, name: str = "m") -> ServableVersion:
    version = ServableVersion(name, 1, Path("/models/m/1"), model=model)
    version.state = ModelVersionStatus.AVAILABLE
    return version


def x(*values: float) -> Tensors:
    return {"x": np.array(values, np.float32)}


@asynccontextmanager
async def scheduling(
    batching: BatchingParameters | None,
) -> AsyncIterator[tuple[Scheduler, GatedModel, ServableVersion]]:
    """A scheduler with one thread, and a model whose gate is closed."""
    model, scheduler = GatedModel(), Scheduler(threads=1, batching=batching)
    try:
        yield scheduler, model, version_of(model)
    finally:
        model.gate.set()
        await scheduler.stop()


async def queued(*coroutines: Awaitable[Tensors]) -> list[asyncio.Task[Tensors]]:
    """Start calls in this order, each until it waits in the queue."""
    tasks = []
    for coroutine in coroutines:
        tasks.append(asyncio.ensure_future(coroutine))
        await asyncio.sleep(0)
    return tasks


ONE_THREAD = BatchingParameters(max_batch_size=4, max_enqueued_batches=2, num_batch_threads=1)


async def test_a_single_request_runs_at_once():
    async with scheduling(ONE_THREAD) as (scheduler, model, version):
        model.gate.set()
        answer = await asyncio.wait_for(scheduler.infer(version, x(1)), 30)
        np.testing.assert_array_equal(answer["y"], [2])
    assert model.runs == [[1]]


async def test_no_batch_grows_beyond_max_execution_batch_size():
    pieces = dataclasses.replace(ONE_THREAD, max_execution_batch_size=2, max_enqueued_batches=9)
    async with scheduling(pieces) as (scheduler, model, version):
        tasks = await queued(
            *(scheduler.infer(version, x(value)) for value in (1, 2, 3, 4)),
            scheduler.infer(version, x(5, 6, 7)),
        )
        model.gate.set()
        await asyncio.gather(*tasks)
    assert model.runs == [[1], [2, 3], [4], [5, 6], [7]]


async def test_waiting_requests_share_a_run_and_each_gets_its_own_answer():
    async with scheduling(ONE_THREAD) as (scheduler, model, version):
        tasks = await queued(*(scheduler.infer(version, x(value)) for value in (1, 2, 3, 4)))
        model.gate.set()
        answers = await asyncio.gather(*tasks)
        assert [float(answer["y"][0]) for answer in answers] == [2, 4, 6, 8]
    assert model.runs == [[1], [2, 3, 4]]


async def test_a_batch_has_at_most_max_batch_size_rows():
    async with scheduling(ONE_THREAD) as (scheduler, model, version):
        tasks = await queued(
            scheduler.infer(version, x(1)),
            scheduler.infer(version, x(2, 3, 4)),
            scheduler.infer(version, x(5, 6)),
        )
        model.gate.set()
        await asyncio.gather(*tasks)
    assert model.runs == [[1], [2, 3, 4], [5, 6]]


async def test_without_batching_each_request_runs_alone():
    async with scheduling(None) as (scheduler, model, version):
        tasks = await queued(*(scheduler.infer(version, x(value)) for value in (1, 2, 3)))
        model.gate.set()
        await asyncio.gather(*tasks)
    assert model.runs == [[1], [2], [3]]


@pytest.mark.parametrize(
    "other", [{"x": np.ones((1, 2), np.float32)}, {"x": np.ones(1, np.float64)}]
)
async def test_only_tensors_of_the_same_shape_and_dtype_share_a_batch(other: Tensors):
    async with scheduling(ONE_THREAD) as (scheduler, model, version):
        tasks = await queued(
            scheduler.infer(version, x(1)),
            scheduler.infer(version, x(2)),
            scheduler.infer(version, other),
        )
        model.gate.set()
        answers = await asyncio.gather(*tasks)
        assert answers[2]["y"].dtype == other["x"].dtype
        assert answers[2]["y"].shape == other["x"].shape
    assert model.runs == [[1], [2], [1]]


async def test_a_failing_request_does_not_fail_the_others_in_its_batch():
    async with scheduling(ONE_THREAD) as (scheduler, model, version):
        tasks = await queued(*(scheduler.infer(version, x(value)) for value in (1, 2, -3, 4)))
        model.gate.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(answers[2], InferenceError)
        assert [float(answers[i]["y"][0]) for i in (0, 1, 3)] == [2, 4, 8]


async def test_a_full_queue_rejects_a_request_with_tensorflow_servings_message():
    async with scheduling(ONE_THREAD) as (scheduler, model, version):
        tasks = await queued(*(scheduler.infer(version, x(*[v] * 4)) for v in (1, 2, 3)))
        with pytest.raises(CallError) as caught:
            await scheduler.infer(version, x(4))
        assert caught.value.code is grpc.StatusCode.UNAVAILABLE
        assert str(caught.value) == (
            "The batch scheduling queue to which this task was submitted is full; currently 2"
            " batches enqueued and max_enqueued_batches is 2"
        )
        # Each model has its own queue.
        other = await queued(scheduler.infer(version_of(model, "other"), x(5)))
        model.gate.set()
        await asyncio.gather(*tasks, *other)


async def test_a_cancelled_request_is_not_run():
    async with scheduling(ONE_THREAD) as (scheduler, model, version):
        tasks = await queued(*(scheduler.infer(version, x(value)) for value in (1, 2, 3, 4)))
        tasks[1].cancel()
        await asyncio.sleep(0)
        model.gate.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert float(tasks[3].result()["y"][0]) == 8
    assert model.runs == [[1], [3, 4]]


@pytest.mark.parametrize("batching", [None, ONE_THREAD], ids=["alone", "batches"])
async def test_cancelled_requests_are_removed_from_the_queue(batching: BatchingParameters | None):
    async with scheduling(batching) as (scheduler, model, version):
        first = await queued(scheduler.infer(version, x(1)))
        tasks = await queued(*(scheduler.infer(version, x(value)) for value in (2, 3, 4)))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert not scheduler._waiting
        model.gate.set()
        await asyncio.gather(*first)
    assert model.runs == [[1]]


async def test_a_cancelled_request_makes_room_in_the_queue():
    async with scheduling(ONE_THREAD) as (scheduler, model, version):
        tasks = await queued(*(scheduler.infer(version, x(*[v] * 4)) for v in (1, 2, 3)))
        tasks[1].cancel()
        tasks += await queued(scheduler.infer(version, x(*[4] * 4)))
        model.gate.set()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert model.runs == [[1] * 4, [3] * 4, [4] * 4]


async def test_the_batches_of_several_models_run_in_order_of_arrival():
    async with scheduling(ONE_THREAD) as (scheduler, model, version):
        other = version_of(model, "other")
        tasks = await queued(
            scheduler.infer(version, x(1)),
            scheduler.infer(other, x(2)),
            scheduler.infer(version, x(3)),
            scheduler.infer(other, x(4)),
        )
        model.gate.set()
        await asyncio.gather(*tasks)
    assert model.runs == [[1], [2, 4], [3]]


async def test_an_unloaded_version_still_answers_its_waiting_requests():
    async with scheduling(ONE_THREAD) as (scheduler, model, version):
        tasks = await queued(scheduler.infer(version, x(1)), scheduler.infer(version, x(2)))
        version.model = None
        model.gate.set()
        answers = await asyncio.gather(*tasks)
        assert [float(answer["y"][0]) for answer in answers] == [2, 4]


async def test_an_unexpected_error_in_a_run_is_raised_to_the_caller():
    class Faulty:
        def infer(self, _inputs: Tensors, **_options: object) -> Tensors:
            raise MemoryError

    scheduler = Scheduler(threads=1, batching=ONE_THREAD)
    with pytest.raises(MemoryError):
        await asyncio.wait_for(scheduler.infer(version_of(Faulty()), x(1)), 30)
    await scheduler.stop()


def double(inputs: Tensors) -> Tensors:
    return {"y": inputs["x"] * 2}


@given(
    requests=st.lists(
        st.lists(st.integers(-100, 100), min_size=1, max_size=5), min_size=1, max_size=6
    ),
    step=st.none() | st.integers(1, 8),
    padded=st.booleans(),
)
def test_each_request_gets_its_own_rows_from_joined_padded_and_split_batches(
    requests: list[list[int]], step: int | None, padded: bool
):
    largest = step or 32
    sizes = tuple(sorted({1, max(1, largest // 2), largest})) if padded else ()
    batching = BatchingParameters(
        max_batch_size=32, max_execution_batch_size=step, allowed_batch_sizes=sizes
    )
    rows_of_runs = []

    def infer(inputs: Tensors) -> Tensors:
        rows_of_runs.append(len(inputs["x"]))
        return double(inputs)

    answers = infer_together(infer, [x(*request) for request in requests], batching)
    for request, answer in zip(requests, answers, strict=True):
        np.testing.assert_array_equal(answer["y"], np.array(request) * 2)
    if sizes:
        assert set(rows_of_runs) <= set(sizes)
    if step:
        assert max(rows_of_runs) <= step


def test_an_output_without_a_row_for_each_input_is_rejected():
    with pytest.raises(CallError, match="0th dimension") as caught:
        infer_together(lambda _: {"y": np.ones(1)}, [x(1), x(2)], ONE_THREAD)
    assert caught.value.code is grpc.StatusCode.FAILED_PRECONDITION
