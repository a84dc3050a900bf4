"""The answer of ``POST /explain``."""

from api.prediction.results import ModelAnswerStatus
from api.schemas.common import Schema, Seconds
from api.schemas.prediction import PredictionAnswer


class SaliencyMap(Schema):
    """Where in the image one model's answer, or the ensemble's, comes from."""

    name: str
    """Of the model, or ``ensemble``."""
    version: int | None
    """The version that answered; null of the ensemble."""
    status: ModelAnswerStatus
    """``ok``, or why there is no map of this model."""
    values: list[list[float]] | None
    """Row by row from the top: how much more probable COVID is with that part of the image shown
    than with it hidden. Above zero it speaks for COVID, below against it."""
    heatmap: str | None
    """PNG in base64, RGBA and of the picture's size, to lay over it: red speaks for COVID, blue
    against it."""


class ExplanationAnswer(Schema):
    """The answer of ``POST /explain``. Decision support for research, not a medical device."""

    prediction: PredictionAnswer
    maps: list[SaliencyMap]
    """The ensemble's first, then each model's."""
    scale: float
    """The value at which colours are strongest, the same in all maps."""
    picture: str
    """PNG in base64: the image as the models saw it, its longest side at most 512 pixels."""
    images_asked: int
    """How often the models were asked, with other parts hidden each time."""
    explanation_seconds: Seconds
