"""A frame is decoded by its content, whatever transfer syntax the file declares."""

import struct

import numpy as np
import pytest
from pydicom import uid
from pydicom.encaps import encapsulate

from imaging.decode import decode_image
from tests.dicom_files import (
    COMPRESSIONS,
    make_data_set,
    make_dicom,
    make_encapsulated,
    write_dicom,
)
from tests.unit.imaging.dicom.encoded_frames import (
    CODESTREAMS,
    LOSSY,
    TWELVE_BITS,
    encoded,
    pixels_for,
)


@pytest.mark.parametrize("actual", COMPRESSIONS, ids=lambda syntax: syntax.keyword)
@pytest.mark.parametrize(
    "declared",
    [uid.ExplicitVRLittleEndian, uid.JPEGBaseline8Bit, uid.JPEG2000, uid.RLELossless],
    ids=lambda syntax: syntax.keyword,
)
def test_a_frame_is_decoded_by_its_content_not_by_the_declared_syntax(
    actual: uid.UID, declared: uid.UID
):
    pixels = pixels_for(actual)
    data = make_encapsulated(encoded(pixels, actual), like=pixels, syntax=declared, Modality="CR")
    expected = decode_image(make_dicom(pixels, Modality="CR", syntax=actual)).pixels
    assert (decode_image(data).pixels == expected).all()


@pytest.mark.parametrize("actual", CODESTREAMS, ids=lambda syntax: syntax.keyword)
@pytest.mark.parametrize("items", [True, False])
def test_compressed_bytes_in_an_uncompressed_syntax_are_decompressed(actual: uid.UID, items: bool):
    pixels = pixels_for(actual)
    frame = encoded(pixels, actual)
    content = encapsulate([frame]) if items else frame
    data = make_dicom(pixels, Modality="CR", PixelData=content)
    expected = decode_image(make_dicom(pixels, Modality="CR", syntax=actual)).pixels
    assert (decode_image(data).pixels == expected).all()


@pytest.mark.parametrize("syntax", sorted(set(COMPRESSIONS) - LOSSY - {uid.RLELossless}))
@pytest.mark.parametrize("items", [True, False], ids=["in items", "bare"])
def test_compressed_bytes_padded_to_the_size_of_a_frame_are_decompressed(
    syntax: uid.UID, items: bool
):
    pixels = np.kron(TWELVE_BITS, np.ones((4, 4), np.uint16))
    frame = encoded(pixels, syntax)
    content = encapsulate([frame]) if items else frame
    assert len(content) < pixels.nbytes
    data = make_dicom(pixels, PixelData=content.ljust(pixels.nbytes, b"\0"))
    assert (decode_image(data).pixels == decode_image(make_dicom(pixels)).pixels).all()


@pytest.mark.parametrize("declared", [uid.JPEGBaseline8Bit, uid.JPEG2000, uid.RLELossless])
@pytest.mark.parametrize("items", [True, False])
def test_uncompressed_pixels_declared_as_compressed_are_read(declared: uid.UID, items: bool):
    expected = decode_image(make_dicom(TWELVE_BITS, Modality="CR")).pixels
    raw = TWELVE_BITS.tobytes()
    if items:
        data = make_encapsulated(raw, like=TWELVE_BITS, syntax=declared, Modality="CR")
    else:
        data_set = make_data_set(TWELVE_BITS, Modality="CR")
        data_set["PixelData"].VR = "OW"
        plain = write_dicom(data_set, syntax=uid.ExplicitVRLittleEndian)
        old = uid.ExplicitVRLittleEndian.encode().ljust(20, b"\0")
        length = struct.pack("<H", len(old))
        new = declared.encode() + b"\0" * (len(declared) % 2)
        data = plain.replace(length + old, struct.pack("<H", len(new)) + new, 1)
        assert data != plain
    assert (decode_image(data).pixels == expected).all()
