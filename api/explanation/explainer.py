"""Explains a prediction by asking the models again with parts of the image hidden."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from api.explanation.perturbation import darkened, perturbed, random_masks, relevance
from api.fair_sharing.caller import Caller
from api.fair_sharing.client_activity import ClientActivity
from api.fair_sharing.fair_slots import FairSlots
from api.prediction.deadline import Deadline
from api.prediction.fan_out import IMAGES_AT_ONCE, FanOut
from api.prediction.options import PredictionOptions
from api.prediction.predictor import Predictor
from api.prediction.preparation import ImagePreparation
from api.prediction.results import ModelResult, ModelStatus, PredictionResult
from api.settings import Settings
from imaging.model_input import IMAGE_SIZE
from serving.contract import ENSEMBLE_NAME, POSITIVE_CLASS
from serving.probabilities import soft_vote

MASKS: Final = 192
CELLS: Final = 7
DARKEST_OF: Final = 9
"""The side of the square, in pixels of the model input, whose darkest value replaces a hidden
pixel."""
VALUES_SIDE: Final = 16
"""Rows and columns of a map's numeric values."""
PICTURE_SIDE: Final = 512
"""The longest side of the picture that is returned with the maps, in pixels."""

_MAX_WAITING: Final = 8
IMAGES_ASKED: Final = 1 + MASKS
"""The images that an explanation counts as: the image itself, and once for each mask."""

_MASKS: Final = random_masks(IMAGE_SIZE, count=MASKS, cells=CELLS, seed=0)
"""The same for all images, so that an image always has the same explanation."""


@dataclass(frozen=True)
class ModelMap:
    """The saliency map of one model or of the ensemble."""

    name: str
    version: int | None
    status: ModelStatus
    values: NDArray[np.float64] | None
    """How much more probable COVID is with a pixel shown than with it hidden, ``[64, 64]``."""


@dataclass(frozen=True)
class Explanation:
    """A prediction and its saliency maps."""

    prediction: PredictionResult
    maps: list[ModelMap]
    """The ensemble's map comes first."""
    picture: NDArray[np.uint8]
    """The image as the models saw it, but larger, ``[height, width, 3]`` RGB."""
    images_asked: int
    explanation_seconds: float


class Explainer:
    """Makes explanations, a limited number at a time.

    Args:
        predictor: makes and records the prediction.
        preparation: decodes images.
        fan_out: asks the models.
        settings: give deadlines, quorum, and the number of concurrent explanations.
        activity: of the clients.
    """

    def __init__(
        self,
        predictor: Predictor,
        preparation: ImagePreparation,
        fan_out: FanOut,
        settings: Settings,
        activity: ClientActivity,
    ) -> None:
        self._predictor = predictor
        self._preparation = preparation
        self._fan_out = fan_out
        self._settings = settings
        self._slots = FairSlots(
            settings.max_explanations,
            max_per_busy_client=max(1, settings.max_explanations - 1),
            activity=activity,
            max_waiting=_MAX_WAITING,
        )

    async def explain(
        self,
        filename: str,
        data: bytes,
        options: PredictionOptions,
        caller: Caller,
    ) -> Explanation:
        """Predict one image and compute the saliency map of each model.

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
        budget_seconds = self._settings.request_timeout_seconds
        async with self._slots.hold(caller.client, timeout_seconds=budget_seconds):
            prediction = await self._predictor.predict(filename, data, options, caller)
            started = time.perf_counter()
            deadline = Deadline.after(budget_seconds)
            image = await self._preparation.show(
                data,
                options.dicom,
                client=caller.client,
                deadline=deadline,
                longest_side=PICTURE_SIDE,
            )
            results = await self._ask(image.tensor, caller.client, deadline)
        maps = await asyncio.to_thread(_model_maps, prediction.models, results)
        self._predictor.check_quorum({each.name: each.status for each in maps})
        return Explanation(
            prediction,
            [_ensemble_map(maps), *maps],
            image.pixels,
            len(_MASKS),
            time.perf_counter() - started,
        )

    async def _ask(
        self, image: NDArray[np.float32], client: str, deadline: Deadline
    ) -> list[list[ModelResult]]:
        """The models' results for the image under each mask."""
        # So that other callers get their turn in between.
        at_once = asyncio.Semaphore(IMAGES_AT_ONCE)
        hidden = darkened(image, side=DARKEST_OF)

        async def ask(mask: NDArray[np.float32]) -> list[ModelResult]:
            async with at_once:
                return await self._fan_out.ask(
                    perturbed(image, mask, hidden),
                    client=client,
                    timeout_seconds=deadline.timeout_seconds(
                        at_most=self._settings.model_timeout_seconds
                    ),
                )

        return await asyncio.gather(*(ask(mask) for mask in _MASKS))


def _model_maps(
    wholes: Sequence[ModelResult], results: Sequence[Sequence[ModelResult]]
) -> list[ModelMap]:
    return [
        _model_map(whole, [of_one_mask[number] for of_one_mask in results])
        for number, whole in enumerate(wholes)
    ]


def _model_map(whole: ModelResult, parts: Sequence[ModelResult]) -> ModelMap:
    failed = [result.status for result in (whole, *parts) if result.probabilities is None]
    if failed:
        return ModelMap(whole.name, whole.version, failed[0], None)
    if any(result.version != whole.version for result in parts):
        # The version was replaced meanwhile; results of two versions are not comparable.
        return ModelMap(whole.name, whole.version, ModelStatus.NOT_AVAILABLE, None)
    values = relevance(_MASKS, np.array([_positive(result) for result in parts]))
    return ModelMap(whole.name, whole.version, ModelStatus.OK, values)


def _positive(result: ModelResult) -> float:
    if result.probabilities is None:
        raise ValueError("a model that did not answer has no probability")
    return result.probabilities[POSITIVE_CLASS]


def _ensemble_map(maps: Sequence[ModelMap]) -> ModelMap:
    """The mean of the models' maps, because the ensemble's probability is the mean of theirs."""
    given = [each.values for each in maps if each.values is not None]
    return ModelMap(ENSEMBLE_NAME, None, ModelStatus.OK, soft_vote(given))
