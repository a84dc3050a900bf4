"""From a file's bytes to the tensor that the models take, in child processes."""

import asyncio
import math
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from opentelemetry import trace

from api.decoding.errors import DecoderEndedError, DecodeTimeoutError
from api.decoding.memory_budget import MemoryBudget
from api.decoding.processes import DecoderProcesses
from api.decoding.reading import (
    Picture,
    UnwindowedImage,
    read_model_input,
    read_picture,
    read_unwindowed,
)
from api.decoding.resources import available_cpus, available_memory_bytes
from api.fair_sharing.client_activity import ClientActivity
from api.fair_sharing.errors import OverloadedError
from api.fair_sharing.fair_slots import FairSlots
from api.observability.metrics import Metrics
from api.prediction.deadline import Deadline
from api.prediction.results import ImageDescription
from api.rejection_reason import RejectionReason
from api.review_reason import ReviewReason
from api.settings import Settings
from imaging.dicom.description import DicomOptions
from imaging.errors import ImageError

_tracer = trace.get_tracer("covidscan")

_T = TypeVar("_T")

_SPARE_PROCESSES: Final = 1
"""In addition to one per CPU. No client ever holds all processes, so another client finds a free
one."""
_MEMORY_SHARE: Final = 0.4
"""Of the available memory; the rest is for the gateway, the model server and other programs."""
_MEMORY_WHERE_UNKNOWN_BYTES: Final = 1024 * 1024 * 1024
_CPU_SECONDS: Final = 20
"""The slowest accepted file, a progressive CMYK JPEG of 40 million pixels, took 4.2 seconds."""


@dataclass(frozen=True)
class PreparedImage:
    """A decoded image."""

    description: ImageDescription
    pixel_reasons: list[RejectionReason]
    """Reasons against it being a chest scan, from the pixels alone."""
    review: list[ReviewReason]
    """Signs that it was stored or read incorrectly."""
    tensor: NDArray[np.float32]
    """The input of the models, float32 ``[64, 64, 3]`` RGB, 0 to 1."""
    decode_seconds: float
    preprocess_seconds: float


class ImagePreparation:
    """Decodes images in child processes, shared fairly between clients.

    Args:
        decoders: the child processes.
        max_pixels: the largest image, width times height.
        metrics: count rejected images.
        activity: of the clients.
    """

    def __init__(
        self,
        decoders: DecoderProcesses,
        *,
        max_pixels: int,
        metrics: Metrics,
        activity: ClientActivity,
    ) -> None:
        self._decoders = decoders
        self._max_pixels = max_pixels
        self._metrics = metrics
        max_per_client = max(1, decoders.count - _SPARE_PROCESSES)
        self._slots = FairSlots(
            decoders.count,
            max_per_client=max_per_client,
            max_per_busy_client=max(1, max_per_client - 1),
            activity=activity,
        )

    @classmethod
    def of(
        cls,
        settings: Settings,
        metrics: Metrics,
        activity: ClientActivity,
        *,
        processes: int | None = None,
    ) -> Self:
        """Create it from the settings and the resources of the machine.

        Args:
            settings: give the number of processes and their memory.
            metrics: count rejected images.
            activity: of the clients.
            processes: the number of processes; overrides the settings.
        """
        memory = MemoryBudget(settings.decode_memory_bytes or _memory_bytes())
        metrics.watch("decode_memory_bytes", "Memory for decoding.", lambda: memory.held_bytes)
        decoders = DecoderProcesses(
            processes or settings.decode_processes or available_cpus() + _SPARE_PROCESSES,
            memory=memory,
            cpu_seconds=_CPU_SECONDS,
            max_pixels=settings.max_pixels,
            max_file_bytes=settings.max_upload_bytes,
            observe_restart=metrics.observe_decoder_restart,
        )
        return cls(decoders, max_pixels=settings.max_pixels, metrics=metrics, activity=activity)

    async def start(self) -> None:
        """Start the processes. Files submitted earlier are decoded once they have started."""
        await self._decoders.start()

    def close(self) -> None:
        """End the processes."""
        self._decoders.close()

    async def prepare(
        self, data: bytes, dicom: DicomOptions, *, client: str, deadline: Deadline
    ) -> PreparedImage:
        """Decode a file for the models.

        Args:
            data: the file.
            dicom: options for a DICOM file.
            client: the sender of the file.
            deadline: for the whole request.

        Raises:
            ImageError: the file cannot be decoded.
            OverloadedError: the file cannot be decoded in time.
        """
        read = await self._decode(
            partial(read_model_input, dicom=dicom, max_pixels=self._max_pixels),
            data,
            client=client,
            deadline=deadline,
        )
        description = ImageDescription(
            format=read.format,
            width=read.width,
            height=read.height,
            size_bytes=len(data),
            sha256=read.sha256,
            bits_used=read.bits_used,
            dicom=read.dicom,
        )
        return PreparedImage(
            description=description,
            pixel_reasons=read.pixel_reasons,
            review=read.review,
            tensor=read.tensor,
            decode_seconds=read.decode_seconds,
            preprocess_seconds=read.preprocess_seconds,
        )

    async def show(
        self,
        data: bytes,
        dicom: DicomOptions,
        *,
        client: str,
        deadline: Deadline,
        longest_side: int,
    ) -> Picture:
        """Decode a file for the models and for display.

        Args:
            data: the file.
            dicom: options for a DICOM file.
            client: the sender of the file.
            deadline: for the whole request.
            longest_side: of the picture, in pixels; images are never enlarged.

        Raises:
            ImageError: the file cannot be decoded.
            OverloadedError: the file cannot be decoded in time.
        """
        job = partial(
            read_picture, dicom=dicom, max_pixels=self._max_pixels, longest_side=longest_side
        )
        return await self._decode(job, data, client=client, deadline=deadline)

    async def view(
        self,
        data: bytes,
        dicom: DicomOptions,
        *,
        client: str,
        deadline: Deadline,
        longest_side: int,
    ) -> UnwindowedImage:
        """Decode a file for the viewer.

        Args:
            data: the file.
            dicom: options for a DICOM file.
            client: the sender of the file.
            deadline: for the whole request.
            longest_side: of the shown image, in pixels; images are never enlarged.

        Raises:
            ImageError: the file cannot be decoded.
            OverloadedError: the file cannot be decoded in time.
        """
        job = partial(
            read_unwindowed, dicom=dicom, max_pixels=self._max_pixels, longest_side=longest_side
        )
        return await self._decode(job, data, client=client, deadline=deadline)

    async def _decode(
        self, job: Callable[[bytes], _T], data: bytes, *, client: str, deadline: Deadline
    ) -> _T:
        with _tracer.start_as_current_span("decode", record_exception=False):
            try:
                async with asyncio.timeout(deadline.remaining_seconds):
                    return await self._in_a_process(job, data, client=client, deadline=deadline)
            except (TimeoutError, DecodeTimeoutError) as error:
                raise OverloadedError("the image could not be read in time; try again") from error
            except DecoderEndedError as error:
                raise OverloadedError(
                    "the decoder process ended unexpectedly; try again"
                ) from error
            except ImageError as error:
                self._metrics.observe_rejected_image(error.kind)
                raise

    async def _in_a_process(
        self, job: Callable[[bytes], _T], data: bytes, *, client: str, deadline: Deadline
    ) -> _T:
        await self._slots.acquire(client)
        ends = time.monotonic() + deadline.remaining_seconds
        future = self._decoders.submit(job, data, deadline=ends)
        # The slot belongs to the process: it stays taken while the file is being decoded, even if
        # nobody waits for the result any more.
        release = partial(self._slots.release, client)
        future.add_done_callback(partial(_in_loop, asyncio.get_running_loop(), release))
        return await asyncio.wrap_future(future)


def _in_loop(
    loop: asyncio.AbstractEventLoop, callback: Callable[[], None], _: "Future[Any]"
) -> None:
    # If the loop has been closed meanwhile, its slots are gone, too.
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(callback)


def _memory_bytes() -> int:
    available_bytes = available_memory_bytes()
    if available_bytes is None:
        return _MEMORY_WHERE_UNKNOWN_BYTES
    return math.floor(_MEMORY_SHARE * available_bytes)
