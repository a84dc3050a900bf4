"""What schemathesis sends where the API's document asks for images and DICOM files: such."""

from typing import Any

import cv2
import numpy as np
import schemathesis
from hypothesis import strategies as st
from schemathesis.transport.serialization import Binary

from serving.image_header import IMAGE_FORMATS
from tests.dicom_files import ct_pixels, make_dicom


def images(extension: str) -> st.SearchStrategy[bytes]:
    """Noise of any small size."""
    sides = st.integers(1, 40)
    return st.builds(
        lambda seed, height, width: cv2.imencode(
            extension, np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
        )[1].tobytes(),
        st.integers(0, 1000),
        sides,
        sides,
    )


for name in IMAGE_FORMATS:
    schemathesis.openapi.media_type(f"image/{name}", images(f".{name}"))
schemathesis.openapi.media_type(
    "application/dicom",
    st.builds(
        lambda rows, columns, modality: make_dicom(ct_pixels(rows, columns), Modality=modality),
        st.integers(1, 40),
        st.integers(2, 40),
        st.sampled_from(["CT", "CR"]),
    ),
)


@schemathesis.hook
def filter_body(_context: schemathesis.HookContext, body: Any) -> bool:
    """Leave out what violates the document in Python alone: sent as a file, a number is a file."""
    files = body.get("files") if isinstance(body, dict) else None
    return not isinstance(files, list) or all(isinstance(file, bytes | Binary) for file in files)


@schemathesis.hook
def filter_query(_context: schemathesis.HookContext, query: Any) -> bool:
    """Leave out frames that the files above do not have, which no document can say."""
    frame = query.get("frame") if isinstance(query, dict) else None
    return not isinstance(frame, int) or frame <= 1
