"""The core: from a file's bytes to an answer. Knows nothing of HTTP requests."""

import asyncio
import hashlib
import importlib.metadata
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from opentelemetry import trace

from api.ensemble import agreement, review_reasons, vote
from api.errors import (
    AuditUnavailableError,
    ModelsLateError,
    ModelsUnavailableError,
    OverloadedError,
    ProblemError,
    image_problem,
)
from api.fan_out import FanOut
from api.load_shedding import LoadLimit
from api.model_cards import ModelCards
from api.observability.audit import AuditRecord, AuditTrail
from api.observability.metrics import Metrics
from api.schemas import ImageInfo, ModelAnswer, ModelAnswerStatus, PredictionAnswer, Timing
from api.settings import Settings
from serving.client import ModelServerClient
from serving.contract import MODEL_NAMES
from serving.errors import ImageError
from serving.fingerprint import preprocess_fingerprint
from serving.preprocess import decode_image, preprocess

_LEAST_TIMEOUT_SECONDS: Final = 1e-3

_tracer = trace.get_tracer("covidscan")


@dataclass(frozen=True)
class _PreparedImage:
    info: ImageInfo
    pixels: NDArray[np.float32]
    """As the models take them."""
    decode_seconds: float
    preprocess_seconds: float


class Predictor:
    """Reads an image, asks the models, aggregates what they say, and records it.

    Args:
        client: the model server.
        cards: what is known of the versions that answer.
        settings: deadlines, limits, quorum and operating point.
        metrics: what is counted.
        load: how much is done at once.
        audit: where each answer is recorded, if anywhere.
    """

    def __init__(
        self,
        client: ModelServerClient,
        cards: ModelCards,
        settings: Settings,
        *,
        metrics: Metrics,
        load: LoadLimit,
        audit: AuditTrail | None,
    ) -> None:
        self._fan_out = FanOut(
            client,
            MODEL_NAMES,
            operating_point=settings.operating_point,
            groups_at_once=settings.max_groups,
        )
        self._cards = cards
        self._settings = settings
        self._metrics = metrics
        self._audit = audit
        self._version = importlib.metadata.version("covidscan")
        self._load = load
        # Decoding releases the GIL; more threads than cores would only queue for them.
        self._executor = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="decode")

    def close(self) -> None:
        """End the decoding threads."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def predict(
        self, filename: str, data: bytes, *, request_id: str, key_id: str | None
    ) -> PredictionAnswer:
        """Predict one image.

        Args:
            filename: as the client named it; only echoed.
            data: the file.
            request_id: echoed in the answer.
            key_id: whose API key was shown, for the audit trail.

        Raises:
            ProblemError: too much is in progress, the image cannot be read, too few models
                answered in time, or the answer could not be recorded.
        """
        answer = await self._predict(filename, data, request_id)
        if self._audit is not None:
            with self._metrics.audit_failures.count_exceptions(AuditUnavailableError):
                await self._audit.write(
                    AuditRecord.of(
                        answer,
                        key_id=key_id,
                        covidscan=self._version,
                        preprocessing=preprocess_fingerprint(),
                        operating_point=self._settings.operating_point,
                    )
                )
        self._metrics.observe_prediction(answer)
        return answer

    async def _predict(self, filename: str, data: bytes, request_id: str) -> PredictionAnswer:
        started = time.perf_counter()
        budget_seconds = self._settings.request_timeout_seconds
        async with self._load.place(timeout_seconds=budget_seconds):
            image = await self._prepare(data, deadline=started + budget_seconds)
            asked = time.perf_counter()
            answers = await self._fan_out.ask(
                image.pixels,
                timeout_seconds=min(
                    self._settings.model_timeout_seconds,
                    max(_LEAST_TIMEOUT_SECONDS, budget_seconds - (asked - started)),
                ),
            )
            inference_seconds = time.perf_counter() - asked
        for model in answers:
            self._metrics.observe_model(model)
        self._check_quorum(answers)
        verdict = vote(answers, self._settings.operating_point)
        agreed = agreement(answers, verdict.prediction)
        reasons = review_reasons(
            verdict,
            agreed,
            operating_point=self._settings.operating_point,
            band=self._settings.review_band,
        )
        return PredictionAnswer(
            request_id=request_id,
            filename=filename,
            image=image.info,
            prediction=verdict.prediction,
            confidence=verdict.confidence,
            probabilities=verdict.probabilities,
            agreement=agreed,
            review=bool(reasons),
            review_reasons=reasons,
            degraded=any(answer.status is not ModelAnswerStatus.OK for answer in answers),
            demo=await self._demo(answers),
            models=answers,
            timing=Timing(
                decode_seconds=image.decode_seconds,
                preprocess_seconds=image.preprocess_seconds,
                inference_seconds=inference_seconds,
                total_seconds=time.perf_counter() - started,
            ),
        )

    async def _prepare(self, data: bytes, *, deadline: float) -> _PreparedImage:
        loop = asyncio.get_running_loop()
        with _tracer.start_as_current_span("decode", record_exception=False):
            try:
                async with asyncio.timeout(deadline - time.perf_counter()):
                    return await loop.run_in_executor(
                        self._executor, _prepare, data, self._settings.max_pixels
                    )
            except TimeoutError as error:
                raise OverloadedError("the image could not be read in time; try again") from error
            except ProblemError as error:
                self._metrics.observe_refused_image(error.kind)
                raise

    def _check_quorum(self, answers: Sequence[ModelAnswer]) -> None:
        failed = [answer for answer in answers if answer.status is not ModelAnswerStatus.OK]
        if len(answers) - len(failed) >= self._settings.quorum:
            return
        reasons = ", ".join(f"{answer.name}: {answer.status}" for answer in failed)
        if all(answer.status is ModelAnswerStatus.TIMEOUT for answer in answers):
            raise ModelsLateError(f"no model answered in time ({reasons}); try again")
        raise ModelsUnavailableError(f"too few models answered ({reasons}); try again")

    async def _demo(self, answers: Sequence[ModelAnswer]) -> bool | None:
        cards = [
            await self._cards.get(answer.name, answer.version)
            for answer in answers
            if answer.version is not None
        ]
        if any(card is not None and card.demo for card in cards):
            return True
        return None if None in cards else False


def _prepare(data: bytes, max_pixels: int) -> _PreparedImage:
    started = time.perf_counter()
    try:
        image = decode_image(data, max_pixels=max_pixels)
    except ImageError as error:
        raise image_problem(error) from error
    decoded = time.perf_counter()
    pixels = preprocess(image.pixels)
    finished = time.perf_counter()
    info = ImageInfo(
        format=image.format,
        width=image.width,
        height=image.height,
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )
    return _PreparedImage(info, pixels, decoded - started, finished - decoded)
