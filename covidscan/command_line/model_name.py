"""The names of the CNNs as an enum, for options and arguments."""

from enum import StrEnum

from serving.contract import MODEL_NAMES

ModelName = StrEnum("ModelName", [(name.upper(), name) for name in MODEL_NAMES])  # type: ignore[misc]
