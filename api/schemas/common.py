"""What all answers share. No field has a default: it is always there, or not in the schema."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

ClassName = Literal["COVID", "non-COVID"]
Probability = Annotated[float, Field(ge=0, le=1)]
Probabilities = Annotated[
    dict[ClassName, Probability],
    Field(description="The probability of each class; they sum to one."),
]
Seconds = Annotated[float, Field(ge=0)]


class Schema(BaseModel):
    """The base of all answers: immutable, and nothing beyond the schema."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, protected_namespaces=()
    )
