"""Padding after a frame is ignored."""

import pytest
from pydicom import uid

from imaging.decode import decode_image
from tests.dicom_files import make_dicom, make_encapsulated
from tests.unit.imaging.dicom.encoded_frames import (
    CODESTREAMS,
    EIGHT_BITS,
    TWELVE_BITS,
    encoded,
    pixels_for,
)


@pytest.mark.parametrize("tail", [b"", b"\0", b"\xff", b"\xff\0", b"\xff\xff", b"\0" * 8])
@pytest.mark.parametrize("syntax", CODESTREAMS, ids=lambda syntax: syntax.keyword)
def test_any_padding_after_a_codestream_is_ignored(syntax: uid.UID, tail: bytes):
    pixels = pixels_for(syntax)
    frame = encoded(pixels, syntax).rstrip(b"\0")
    data = make_encapsulated(frame + tail, like=pixels, syntax=syntax, Modality="CR")
    expected = decode_image(make_dicom(pixels, Modality="CR", syntax=syntax)).pixels
    assert (decode_image(data).pixels == expected).all()


@pytest.mark.parametrize("extra", [b"\0", b"\0" * 128])
def test_zeros_after_the_pixels_are_ignored(extra: bytes):
    data = make_dicom(EIGHT_BITS, Modality="CR", PixelData=EIGHT_BITS.tobytes() + extra)
    expected = decode_image(make_dicom(EIGHT_BITS, Modality="CR")).pixels
    assert (decode_image(data).pixels == expected).all()


@pytest.mark.parametrize("padding", [b"\0\0", b"\0" * 10, b"\xff\xff"], ids=["00", "10 x 00", "ff"])
def test_padding_after_run_lengths_is_not_decoded(padding: bytes):
    pixels = TWELVE_BITS.copy()
    pixels[-1] *= len(padding) > 2
    frame = encoded(pixels, uid.RLELossless) + padding
    data = make_encapsulated(frame, like=pixels, syntax=uid.RLELossless)
    assert (decode_image(data).pixels == decode_image(make_dicom(pixels)).pixels).all()
