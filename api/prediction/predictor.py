"""The core: from a file's bytes to a prediction. Independent of HTTP."""

import asyncio
import importlib.metadata
import time
from collections.abc import Mapping, Sequence

from api.fair_sharing.caller import Caller
from api.fair_sharing.fair_slots import FairSlots
from api.observability.audit import AuditRecord, AuditTrail, AuditUnavailableError
from api.observability.metrics import Metrics
from api.prediction.deadline import Deadline
from api.prediction.ensemble import agreement, review_reasons, uncertainty, vote
from api.prediction.errors import (
    ModelsInTrainingError,
    ModelsTimeoutError,
    ModelsUnavailableError,
    RejectedImageError,
)
from api.prediction.fan_out import FanOut
from api.prediction.input_check import check_input
from api.prediction.model_cards import ModelCards
from api.prediction.options import PredictionOptions
from api.prediction.preparation import ImagePreparation
from api.prediction.results import ModelResult, ModelStatus, PredictionResult, Timing
from api.prediction.tta import varied
from api.rejection_reason import RejectionReason
from api.settings import Settings
from api.training_progress import ModelTraining
from imaging.fingerprint import preprocess_fingerprint


class Predictor:
    """Decodes an image, asks the models, aggregates their results and records the prediction.

    Args:
        preparation: decodes images.
        fan_out: asks the models.
        cards: the model cards of the versions.
        settings: give deadlines, limits, quorum and operating point.
        metrics: count predictions.
        image_slots: the slots of images in progress.
        audit: records each prediction, if set.
        training: of the models, if they are still being trained.
    """

    def __init__(
        self,
        preparation: ImagePreparation,
        fan_out: FanOut,
        cards: ModelCards,
        settings: Settings,
        *,
        metrics: Metrics,
        image_slots: FairSlots,
        audit: AuditTrail | None,
        training: ModelTraining | None = None,
    ) -> None:
        self._preparation = preparation
        self._fan_out = fan_out
        self._cards = cards
        self._settings = settings
        self._metrics = metrics
        self._audit = audit
        self._version = importlib.metadata.version("covidscan")
        self._image_slots = image_slots
        self._training = training

    async def predict(
        self,
        filename: str,
        data: bytes,
        options: PredictionOptions,
        caller: Caller,
    ) -> PredictionResult:
        """Predict one image.

        Args:
            filename: from the client; only repeated in the result.
            data: the file.
            options: chosen by the caller.
            caller: the sender; the result repeats the request id, the audit trail records the key
                id.

        Raises:
            ImageError: the image cannot be decoded.
            PredictionError: the image is rejected, or too few models answered in time.
            OverloadedError: too many images are in progress.
            AuditUnavailableError: the prediction could not be recorded.
        """
        result = await self._predict(filename, data, options, caller)
        if self._audit is not None:
            with self._metrics.audit_failures.count_exceptions(AuditUnavailableError):
                await self._audit.write(
                    AuditRecord.of(
                        result,
                        key_id=caller.key_id,
                        covidscan=self._version,
                        preprocessing=preprocess_fingerprint(),
                        operating_point=self._settings.operating_point,
                    )
                )
        self._metrics.observe_prediction(result)
        return result

    async def _predict(
        self, filename: str, data: bytes, options: PredictionOptions, caller: Caller
    ) -> PredictionResult:
        started = time.perf_counter()
        deadline = Deadline.after(self._settings.request_timeout_seconds)
        async with self._image_slots.hold(
            caller.client, timeout_seconds=deadline.timeout_seconds()
        ):
            image = await self._preparation.prepare(
                data, options.dicom, client=caller.client, deadline=deadline
            )
            self._reject(image.pixel_reasons, options)
            asked = time.perf_counter()
            timeout_seconds = deadline.timeout_seconds(at_most=self._settings.model_timeout_seconds)
            results, *of_variants = await asyncio.gather(
                *(
                    self._fan_out.ask(tensor, client=caller.client, timeout_seconds=timeout_seconds)
                    for tensor in (image.tensor, *varied(image.tensor, options.variants))
                )
            )
            inference_seconds = time.perf_counter() - asked
        for model in results:
            self._metrics.observe_model(model)
        self.check_quorum({model.name: model.status for model in results})
        demo = await self._demo(results)
        check = check_input(image.pixel_reasons, results, demo=demo)
        if check.ood_score is not None:
            self._metrics.observe_ood_score(check.ood_score)
        self._reject(check.reasons, options)
        verdict = vote(results, self._settings.operating_point)
        agreed = agreement(results, verdict.prediction)
        uncertain = uncertainty(results, of_variants)
        reasons = review_reasons(
            verdict,
            agreed,
            uncertain.interval,
            forced=bool(check.reasons),
            operating_point=self._settings.operating_point,
            band=self._settings.review_band,
            image=image.review,
        )
        return PredictionResult(
            request_id=caller.request_id,
            filename=filename,
            image=image.description,
            prediction=verdict.prediction,
            confidence=verdict.confidence,
            probabilities=verdict.probabilities,
            agreement=agreed,
            input_check=check,
            uncertainty=uncertain,
            review=bool(reasons),
            review_reasons=reasons,
            degraded=any(result.status is not ModelStatus.OK for result in results),
            demo=demo,
            models=results,
            timing=Timing(
                decode_seconds=image.decode_seconds,
                preprocess_seconds=image.preprocess_seconds,
                inference_seconds=inference_seconds,
                total_seconds=time.perf_counter() - started,
            ),
        )

    def check_quorum(self, statuses: Mapping[str, ModelStatus]) -> None:
        """Check that enough models answered.

        Args:
            statuses: the status of each model, by name.

        Raises:
            ModelsTimeoutError: too few answered, and all of them timed out.
            ModelsInTrainingError: too few answered, and some models are still being trained.
            ModelsUnavailableError: too few answered.
        """
        failed = {name: status for name, status in statuses.items() if status is not ModelStatus.OK}
        if len(statuses) - len(failed) >= self._settings.quorum:
            return
        reasons = ", ".join(f"{name}: {status}" for name, status in failed.items())
        if all(status is ModelStatus.TIMEOUT for status in statuses.values()):
            raise ModelsTimeoutError(f"no model answered in time ({reasons}); try again")
        progress = self._training.progress if self._training else None
        if progress is not None and ModelStatus.NOT_AVAILABLE in failed.values():
            raise ModelsInTrainingError(progress)
        raise ModelsUnavailableError(f"too few models answered ({reasons}); try again")

    def _reject(self, reasons: Sequence[RejectionReason], options: PredictionOptions) -> None:
        if not reasons or options.force:
            return
        for reason in reasons:
            self._metrics.observe_rejected_image(reason)
        raise RejectedImageError(reasons)

    async def _demo(self, results: Sequence[ModelResult]) -> bool | None:
        cards = await asyncio.gather(
            *(
                self._cards.get(result.name, result.version)
                for result in results
                if result.version is not None
            )
        )
        if any(card is not None and card.demo for card in cards):
            return True
        return None if None in cards else False
