"""The precision of a model server's arithmetic."""

import enum


class Precision(enum.StrEnum):
    """Precisions, as OpenVINO names them."""

    F32 = "f32"
    """The same results on every machine."""
    BF16 = "bf16"
    """Nearly twice as fast under load if the CPU supports it; results differ by a few
    hundredths."""
