"""Frames come out of every encoding as they went in."""

import io
import struct
import time

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom import uid
from pydicom.encaps import encapsulate, get_frame

from imaging.dicom.description import DicomOptions
from imaging.errors import (
    DamagedImageError,
    ImageError,
    NoSuchFrameError,
    TooManyPixelsError,
    UnsupportedTransferSyntaxError,
)
from imaging.preprocess import decode_image
from tests.dicom_files import (
    COMPRESSIONS,
    ct_pixels,
    make_data_set,
    make_dicom,
    make_encapsulated,
    write_dicom,
)
from tests.jpeg2000_files import boxed

LOSSY = {uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLSNearLossless, uid.JPEG2000}
TWELVE_BITS = (ct_pixels() + 1024).clip(0, 4095).astype(np.uint16)
EIGHT_BITS = (TWELVE_BITS // 16).astype(np.uint8)


@pytest.mark.parametrize("syntax", COMPRESSIONS, ids=lambda syntax: syntax.keyword)
@pytest.mark.parametrize("pixels", [EIGHT_BITS, TWELVE_BITS], ids=["8 bits", "12 bits"])
def test_a_compressed_frame_is_what_it_was(syntax: uid.UID, pixels: np.ndarray):
    if syntax in {uid.JPEGBaseline8Bit: EIGHT_BITS, uid.JPEGExtended12Bit: TWELVE_BITS} and (
        pixels.dtype == (np.uint16 if syntax == uid.JPEGBaseline8Bit else np.uint8)
    ):
        pytest.skip("of another size of pixels")
    plain = decode_image(make_dicom(pixels, Modality="CR")).pixels.astype(int)
    compressed = decode_image(make_dicom(pixels, Modality="CR", syntax=syntax)).pixels
    assert np.abs(plain - compressed).max() <= (10 if syntax in LOSSY else 0)


@pytest.mark.parametrize(
    "syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian]
)
@pytest.mark.parametrize("preamble", [True, False])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16])
def test_uncompressed_frames_are_the_same_in_every_byte_order(
    syntax: uid.UID, preamble: bool, dtype: type
):
    pixels = (ct_pixels() // 16 + 100).astype(dtype)
    expected = decode_image(make_dicom(pixels)).pixels
    read = decode_image(make_dicom(pixels, syntax=syntax, preamble=preamble))
    assert (read.pixels == expected).all()
    assert (read.format, read.width, read.height) == ("dicom", 64, 48)


@pytest.mark.parametrize(
    "syntax", [uid.JPEGLosslessSV1, uid.JPEGLSLossless, uid.JPEG2000Lossless, uid.RLELossless]
)
def test_signed_values_may_be_compressed_without_their_sign(syntax: uid.UID):
    pixels = ct_pixels()
    expected = decode_image(make_dicom(pixels)).pixels
    data = make_dicom(pixels.view(np.uint16), PixelRepresentation=1, syntax=syntax)
    assert (decode_image(data).pixels == expected).all()


def test_bits_beyond_those_stored_are_somebody_elses():
    stored = np.array([[0x0FFF, 0x0000, 0x0800]], np.uint16)
    expected = decode_image(make_dicom(stored, Modality="CR", BitsStored=12, HighBit=11)).pixels
    overlaid = stored | np.array([[0xF000, 0x1000, 0x8000]], np.uint16)
    read = decode_image(make_dicom(overlaid, Modality="CR", BitsStored=12, HighBit=11)).pixels
    assert (read == expected).all()


def test_twelve_signed_bits_have_their_sign():
    stored = (np.array([[-600, -1000, 100]]) & 0x0FFF).astype(np.uint16)
    data = make_dicom(stored, PixelRepresentation=1, BitsStored=12, HighBit=11)
    expected = decode_image(make_dicom(np.array([[-600, -1000, 100]], np.int16))).pixels
    assert (decode_image(data).pixels == expected).all()


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


def test_a_frame_that_is_not_there_is_rejected():
    with pytest.raises(NoSuchFrameError, match="are 1 to 1; there is no frame 2"):
        decode_image(make_dicom(), dicom=DicomOptions(frame=2))


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, *COMPRESSIONS])
def test_a_file_cut_anywhere_is_rejected(syntax: uid.UID):
    dtype = np.uint8 if syntax == uid.JPEGBaseline8Bit else np.uint16
    pixels = EIGHT_BITS if dtype is np.uint8 else TWELVE_BITS
    whole = make_dicom(pixels, Modality="CR", syntax=syntax)
    for length in range(132, len(whole) - 64, max(1, len(whole) // 150)):
        with pytest.raises(ImageError) as rejection:
            decode_image(whole[:length])
        if length > whole.index(b"\xe0\x7f\x10\x00") + 16:
            assert rejection.type is DamagedImageError


@pytest.mark.parametrize("syntax", COMPRESSIONS)
def test_a_frame_of_another_size_than_the_header_says_is_rejected(syntax: uid.UID):
    pixels = EIGHT_BITS if syntax == uid.JPEGBaseline8Bit else TWELVE_BITS
    with pytest.raises(DamagedImageError):
        decode_image(make_dicom(pixels, Modality="CR", Rows=24, syntax=syntax))


def test_a_frame_that_claims_to_be_huge_is_never_decoded():
    data = bytearray(make_dicom(TWELVE_BITS, Modality="CR", syntax=uid.JPEG2000Lossless))
    size = data.index(b"\xff\x4f\xff\x51") + 8
    data[size : size + 8] = b"\x00\x00\xff\xff" * 2
    with pytest.raises(DamagedImageError, match="too many tiles"):
        decode_image(bytes(data))


def test_too_many_pixels_are_rejected_from_the_header():
    with pytest.raises(TooManyPixelsError):
        decode_image(make_dicom(), max_pixels=64 * 48 - 1)
    with pytest.raises(TooManyPixelsError):
        decode_image(make_dicom(Rows=1, Columns=20_001))


@pytest.mark.parametrize(
    ("syntax", "named"),
    [
        (uid.MPEG4HP41, "MPEG-4 AVC/H.264 High Profile"),
        (uid.UID("1.2.3.4.5"), "that is not known"),
    ],
)
def test_other_transfer_syntaxes_are_named(syntax: uid.UID, named: str):
    data_set = make_data_set(EIGHT_BITS, Modality="CR")
    data_set.PixelData = encapsulate([b"\0\0"])
    data_set["PixelData"].VR = "OB"
    data_set["PixelData"].is_undefined_length = True
    with pytest.raises(UnsupportedTransferSyntaxError, match=named):
        decode_image(write_dicom(data_set, syntax=syntax))


def test_a_deflated_file_is_inflated():
    deflated = make_dicom(syntax=uid.DeflatedExplicitVRLittleEndian)
    assert (decode_image(deflated).pixels == decode_image(make_dicom()).pixels).all()


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9, 0.98])
def test_a_deflated_file_that_is_cut_is_rejected(part: float):
    deflated = make_dicom(syntax=uid.DeflatedExplicitVRLittleEndian)
    with pytest.raises(DamagedImageError):
        decode_image(deflated[: int(part * len(deflated))])


def test_run_lengths_that_claim_more_than_the_frame_are_not_unpacked():
    data = make_dicom(EIGHT_BITS, Modality="CR", syntax=uid.RLELossless)
    frame = data.index(b"\x01\x00\x00\x00\x40\x00\x00\x00")
    bomb = b"\x81\x00" * 1000
    cut = data[: frame + 64] + bomb + data[frame + 64 + len(bomb) :]
    with pytest.raises(DamagedImageError):
        decode_image(cut)


CODESTREAMS = [syntax for syntax in COMPRESSIONS if syntax != uid.RLELossless]


def encoded(pixels: np.ndarray, syntax: uid.UID) -> bytes:
    whole = pydicom.dcmread(io.BytesIO(make_dicom(pixels, Modality="CR", syntax=syntax)))
    return get_frame(whole.PixelData, 0, number_of_frames=1)


def pixels_for(syntax: uid.UID) -> np.ndarray:
    return EIGHT_BITS if syntax == uid.JPEGBaseline8Bit else TWELVE_BITS


@pytest.mark.parametrize("coded", COMPRESSIONS, ids=lambda syntax: syntax.keyword)
@pytest.mark.parametrize(
    "said",
    [uid.ExplicitVRLittleEndian, uid.JPEGBaseline8Bit, uid.JPEG2000, uid.RLELossless],
    ids=lambda syntax: syntax.keyword,
)
def test_a_frame_is_decoded_by_what_it_is_and_not_by_what_the_file_says(
    coded: uid.UID, said: uid.UID
):
    pixels = pixels_for(coded)
    data = make_encapsulated(encoded(pixels, coded), like=pixels, syntax=said, Modality="CR")
    expected = decode_image(make_dicom(pixels, Modality="CR", syntax=coded)).pixels
    assert (decode_image(data).pixels == expected).all()


@pytest.mark.parametrize("coded", CODESTREAMS, ids=lambda syntax: syntax.keyword)
@pytest.mark.parametrize("items", [True, False])
def test_compressed_bytes_of_a_stated_length_are_never_pixels(coded: uid.UID, items: bool):
    pixels = pixels_for(coded)
    frame = encoded(pixels, coded)
    content = encapsulate([frame]) if items else frame
    data = make_dicom(pixels, Modality="CR", PixelData=content)
    expected = decode_image(make_dicom(pixels, Modality="CR", syntax=coded)).pixels
    assert (decode_image(data).pixels == expected).all()


@pytest.mark.parametrize("said", [uid.JPEGBaseline8Bit, uid.JPEG2000, uid.RLELossless])
@pytest.mark.parametrize("items", [True, False])
def test_pixels_that_are_not_compressed_may_be_said_to_be(said: uid.UID, items: bool):
    expected = decode_image(make_dicom(TWELVE_BITS, Modality="CR")).pixels
    raw = TWELVE_BITS.tobytes()
    if items:
        data = make_encapsulated(raw, like=TWELVE_BITS, syntax=said, Modality="CR")
    else:
        data_set = make_data_set(TWELVE_BITS, Modality="CR")
        data_set["PixelData"].VR = "OW"
        plain = write_dicom(data_set, syntax=uid.ExplicitVRLittleEndian)
        old = uid.ExplicitVRLittleEndian.encode().ljust(20, b"\0")
        length = struct.pack("<H", len(old))
        new = said.encode() + b"\0" * (len(said) % 2)
        data = plain.replace(length + old, struct.pack("<H", len(new)) + new, 1)
        assert data != plain
    assert (decode_image(data).pixels == expected).all()


@pytest.mark.parametrize("frame", [b"\0" * 100, b"\xff\xd8\xff", b"GIF89a" * 20, b"\x89PNG" * 9])
def test_items_that_hold_nothing_known_are_rejected(frame: bytes):
    for syntax in (uid.ExplicitVRLittleEndian, uid.JPEGBaseline8Bit, uid.JPEG2000):
        with pytest.raises(DamagedImageError):
            decode_image(make_encapsulated(frame, like=EIGHT_BITS, syntax=syntax, Modality="CR"))


@pytest.mark.parametrize(
    "syntax", [uid.JPEGLosslessSV1, uid.JPEGLSLossless, uid.JPEG2000Lossless], ids=str
)
@pytest.mark.parametrize("signed", [True, False])
def test_a_codestream_of_fewer_bits_has_its_sign_in_the_highest_of_them(
    syntax: uid.UID, signed: bool
):
    values = ct_pixels().clip(-1024, 1023)
    stored = (values & 0x0FFF).astype(np.uint16) if signed else (values + 1024).astype(np.uint16)
    frame = {
        uid.JPEGLosslessSV1: lambda: imagecodecs.jpeg8_encode(
            stored, lossless=True, predictor=1, bitspersample=12
        ),
        uid.JPEGLSLossless: lambda: imagecodecs.jpegls_encode(stored, level=0),
        uid.JPEG2000Lossless: lambda: imagecodecs.jpeg2k_encode(
            stored, codecformat="j2k", level=0, reversible=True, bitspersample=12
        ),
    }[syntax]()
    if syntax == uid.JPEGLSLossless:
        # The encoder says 16 bits; a frame of fewer differs in more than its header.
        pytest.skip("no encoder of 12 bits")
    elements = {} if signed else {"RescaleIntercept": -1024, "RescaleSlope": 1}
    data = make_encapsulated(
        frame, like=values if signed else stored, syntax=syntax, Modality="CT", **elements
    )
    assert (decode_image(data).pixels == decode_image(make_dicom(values)).pixels).all()


@pytest.mark.parametrize("syntax", [uid.JPEGLosslessSV1, uid.JPEGLSLossless, uid.JPEG2000Lossless])
def test_a_codestream_of_more_bits_than_are_allocated_is_a_contradiction(syntax: uid.UID):
    data = make_encapsulated(
        encoded(TWELVE_BITS, syntax), like=EIGHT_BITS, syntax=syntax, Modality="CR"
    )
    with pytest.raises(DamagedImageError, match="its pixels have 16 bits, its header says 8"):
        decode_image(data)


def test_a_codestream_with_a_sign_that_the_header_denies_is_a_contradiction():
    data = make_encapsulated(
        encoded(ct_pixels(), uid.JPEG2000Lossless),
        like=TWELVE_BITS,
        syntax=uid.JPEG2000Lossless,
        Modality="CR",
    )
    with pytest.raises(DamagedImageError, match="about the sign"):
        decode_image(data)


@pytest.mark.parametrize("tail", [b"", b"\0", b"\xff", b"\xff\0", b"\xff\xff", b"\0" * 8])
@pytest.mark.parametrize("syntax", CODESTREAMS, ids=lambda syntax: syntax.keyword)
def test_bytes_that_make_a_length_even_may_be_any(syntax: uid.UID, tail: bytes):
    pixels = pixels_for(syntax)
    frame = encoded(pixels, syntax).rstrip(b"\0")
    data = make_encapsulated(frame + tail, like=pixels, syntax=syntax, Modality="CR")
    expected = decode_image(make_dicom(pixels, Modality="CR", syntax=syntax)).pixels
    assert (decode_image(data).pixels == expected).all()


@pytest.mark.parametrize("syntax", [uid.JPEG2000, uid.JPEG2000Lossless, uid.HTJ2KLossless])
def test_a_jpeg_2000_may_lie_in_boxes(syntax: uid.UID):
    frame = boxed(encoded(TWELVE_BITS, syntax))
    data = make_encapsulated(frame, like=TWELVE_BITS, syntax=syntax, Modality="CR")
    expected = decode_image(make_dicom(TWELVE_BITS, Modality="CR", syntax=syntax)).pixels
    assert (decode_image(data).pixels == expected).all()
    for cut in (12, 40, 80):
        with pytest.raises(DamagedImageError):
            decode_image(
                make_encapsulated(frame[:cut], like=TWELVE_BITS, syntax=syntax, Modality="CR")
            )


@pytest.mark.parametrize("extra", [b"\0", b"\0" * 128])
def test_zeros_behind_the_pixels_are_padding(extra: bytes):
    data = make_dicom(EIGHT_BITS, Modality="CR", PixelData=EIGHT_BITS.tobytes() + extra)
    expected = decode_image(make_dicom(EIGHT_BITS, Modality="CR")).pixels
    assert (decode_image(data).pixels == expected).all()


@pytest.mark.parametrize(
    "elements",
    [{"Rows": 24}, {"Columns": 32}, {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}],
    ids=str,
)
def test_more_pixels_than_the_header_says_are_rejected(elements: dict[str, int]):
    with pytest.raises(DamagedImageError, match="more pixels than its header says"):
        decode_image(make_dicom(TWELVE_BITS | 1, Modality="CR", **elements))


def test_a_jpeg_of_fill_bytes_does_not_hold_a_thread():
    data_set = make_data_set(EIGHT_BITS, Modality="CR")
    data_set.PixelData = encapsulate([b"\xff\xd8" + b"\xff" * 10_000_000])
    data_set["PixelData"].VR = "OB"
    data_set["PixelData"].is_undefined_length = True
    data = write_dicom(data_set, syntax=uid.JPEGBaseline8Bit)
    started = time.process_time()
    with pytest.raises(DamagedImageError):
        decode_image(data)
    assert time.process_time() - started < 1


@pytest.mark.parametrize("end", [b"", b"\xff\xd9"], ids=["without end", "with end"])
@pytest.mark.parametrize("syntax", COMPRESSIONS, ids=lambda syntax: syntax.keyword)
def test_a_frame_that_is_cut_within_a_whole_file_is_rejected(syntax: uid.UID, end: bytes):
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


@pytest.mark.parametrize("syntax", sorted(set(COMPRESSIONS) - LOSSY - {uid.RLELossless}))
@pytest.mark.parametrize("items", [True, False], ids=["in items", "bare"])
def test_compressed_bytes_in_the_room_of_a_whole_frame_are_no_pixels(syntax: uid.UID, items: bool):
    pixels = np.kron(TWELVE_BITS, np.ones((4, 4), np.uint16))
    frame = encoded(pixels, syntax)
    content = encapsulate([frame]) if items else frame
    assert len(content) < pixels.nbytes
    data = make_dicom(pixels, PixelData=content.ljust(pixels.nbytes, b"\0"))
    assert (decode_image(data).pixels == decode_image(make_dicom(pixels)).pixels).all()


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian])
@pytest.mark.parametrize("fewer", [1, 2])
def test_an_image_that_ends_in_black_is_not_sheared(syntax: uid.UID, fewer: int):
    pixels = TWELVE_BITS.copy()
    pixels[-3:] = 0
    with pytest.raises(DamagedImageError, match="more pixels than its header says"):
        decode_image(
            make_dicom(pixels, Modality="CR", Columns=pixels.shape[1] - fewer, syntax=syntax)
        )


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("syntax", [uid.JPEGLosslessSV1, uid.JPEG2000Lossless])
def test_values_without_signs_under_a_header_with_them(syntax: uid.UID, bits: int):
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


@pytest.mark.parametrize("padding", [b"\0\0", b"\0" * 10, b"\xff\xff"], ids=["00", "10 x 00", "ff"])
def test_padding_behind_run_lengths_is_none_of_them(padding: bytes):
    pixels = TWELVE_BITS.copy()
    pixels[-1] *= len(padding) > 2
    frame = encoded(pixels, uid.RLELossless) + padding
    data = make_encapsulated(frame, like=pixels, syntax=uid.RLELossless)
    assert (decode_image(data).pixels == decode_image(make_dicom(pixels)).pixels).all()
