"""What all responses share. Fields have no defaults, so every field is always present."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from serving.contract import ClassName

Probability = Annotated[float, Field(ge=0, le=1)]
Probabilities = Annotated[
    dict[ClassName, Probability],
    Field(description="The probability of each class. They add up to 1."),
]
Seconds = Annotated[float, Field(ge=0)]


class Schema(BaseModel):
    """The base of all responses: immutable, no extra fields, can be built from plain results."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        from_attributes=True,
        use_attribute_docstrings=True,
        protected_namespaces=(),
    )
