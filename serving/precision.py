"""The arithmetic that a model server computes in."""

import enum


class Precision(enum.StrEnum):
    """By OpenVINO's names."""

    F32 = "f32"
    """The same answer on every machine."""
    BF16 = "bf16"
    """Nearly twice as fast under load where the CPU has it; the same to some hundredths."""
