"""The arithmetic that a model server computes in."""

import enum


class Precision(enum.StrEnum):
    """By OpenVINO's names."""

    F32 = "f32"
    """The same answer on every machine."""
    BF16 = "bf16"
    """About twice as fast where the CPU has it; not the same to the last digit."""
