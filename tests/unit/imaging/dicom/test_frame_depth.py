"""The depth and the sign of pixels, where header and codestream may differ."""

import imagecodecs
import numpy as np
import pytest
from pydicom import uid

from imaging.decode import decode_image
from imaging.errors import DamagedImageError
from tests.dicom_files import ct_pixels, make_dicom, make_encapsulated
from tests.unit.imaging.dicom.encoded_frames import EIGHT_BITS, TWELVE_BITS, encoded


@pytest.mark.parametrize(
    "syntax", [uid.JPEGLosslessSV1, uid.JPEGLSLossless, uid.JPEG2000Lossless, uid.RLELossless]
)
def test_signed_values_compressed_as_unsigned_keep_their_sign(syntax: uid.UID):
    pixels = ct_pixels()
    expected = decode_image(make_dicom(pixels)).pixels
    data = make_dicom(pixels.view(np.uint16), PixelRepresentation=1, syntax=syntax)
    assert (decode_image(data).pixels == expected).all()


def test_bits_above_bits_stored_are_ignored():
    stored = np.array([[0x0FFF, 0x0000, 0x0800]], np.uint16)
    expected = decode_image(make_dicom(stored, Modality="CR", BitsStored=12, HighBit=11)).pixels
    overlaid = stored | np.array([[0xF000, 0x1000, 0x8000]], np.uint16)
    read = decode_image(make_dicom(overlaid, Modality="CR", BitsStored=12, HighBit=11)).pixels
    assert (read == expected).all()


def test_12_bit_signed_values_are_sign_extended():
    stored = (np.array([[-600, -1000, 100]]) & 0x0FFF).astype(np.uint16)
    data = make_dicom(stored, PixelRepresentation=1, BitsStored=12, HighBit=11)
    expected = decode_image(make_dicom(np.array([[-600, -1000, 100]], np.int16))).pixels
    assert (decode_image(data).pixels == expected).all()


# imagecodecs has no JPEG-LS encoder for 12 bits.
@pytest.mark.parametrize("syntax", [uid.JPEGLosslessSV1, uid.JPEG2000Lossless], ids=str)
@pytest.mark.parametrize("signed", [True, False])
def test_the_sign_bit_of_a_12_bit_codestream_is_its_highest_bit(syntax: uid.UID, signed: bool):
    values = ct_pixels().clip(-1024, 1023)
    stored = (values & 0x0FFF).astype(np.uint16) if signed else (values + 1024).astype(np.uint16)
    frame = {
        uid.JPEGLosslessSV1: lambda: imagecodecs.jpeg8_encode(
            stored, lossless=True, predictor=1, bitspersample=12
        ),
        uid.JPEG2000Lossless: lambda: imagecodecs.jpeg2k_encode(
            stored, codecformat="j2k", level=0, reversible=True, bitspersample=12
        ),
    }[syntax]()
    elements = {} if signed else {"RescaleIntercept": -1024, "RescaleSlope": 1}
    data = make_encapsulated(
        frame, like=values if signed else stored, syntax=syntax, Modality="CT", **elements
    )
    assert (decode_image(data).pixels == decode_image(make_dicom(values)).pixels).all()


@pytest.mark.parametrize("syntax", [uid.JPEGLosslessSV1, uid.JPEGLSLossless, uid.JPEG2000Lossless])
def test_a_codestream_with_more_bits_than_allocated_is_rejected(syntax: uid.UID):
    data = make_encapsulated(
        encoded(TWELVE_BITS, syntax), like=EIGHT_BITS, syntax=syntax, Modality="CR"
    )
    with pytest.raises(DamagedImageError, match="its pixels have 16 bits, its header says 8"):
        decode_image(data)


def test_a_signed_codestream_is_rejected_if_the_header_declares_unsigned():
    data = make_encapsulated(
        encoded(ct_pixels(), uid.JPEG2000Lossless),
        like=TWELVE_BITS,
        syntax=uid.JPEG2000Lossless,
        Modality="CR",
    )
    with pytest.raises(DamagedImageError, match="about the sign"):
        decode_image(data)


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("syntax", [uid.JPEGLosslessSV1, uid.JPEG2000Lossless])
def test_an_unsigned_codestream_is_read_as_unsigned_if_the_header_declares_signed(
    syntax: uid.UID, bits: int
):
    pixels = (TWELVE_BITS * 3 // 2) >> (12 - bits)
    assert pixels.max() > 2 ** (bits - 1)
    if syntax == uid.JPEG2000Lossless:
        frame = imagecodecs.jpeg2k_encode(
            pixels, codecformat="j2k", level=0, reversible=True, bitspersample=bits
        )
    else:
        frame = imagecodecs.jpeg8_encode(pixels, lossless=True, predictor=1, bitspersample=bits)
    rescaling = {"RescaleSlope": 2 ** (12 - bits), "RescaleIntercept": -1024}
    data = make_encapsulated(frame, like=pixels.view(np.int16), syntax=syntax, **rescaling)
    assert (decode_image(data).pixels == decode_image(make_dicom(pixels, **rescaling)).pixels).all()
