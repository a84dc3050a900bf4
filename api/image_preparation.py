"""From a file's bytes to what the models take, in threads of its own."""

import asyncio
import dataclasses
import hashlib
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from opentelemetry import trace

from api.errors import OverloadedError, ProblemError, image_problem
from api.input_check import look_at
from api.observability.metrics import Metrics
from api.schemas.image import DicomInfo, ImageInfo
from api.schemas.problem import RefusalReason
from serving.dicom.description import DicomDescription, DicomOptions
from serving.dicom.recognition import is_dicom
from serving.errors import ImageError
from serving.preprocess import DecodedImage, decode_image, preprocess

_tracer = trace.get_tracer("covidscan")

_T = TypeVar("_T")
_Level = TypeVar("_Level", np.uint8, np.float32)

_WHITE: Final = 255.0


@dataclass(frozen=True)
class PreparedImage:
    """An image, read."""

    info: ImageInfo
    seen: list[RefusalReason]
    """What speaks against it as a chest scan, before any model is asked."""
    tensor: NDArray[np.float32]
    """As the models take it, ``[64, 64, 3]`` RGB, 0 to 1."""
    decode_seconds: float
    preprocess_seconds: float


@dataclass(frozen=True)
class ViewedImage:
    """An image before any window, for a viewer that has windows of its own."""

    values: NDArray[np.float32]
    """``[height, width]``: Hounsfield units in a CT, otherwise what the file stores."""
    center: float | None
    """Of the window that the models see it through; none of a look-up table."""
    width: float | None
    inverted: bool
    """Whether the lowest value is white."""
    dicom: DicomInfo | None


@dataclass(frozen=True)
class ShownImage:
    """An image as the models take it, and as people see it."""

    tensor: NDArray[np.float32]
    """``[64, 64, 3]`` RGB, 0 to 1."""
    picture: NDArray[np.uint8]
    """``[height, width, 3]`` RGB."""


class ImagePreparation:
    """Reads images away from the event loop.

    Args:
        max_pixels: of an image, at most.
        metrics: counts those that are refused.
    """

    def __init__(self, *, max_pixels: int, metrics: Metrics) -> None:
        self._max_pixels = max_pixels
        self._metrics = metrics
        # Decoding releases the GIL; more threads than cores would only queue for them.
        self._executor = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="decode")

    def close(self) -> None:
        """End the threads."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def prepare(self, data: bytes, dicom: DicomOptions, *, deadline: float) -> PreparedImage:
        """Read a file for the models.

        Args:
            data: the file.
            dicom: what is chosen of a DICOM file.
            deadline: by ``time.perf_counter``.

        Raises:
            ProblemError: it cannot be read, or not in time.
        """
        return await self._in_a_thread(
            lambda: _prepare(data, dicom, self._max_pixels), deadline=deadline
        )

    async def show(
        self, data: bytes, dicom: DicomOptions, *, deadline: float, longest_side: int
    ) -> ShownImage:
        """Read a file for the models and for people.

        Args:
            data: the file.
            dicom: what is chosen of a DICOM file.
            deadline: by ``time.perf_counter``.
            longest_side: of the picture, which is not larger than the image.

        Raises:
            ProblemError: it cannot be read, or not in time.
        """
        return await self._in_a_thread(
            lambda: _show(data, dicom, self._max_pixels, longest_side), deadline=deadline
        )

    async def view(
        self, data: bytes, dicom: DicomOptions, *, deadline: float, longest_side: int
    ) -> ViewedImage:
        """Read a file for a viewer.

        Args:
            data: the file.
            dicom: what is chosen of a DICOM file.
            deadline: by ``time.perf_counter``.
            longest_side: of what is shown, which is not larger than the image.

        Raises:
            ProblemError: it cannot be read, or not in time.
        """
        return await self._in_a_thread(
            lambda: _view(data, dicom, self._max_pixels, longest_side), deadline=deadline
        )

    async def _in_a_thread(self, read: Callable[[], _T], *, deadline: float) -> _T:
        loop = asyncio.get_running_loop()
        with _tracer.start_as_current_span("decode", record_exception=False):
            try:
                async with asyncio.timeout(deadline - time.perf_counter()):
                    return await loop.run_in_executor(self._executor, read)
            except TimeoutError as error:
                raise OverloadedError("the image could not be read in time; try again") from error
            except ProblemError as error:
                self._metrics.observe_refused_image(error.kind)
                raise


def _prepare(data: bytes, dicom: DicomOptions, max_pixels: int) -> PreparedImage:
    started = time.perf_counter()
    image = _decode(data, dicom, max_pixels)
    decoded = time.perf_counter()
    tensor = preprocess(image.pixels)
    finished = time.perf_counter()
    info = ImageInfo(
        format=image.format,
        width=image.width,
        height=image.height,
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        bits_used=image.bits_used,
        dicom=_dicom_info(image.dicom),
    )
    seen = look_at(
        tensor,
        width=image.width,
        height=image.height,
        modality=None if image.dicom is None else image.dicom.modality,
    )
    return PreparedImage(info, seen, tensor, decoded - started, finished - decoded)


def _show(data: bytes, dicom: DicomOptions, max_pixels: int, longest_side: int) -> ShownImage:
    pixels = _decode(data, dicom, max_pixels).pixels
    return ShownImage(preprocess(pixels), _within(pixels, longest_side))


def _view(data: bytes, dicom: DicomOptions, max_pixels: int, longest_side: int) -> ViewedImage:
    if not is_dicom(data):
        pixels = _within(_decode(data, dicom, max_pixels).pixels, longest_side)
        grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
        return ViewedImage(grey, _WHITE / 2, _WHITE, inverted=False, dicom=None)
    # Only where it is needed: docs/decisions/0011.
    from serving.dicom.reader import read_values  # noqa: PLC0415

    try:
        read = read_values(data, options=dicom, max_pixels=max_pixels)
    except ImageError as error:
        raise image_problem(error) from error
    window = read.description.window
    return ViewedImage(
        _within(read.values, longest_side),
        window.center,
        window.width,
        inverted=read.inverted,
        dicom=_dicom_info(read.description),
    )


def _dicom_info(description: DicomDescription | None) -> DicomInfo | None:
    if description is None:
        return None
    return DicomInfo.model_validate(dataclasses.asdict(description))


def _decode(data: bytes, dicom: DicomOptions, max_pixels: int) -> DecodedImage:
    try:
        return decode_image(data, max_pixels=max_pixels, dicom=dicom)
    except ImageError as error:
        raise image_problem(error) from error


def _within(pixels: NDArray[_Level], longest_side: int) -> NDArray[_Level]:
    height, width = pixels.shape[:2]
    scale = longest_side / max(height, width)
    if scale >= 1:
        return pixels
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), pixels.dtype)
