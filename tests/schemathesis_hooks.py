"""Schemathesis hooks that generate real images and DICOM files for the OpenAPI media types."""

from typing import Any

import cv2
import numpy as np
import schemathesis
from hypothesis import strategies as st
from schemathesis.transport.serialization import Binary

from api.decoding.pixel_checks import MIN_SIDE
from imaging.formats.reading import IMAGE_FORMATS
from tests.dicom_files import ct_pixels, make_dicom

SIDES = st.integers(MIN_SIDE, 64)


def images(extension: str) -> st.SearchStrategy[bytes]:
    """Small grey images that pass the pixel checks, which an OpenAPI document cannot describe."""
    return st.builds(
        lambda seed, height, width: cv2.imencode(
            extension,
            cv2.resize(
                np.random.default_rng(seed)
                .permutation(np.linspace(0, 255, 25).astype(np.uint8))
                .reshape(5, 5),
                (width, height),
            ),
        )[1].tobytes(),
        st.integers(0, 1000),
        SIDES,
        SIDES,
    )


for name in IMAGE_FORMATS:
    schemathesis.openapi.media_type(f"image/{name}", images(f".{name}"))
schemathesis.openapi.media_type(
    "application/dicom",
    st.builds(
        lambda rows, columns, modality: make_dicom(ct_pixels(rows, columns), Modality=modality),
        SIDES,
        SIDES,
        st.sampled_from(["CT", "CR"]),
    ),
)


@schemathesis.hook
def filter_body(_context: schemathesis.HookContext, body: Any) -> bool:
    """Skip bodies that violate the document only in Python: a number sent as a file is a file."""
    if not isinstance(body, dict) or "files" not in body:
        return True
    files = body["files"]
    # A value that is not a list is sent as one part, which is a list of one file.
    return isinstance(files, list) and all(isinstance(file, bytes | Binary) for file in files)


@schemathesis.hook
def filter_query(_context: schemathesis.HookContext, query: Any) -> bool:
    """Skip frames that the generated files lack, which an OpenAPI document cannot describe."""
    frame = query.get("frame") if isinstance(query, dict) else None
    return not isinstance(frame, int) or frame <= 1
