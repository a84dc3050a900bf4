"""The memory estimated from a header is never less than what decoding takes."""

import io
import struct
import sys
import zlib

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom import uid

from imaging.decode_memory import decode_memory_bytes
from imaging.errors import ImageError, TooManyPixelsError
from tests.decode_costs import decode_costs
from tests.dicom_files import make_dicom
from tests.image_files import exif, saved, tiff

SIDE = 1152
LARGE_SIDE = 2048
SLACK = 4
"""An estimate over this multiple of what is needed would make other requests wait needlessly."""


def smooth(side: int) -> NDArray[np.uint8]:
    noise = np.random.default_rng(0).integers(0, 8, (side, side), np.uint8)
    return noise + np.linspace(0, 240, side).astype(np.uint8)


def encoded(name: str, pixels: NDArray[np.uint16] | NDArray[np.uint8]) -> bytes:
    return cv2.imencode(name, pixels)[1].tobytes()


def files() -> dict[str, bytes]:
    grey = smooth(SIDE)
    colour = np.stack([grey, grey[::-1], grey[:, ::-1]], -1)
    deep = grey.astype(np.uint16) * 257
    rgb = Image.fromarray(colour)
    alpha = np.dstack([colour, grey])
    rotated = exif(6)
    strip = zlib.compress(np.dstack([colour, np.full_like(grey, 255)]).tobytes(), 1)
    samples = {258: (8, 8, 8, 8), 262: 2, 277: 4, 338: 2}
    dicom = {
        f"dicom {syntax.keyword}": make_dicom(
            grey if syntax == uid.JPEGBaseline8Bit else grey.astype(np.uint16) * 16,
            Modality="CR",
            syntax=syntax,
        )
        for syntax in (
            *(uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian, uid.RLELossless),
            *(uid.JPEGBaseline8Bit, uid.JPEGLosslessSV1, uid.JPEGLSLossless),
            uid.JPEG2000Lossless,
        )
    }
    return {
        "png": saved(grey, "PNG", compress_level=1),
        "png, rotated": saved(rgb, "PNG", compress_level=1, exif=rotated),
        "png, 16 bits": encoded(".png", alpha.astype(np.uint16) * 257),
        "jpeg": saved(rgb, "JPEG", subsampling=0),
        "jpeg, rotated": saved(rgb, "JPEG", exif=b"Exif\0\0" + rotated),
        "jpeg, progressive": saved(rgb, "JPEG", subsampling=0, progressive=True),
        "jpeg, progressive, grey": saved(grey, "JPEG", progressive=True),
        "jpeg, progressive, cmyk": saved(
            Image.fromarray(smooth(LARGE_SIDE)).convert("CMYK"),
            "JPEG",
            subsampling=0,
            progressive=True,
        ),
        "bmp": saved(rgb, "BMP"),
        "tiff": saved(rgb, "TIFF"),
        "tiff, 1 bit": saved(Image.fromarray(grey).convert("1"), "TIFF"),
        "tiff, 16 bits": encoded(".tiff", np.dstack([deep] * 3)),
        "tiff, one strip": tiff(strip, {**samples, 256: SIDE, 257: SIDE, 278: SIDE, 259: 8}),
        "webp": saved(rgb, "WEBP", method=0),
        "webp, alpha": saved(
            Image.fromarray(alpha), "WEBP", method=0, lossless=True, quality=0, exif=rotated
        ),
        **dicom,
        "dicom, signed": make_dicom((deep.astype(np.int32) - 32768).astype(np.int16)),
    }


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured as Linux reports it")
def test_decoding_never_takes_more_memory_than_estimated_from_the_header():
    made = files()
    costs = dict(zip(made, decode_costs(list(made.values())), strict=True))
    estimates = {name: decode_memory_bytes(data) for name, data in made.items()}
    assert {name: cost.outcome for name, cost in costs.items() if cost.outcome != "decoded"} == {}
    misestimated = {
        name: (cost.peak_bytes, estimates[name])
        for name, cost in costs.items()
        if not cost.peak_bytes <= estimates[name] <= SLACK * cost.peak_bytes
    }
    assert misestimated == {}


def test_an_image_with_too_many_pixels_is_rejected_from_its_header():
    with pytest.raises(TooManyPixelsError):
        decode_memory_bytes(saved(np.zeros((9, 9), np.uint8), "PNG"), max_pixels=80)
    with pytest.raises(TooManyPixelsError):
        decode_memory_bytes(make_dicom(Rows=1, Columns=20_001))


@pytest.mark.parametrize("data", [b"", b"text", make_dicom()[:200], struct.pack("<HHI", 8, 0, 4)])
def test_data_that_is_not_an_image_is_rejected(data: bytes):
    with pytest.raises(ImageError):
        decode_memory_bytes(data)


def test_the_estimate_for_a_thin_progressive_jpeg_counts_whole_blocks():
    file = io.BytesIO()
    Image.new("RGB", (1, 19_000)).save(file, "JPEG", progressive=True, subsampling=0)
    assert decode_memory_bytes(file.getvalue()) > 19_000 * 8 * 3 * 2
