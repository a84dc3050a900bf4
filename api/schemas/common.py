"""What all answers share. No field has a default: it is always there, or not in the schema."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from api.prediction.results import ClassName

Probability = Annotated[float, Field(ge=0, le=1)]
Probabilities = Annotated[
    dict[ClassName, Probability],
    Field(description="The probability of each class; they sum to one."),
]
Seconds = Annotated[float, Field(ge=0)]


class Schema(BaseModel):
    """The base of all answers: immutable, without further fields, built from plain results."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        from_attributes=True,
        use_attribute_docstrings=True,
        protected_namespaces=(),
    )
