"""Truncated, inconsistent and malicious frames are rejected."""

import io
import time

import numpy as np
import pydicom
import pytest
from pydicom import uid
from pydicom.encaps import encapsulate, get_frame

from imaging.decode import decode_image
from imaging.errors import DamagedImageError, ImageError
from tests.dicom_files import (
    COMPRESSIONS,
    make_data_set,
    make_dicom,
    make_encapsulated,
    write_dicom,
)
from tests.unit.imaging.dicom.encoded_frames import EIGHT_BITS, TWELVE_BITS


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, *COMPRESSIONS])
def test_a_file_truncated_at_any_offset_is_rejected(syntax: uid.UID):
    dtype = np.uint8 if syntax == uid.JPEGBaseline8Bit else np.uint16
    pixels = EIGHT_BITS if dtype is np.uint8 else TWELVE_BITS
    whole = make_dicom(pixels, Modality="CR", syntax=syntax)
    for length in range(132, len(whole) - 64, max(1, len(whole) // 150)):
        with pytest.raises(ImageError) as rejection:
            decode_image(whole[:length])
        if length > whole.index(b"\xe0\x7f\x10\x00") + 16:
            assert rejection.type is DamagedImageError


@pytest.mark.parametrize("syntax", COMPRESSIONS)
def test_a_frame_whose_size_differs_from_the_header_is_rejected(syntax: uid.UID):
    pixels = EIGHT_BITS if syntax == uid.JPEGBaseline8Bit else TWELVE_BITS
    with pytest.raises(DamagedImageError):
        decode_image(make_dicom(pixels, Modality="CR", Rows=24, syntax=syntax))


def test_a_jpeg_2000_frame_that_claims_a_huge_size_is_rejected():
    data = bytearray(make_dicom(TWELVE_BITS, Modality="CR", syntax=uid.JPEG2000Lossless))
    size = data.index(b"\xff\x4f\xff\x51") + 8
    data[size : size + 8] = b"\x00\x00\xff\xff" * 2
    with pytest.raises(DamagedImageError, match="too many tiles"):
        decode_image(bytes(data))


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9, 0.98])
def test_a_truncated_deflated_file_is_rejected(part: float):
    deflated = make_dicom(syntax=uid.DeflatedExplicitVRLittleEndian)
    with pytest.raises(DamagedImageError):
        decode_image(deflated[: int(part * len(deflated))])


def test_run_lengths_that_expand_beyond_the_frame_are_rejected():
    data = make_dicom(EIGHT_BITS, Modality="CR", syntax=uid.RLELossless)
    frame = data.index(b"\x01\x00\x00\x00\x40\x00\x00\x00")
    bomb = b"\x81\x00" * 1000
    damaged = data[: frame + 64] + bomb + data[frame + 64 + len(bomb) :]
    with pytest.raises(DamagedImageError):
        decode_image(damaged)


@pytest.mark.parametrize("frame", [b"\0" * 100, b"\xff\xd8\xff", b"GIF89a" * 20, b"\x89PNG" * 9])
def test_items_without_a_known_encoding_are_rejected(frame: bytes):
    for syntax in (uid.ExplicitVRLittleEndian, uid.JPEGBaseline8Bit, uid.JPEG2000):
        with pytest.raises(DamagedImageError):
            decode_image(make_encapsulated(frame, like=EIGHT_BITS, syntax=syntax, Modality="CR"))


@pytest.mark.parametrize(
    "elements",
    [{"Rows": 24}, {"Columns": 32}, {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}],
    ids=str,
)
def test_more_pixels_than_the_header_declares_are_rejected(elements: dict[str, int]):
    with pytest.raises(DamagedImageError, match="more pixels than its header says"):
        decode_image(make_dicom(TWELVE_BITS | 1, Modality="CR", **elements))


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian])
@pytest.mark.parametrize("fewer", [1, 2])
def test_too_few_declared_columns_are_rejected_even_if_the_image_ends_in_black(
    syntax: uid.UID, fewer: int
):
    pixels = TWELVE_BITS.copy()
    pixels[-3:] = 0
    with pytest.raises(DamagedImageError, match="more pixels than its header says"):
        decode_image(
            make_dicom(pixels, Modality="CR", Columns=pixels.shape[1] - fewer, syntax=syntax)
        )


def test_a_jpeg_of_10_mb_of_fill_bytes_is_rejected_within_a_cpu_second():
    data_set = make_data_set(EIGHT_BITS, Modality="CR")
    data_set.PixelData = encapsulate([b"\xff\xd8" + b"\xff" * 10_000_000])
    data_set["PixelData"].VR = "OB"
    data_set["PixelData"].is_undefined_length = True
    data = write_dicom(data_set, syntax=uid.JPEGBaseline8Bit)
    started = time.process_time()
    with pytest.raises(DamagedImageError):
        decode_image(data)
    assert time.process_time() - started < 1


@pytest.mark.parametrize("end", [b"", b"\xff\xd9"], ids=["no end marker", "end marker"])
@pytest.mark.parametrize("syntax", COMPRESSIONS, ids=lambda syntax: syntax.keyword)
def test_a_truncated_frame_in_a_complete_file_is_rejected_within_a_cpu_second(
    syntax: uid.UID, end: bytes
):
    pixels = EIGHT_BITS if syntax == uid.JPEGBaseline8Bit else TWELVE_BITS
    whole = pydicom.dcmread(io.BytesIO(make_dicom(pixels, Modality="CR", syntax=syntax)))
    frame = get_frame(whole.PixelData, 0, number_of_frames=1).rstrip(b"\0")
    for part in (0.3, 0.6, 0.9, 0.98):
        whole.PixelData = encapsulate([frame[: int(part * len(frame))] + end])
        whole["PixelData"].VR = "OB"
        file = io.BytesIO()
        whole.save_as(file)
        started = time.process_time()
        with pytest.raises(DamagedImageError):
            decode_image(file.getvalue())
        assert time.process_time() - started < 1
