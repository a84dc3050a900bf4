"""Sends images to all models concurrently, in groups.

A call costs about the same for one image as for several. So each model gets only a few calls at a
time, and the images that arrive meanwhile share the next calls. An idle service does not delay an
image.
"""

import asyncio
import contextvars
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from opentelemetry import trace

from api.fair_sharing.client_activity import ClientActivity
from api.fair_sharing.errors import OverloadedError
from api.fair_sharing.fair_slots import FairSlots
from api.prediction.model_call import ModelCall, call_model, failed_result
from api.prediction.results import ModelResult, ModelStatus
from api.settings import Settings
from serving.client import ModelServerClient, encode_images
from serving.contract import MODEL_NAMES

IMAGES_TOGETHER: Final = 8
"""More images gain nothing on a CPU; a model server on a GPU merges several calls into larger
batches."""

IMAGES_AT_ONCE: Final = 2 * IMAGES_TOGETHER
"""How many images of one batch, explanation or scorer are in progress at once: while the models
compute one group, the next is prepared."""

PATIENCE_SECONDS: Final = 1.0
"""A group that takes longer no longer blocks the next one: its replica may be stuck."""


class FanOut:
    """Asks all models about images; when there are many, they are sent in groups.

    Args:
        client: the model server.
        names: the models, in the order of the results.
        operating_point: the lowest probability at which the positive class is predicted.
        groups_at_once: how many groups are in progress at the same time.
        activity: of the clients.
    """

    def __init__(
        self,
        client: ModelServerClient,
        names: Sequence[str],
        *,
        operating_point: float,
        groups_at_once: int,
        activity: ClientActivity,
    ) -> None:
        self._client = client
        self._names = names
        self._operating_point = operating_point
        self._groups_at_once = groups_at_once
        self._waiting: deque[_Group] = deque()
        self._turns: set[asyncio.Task[None]] = set()
        self._slots = FairSlots(
            # One more group than are in progress: it fills up meanwhile.
            (groups_at_once + 1) * IMAGES_TOGETHER,
            # Work that a model has begun cannot be postponed. So while other clients are active, a
            # client has only one image in progress (per replica), and the others wait for at most
            # that one.
            max_per_busy_client=max(1, groups_at_once // 2),
            activity=activity,
        )

    @classmethod
    def of(cls, client: ModelServerClient, settings: Settings, activity: ClientActivity) -> Self:
        """Create it for all models of the contract, from the settings."""
        return cls(
            client,
            MODEL_NAMES,
            operating_point=settings.operating_point,
            groups_at_once=settings.max_groups,
            activity=activity,
        )

    async def ask(
        self, image: NDArray[np.float32], *, client: str, timeout_seconds: float
    ) -> list[ModelResult]:
        """Ask all models about one image; takes as long as the slowest, but at most the timeout.

        Cancelling removes the image from its group, and cancels the calls if no other image needs
        them.

        Args:
            image: float32 ``[64, 64, 3]``.
            client: the sender of the image.
            timeout_seconds: a model that has not answered by then has the status ``timeout``.
        """
        asked = asyncio.get_running_loop().time()
        deadline = asked + timeout_seconds
        try:
            async with self._slots.hold(client, timeout_seconds=timeout_seconds):
                return await self._ask(image, asked, deadline)
        except OverloadedError:
            waited_seconds = asyncio.get_running_loop().time() - asked
            return [
                failed_result(name, ModelStatus.TIMEOUT, waited_seconds) for name in self._names
            ]

    async def _ask(
        self, image: NDArray[np.float32], asked: float, deadline: float
    ) -> list[ModelResult]:
        loop = asyncio.get_running_loop()
        member = _Member(image, deadline, trace.get_current_span())
        group = self._group_with_room()
        group.members.append(member)
        self._start_waiting()
        try:
            async with asyncio.timeout_at(member.deadline):
                await group.started.wait()
                await asyncio.wait(group.calls.values())
        except TimeoutError:
            pass
        finally:
            group.leave(member)
        waited_seconds = loop.time() - asked
        return [
            call.result().model_result(member.row, self._operating_point)
            if (call := group.calls.get(name)) is not None and call.done()
            else failed_result(name, ModelStatus.TIMEOUT, waited_seconds)
            for name in self._names
        ]

    def _group_with_room(self) -> "_Group":
        if not self._waiting or len(self._waiting[-1].members) == IMAGES_TOGETHER:
            self._waiting.append(_Group(contextvars.copy_context()))
        return self._waiting[-1]

    def _start_waiting(self) -> None:
        while self._waiting and len(self._turns) < self._groups_at_once:
            group = self._waiting.popleft()
            if group.members:
                group.start(self._client, self._names)
                turn = asyncio.create_task(_turn(group))
                self._turns.add(turn)
                turn.add_done_callback(self._end_turn)

    def _end_turn(self, turn: asyncio.Task[None]) -> None:
        self._turns.discard(turn)
        self._start_waiting()


async def _turn(group: "_Group") -> None:
    await asyncio.wait(group.calls.values(), timeout=PATIENCE_SECONDS)


@dataclass(eq=False)
class _Member:
    """An image and the request that waits for it."""

    image: NDArray[np.float32]
    deadline: float
    span: trace.Span
    row: int = 0


@dataclass(eq=False)
class _Group:
    """Images that are sent to the models together."""

    context: contextvars.Context
    """Of the request that opened the group; the calls belong to its trace, and link to others."""
    members: list[_Member] = field(default_factory=list)
    """The images whose requests are still waiting."""
    started: asyncio.Event = field(default_factory=asyncio.Event)
    calls: dict[str, asyncio.Task[ModelCall]] = field(default_factory=dict)
    """The call to each model, once the group has started."""

    def start(self, client: ModelServerClient, names: Sequence[str]) -> None:
        for row, member in enumerate(self.members):
            member.row = row
        images = encode_images(np.stack([member.image for member in self.members]))
        links = [trace.Link(member.span.get_span_context()) for member in self.members[1:]]
        loop = asyncio.get_running_loop()
        left_seconds = max(member.deadline for member in self.members) - loop.time()
        self.calls = {
            name: loop.create_task(
                call_model(client, name, images, timeout_seconds=left_seconds, links=links),
                context=self.context.copy(),
            )
            for name in names
        }
        self.started.set()

    def leave(self, member: _Member) -> None:
        self.members.remove(member)
        if not self.members:
            for call in self.calls.values():
                call.cancel()
