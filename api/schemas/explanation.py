"""The response of ``POST /explain``."""

from api.prediction.results import ModelStatus
from api.schemas.common import Schema, Seconds
from api.schemas.prediction import PredictionResponse


class SaliencyMap(Schema):
    """The saliency map of one model, or of the ensemble."""

    name: str
    """The name of the model, or ``ensemble``."""
    version: int | None
    """The version that answered; null for the ensemble."""
    status: ModelStatus
    """``ok``, or why this model has no map."""
    values: list[list[float]] | None
    """Row by row from the top: how much more probable COVID is with that part of the image shown
    than with it hidden. Values above zero are evidence for COVID, values below zero evidence
    against it."""
    heatmap: str | None
    """An overlay for the picture: a base64 PNG, RGBA, of the same size. Red is evidence for COVID,
    blue evidence against it."""


class ExplanationResponse(Schema):
    """The response of ``POST /explain``."""

    prediction: PredictionResponse
    maps: list[SaliencyMap]
    """The ensemble's map, then the map of each model."""
    scale: float
    """The absolute value at which colours are strongest; the same for all maps."""
    picture: str
    """A base64 PNG: the image as the models saw it, with a longest side of at most 512 pixels."""
    images_asked: int
    """The number of versions of the image, with different parts hidden, that the models
    predicted."""
    explanation_seconds: Seconds
