"""Unsigned values that a header declares as signed would be shown with wrong grey levels."""

import cv2
import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import uid

from imaging.decode import decode_image
from imaging.errors import DamagedImageError
from tests.dicom_files import ct_pixels, make_dicom, make_encapsulated

SYNTAXES = [
    uid.ExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.RLELossless,
    uid.JPEGLosslessSV1,
    uid.JPEG2000Lossless,
]


def unsigned_picture(bits: int) -> NDArray[np.uint16]:
    """A smooth picture that fills the unsigned range."""
    picture = cv2.GaussianBlur(ct_pixels().astype(np.float32), (5, 5), 0)
    low, high = picture.min(), picture.max()
    return np.rint((picture - low) / (high - low) * ((1 << bits) - 1)).astype(np.uint16)


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.keyword)
@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_values_that_form_a_picture_only_as_unsigned_are_rejected(syntax: uid.UID, bits: int):
    stored = unsigned_picture(bits)
    if bits == 8:
        stored = stored.astype(np.uint8)
    elements = {"PixelRepresentation": 1, "BitsStored": bits, "HighBit": bits - 1}
    data = make_dicom(stored, Modality="CR", syntax=syntax, **elements)
    with pytest.raises(DamagedImageError, match="only form a picture as unsigned values"):
        decode_image(data)


@pytest.mark.parametrize("bits", [8, 10])
def test_wrapped_values_are_rejected_even_if_the_codestream_is_signed(bits: int):
    half = 1 << (bits - 1)
    wrapped = (unsigned_picture(bits).astype(np.int32) ^ half) - half
    like = wrapped.astype(np.int8 if bits == 8 else np.int16)
    frame = imagecodecs.jpeg2k_encode(
        like, codecformat="j2k", level=0, reversible=True, bitspersample=bits
    )
    data = make_encapsulated(
        frame,
        like=like,
        syntax=uid.JPEG2000Lossless,
        Modality="CR",
        BitsStored=bits,
        HighBit=bits - 1,
    )
    with pytest.raises(DamagedImageError, match="only form a picture as unsigned values"):
        decode_image(data)


@pytest.mark.parametrize("bits", [12, 13, 16])
def test_padding_far_below_the_image_is_not_mistaken_for_wrapped_values(bits: int):
    pixels = ct_pixels().clip(-1000, 2000)
    expected = decode_image(make_dicom(pixels)).pixels[:, 12:-12]
    padded = pixels.copy()
    padded[:, :8] = padded[:, -8:] = -(1 << 11)
    stored = (padded.astype(np.int32) & ((1 << bits) - 1)).astype(np.uint16)
    data = make_dicom(stored, PixelRepresentation=1, BitsStored=bits, HighBit=bits - 1)
    assert (decode_image(data).pixels[:, 12:-12] == expected).all()
