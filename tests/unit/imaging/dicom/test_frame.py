"""Frames decode to their original values in every encoding."""

import numpy as np
import pytest
from pydicom import uid
from pydicom.encaps import encapsulate

from imaging.decode import decode_image
from imaging.dicom.description import DicomOptions
from imaging.errors import (
    DamagedImageError,
    NoSuchFrameError,
    TooManyPixelsError,
    UnsupportedTransferSyntaxError,
)
from tests.dicom_files import (
    COMPRESSIONS,
    ct_pixels,
    make_data_set,
    make_dicom,
    make_encapsulated,
    write_dicom,
)
from tests.jpeg2000_files import boxed
from tests.unit.imaging.dicom.encoded_frames import EIGHT_BITS, LOSSY, TWELVE_BITS, encoded


@pytest.mark.parametrize(
    ("syntax", "pixels"),
    [
        pytest.param(syntax, pixels, id=f"{syntax.keyword}-{bits} bits")
        for syntax in COMPRESSIONS
        for bits, pixels in ((8, EIGHT_BITS), (12, TWELVE_BITS))
        # These two hold pixels of one depth only.
        if (syntax, bits) not in {(uid.JPEGBaseline8Bit, 12), (uid.JPEGExtended12Bit, 8)}
    ],
)
def test_a_compressed_frame_decodes_to_the_original_pixels(syntax: uid.UID, pixels: np.ndarray):
    plain = decode_image(make_dicom(pixels, Modality="CR")).pixels.astype(int)
    compressed = decode_image(make_dicom(pixels, Modality="CR", syntax=syntax)).pixels
    assert np.abs(plain - compressed).max() <= (10 if syntax in LOSSY else 0)


@pytest.mark.parametrize(
    "syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian]
)
@pytest.mark.parametrize("preamble", [True, False])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16])
def test_uncompressed_frames_decode_alike_in_every_byte_order(
    syntax: uid.UID, preamble: bool, dtype: type
):
    pixels = (ct_pixels() // 16 + 100).astype(dtype)
    expected = decode_image(make_dicom(pixels)).pixels
    read = decode_image(make_dicom(pixels, syntax=syntax, preamble=preamble))
    assert (read.pixels == expected).all()
    assert (read.format, read.width, read.height) == ("dicom", 64, 48)


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.JPEGLosslessSV1])
def test_the_middle_frame_is_read_unless_another_is_chosen(syntax: uid.UID):
    frames = np.stack([np.full((16, 16), 20 * number, np.uint8) for number in range(6)])
    data = make_dicom(frames, Modality="CR", syntax=syntax)
    chosen = {
        frame: decode_image(data, dicom=DicomOptions(frame=frame)) for frame in (None, 1, 2, 6)
    }
    assert [image.pixels[0, 0, 0] for image in chosen.values()] == [60, 0, 20, 100]
    descriptions = [image.dicom for image in chosen.values()]
    assert [each and (each.frame, each.frames) for each in descriptions] == [
        (4, 6),
        (1, 6),
        (2, 6),
        (6, 6),
    ]


def test_a_frame_number_out_of_range_is_rejected():
    with pytest.raises(NoSuchFrameError, match="are 1 to 1; there is no frame 2"):
        decode_image(make_dicom(), dicom=DicomOptions(frame=2))


def test_too_many_pixels_are_rejected_from_the_header():
    with pytest.raises(TooManyPixelsError):
        decode_image(make_dicom(), max_pixels=64 * 48 - 1)
    with pytest.raises(TooManyPixelsError):
        decode_image(make_dicom(Rows=1, Columns=20_001))


@pytest.mark.parametrize(
    ("syntax", "message"),
    [
        (uid.MPEG4HP41, "MPEG-4 AVC/H.264 High Profile"),
        (uid.UID("1.2.3.4.5"), "that is not known"),
    ],
)
def test_unsupported_transfer_syntaxes_are_rejected_by_name(syntax: uid.UID, message: str):
    data_set = make_data_set(EIGHT_BITS, Modality="CR")
    data_set.PixelData = encapsulate([b"\0\0"])
    data_set["PixelData"].VR = "OB"
    data_set["PixelData"].is_undefined_length = True
    with pytest.raises(UnsupportedTransferSyntaxError, match=message):
        decode_image(write_dicom(data_set, syntax=syntax))


def test_a_deflated_file_is_inflated():
    deflated = make_dicom(syntax=uid.DeflatedExplicitVRLittleEndian)
    assert (decode_image(deflated).pixels == decode_image(make_dicom()).pixels).all()


@pytest.mark.parametrize("syntax", [uid.JPEG2000, uid.JPEG2000Lossless, uid.HTJ2KLossless])
def test_a_jpeg_2000_frame_may_be_wrapped_in_jp2_boxes(syntax: uid.UID):
    frame = boxed(encoded(TWELVE_BITS, syntax))
    data = make_encapsulated(frame, like=TWELVE_BITS, syntax=syntax, Modality="CR")
    expected = decode_image(make_dicom(TWELVE_BITS, Modality="CR", syntax=syntax)).pixels
    assert (decode_image(data).pixels == expected).all()
    for cut in (12, 40, 80):
        with pytest.raises(DamagedImageError):
            decode_image(
                make_encapsulated(frame[:cut], like=TWELVE_BITS, syntax=syntax, Modality="CR")
            )
