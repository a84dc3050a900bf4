"""DICOM is recognised by its content, with or without a preamble."""

import io

import numpy as np
import pytest
from PIL import Image
from pydicom import uid

from imaging.decode import decode_image
from imaging.dicom.recognition import is_dicom
from tests.dicom_files import make_dicom


@pytest.mark.parametrize("preamble", [True, False])
@pytest.mark.parametrize(
    "syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian]
)
def test_dicom_is_recognised(syntax: uid.UID, preamble: bool):
    assert is_dicom(make_dicom(syntax=syntax, preamble=preamble))


@pytest.mark.parametrize("first", [0x0000, 0x0001, 0x0002, 0x0003, 0x0010, 0x0012])
@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian])
def test_a_file_without_preamble_may_start_with_any_meta_information_element(
    first: int, syntax: uid.UID
):
    whole = make_dicom(syntax=syntax)[132:]
    at = 0
    while int.from_bytes(whole[at + 2 : at + 4], "little") < first:
        long = whole[at + 4 : at + 6] == b"OB"
        size = int.from_bytes(whole[at + 8 : at + 12] if long else whole[at + 6 : at + 8], "little")
        at += (12 if long else 8) + size
    data = whole[at:]
    assert is_dicom(data)
    if first <= 0x0010:
        assert (decode_image(data).pixels == decode_image(make_dicom()).pixels).all()


def test_dicom_with_a_tiff_header_in_its_preamble_is_recognised():
    assert is_dicom(b"II*\0" + make_dicom()[4:])


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF"])
def test_images_are_not_dicom(image_format: str):
    file = io.BytesIO()
    Image.fromarray(np.zeros((300, 300), np.uint8)).convert("RGB").save(file, image_format)
    assert not is_dicom(file.getvalue())


@pytest.mark.parametrize(
    "data",
    [b"", b"\x08\x00", b"DICM", bytes(200), b"%PDF-1.7" + bytes(200), b"PK\x03\x04" + bytes(200)],
)
def test_other_content_is_not_dicom(data: bytes):
    assert not is_dicom(data)
