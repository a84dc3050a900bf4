"""Files that are not chest CTs or X-rays are rejected by their header, with the reason."""

import io
import logging
import struct
import time
import zlib

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import uid

from imaging.decode import decode_image
from imaging.dicom.description import DicomDescription, Window, WindowSource
from imaging.errors import (
    DamagedImageError,
    ImageError,
    NoPixelsError,
    UnsupportedPixelsError,
    WrongModalityError,
)
from tests.dicom_files import (
    COMPRESSIONS,
    PATIENT,
    ct_pixels,
    item,
    look_up_table,
    make_data_set,
    make_dicom,
)


def test_the_description_of_a_file_contains_nothing_about_the_patient():
    described = decode_image(
        make_dicom(
            np.zeros((4, 4), np.uint8),
            Modality="CR",
            ViewPosition="AP",
            StudyDescription=PATIENT,
        )
    ).dicom
    window = Window(WindowSource.RANGE, 127.5, 255)
    assert described == DicomDescription("CR", "AP", 1, 1, window)


def test_an_unknown_view_position_is_omitted_from_the_description():
    described = decode_image(make_dicom(ViewPosition="ERIKA")).dicom
    assert described is not None
    assert described.view is None


@pytest.mark.parametrize(
    ("modality", "message"),
    [
        ("MR", "MR, magnetic resonance"),
        ("US", "US, ultrasound"),
        ("OT", "OT, other$"),
        ("SR", "SR, a structured report"),
        ("RTSTRUCT", "RTSTRUCT, a radiotherapy structure set"),
        ("ERIKA", "an unsupported modality"),
        ("", "no modality"),
        (None, "no modality"),
    ],
)
def test_unsupported_modalities_are_rejected_by_name(modality: str | None, message: str):
    with pytest.raises(WrongModalityError, match=message):
        decode_image(make_dicom(Modality=modality))


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        *(("ct", "CT"), (" CT", "CT"), ("Ct ", "CT"), ("cr", "CR"), ("dx", "DX")),
        *(("DR", "DX"), ("dr ", "DX"), ("RG", "RG"), (" rg", "RG"), ("CT\\PT", "CT")),
    ],
)
def test_spelling_variants_of_a_modality_are_accepted(stored: str, expected: str):
    described = decode_image(make_dicom(Modality=stored)).dicom
    assert described is not None
    assert described.modality == expected


@pytest.mark.parametrize("photometric", ["monochrome1", " MONOCHROME1"])
def test_spelling_variants_of_monochrome1_are_accepted(photometric: str):
    expected = decode_image(make_dicom(PhotometricInterpretation="MONOCHROME1"))
    image = decode_image(make_dicom(PhotometricInterpretation=photometric))
    assert (image.pixels == expected.pixels).all()


@pytest.mark.parametrize("representation", [2, 31, 65_535])
def test_a_pixel_representation_other_than_0_or_1_is_rejected(representation: int):
    with pytest.raises(DamagedImageError, match="are signed"):
        decode_image(make_dicom(PixelRepresentation=representation))


@pytest.mark.parametrize("keyword", ["AvailableTransferSyntaxUID", "StudyDescription"])
def test_a_file_that_only_mentions_the_deflated_syntax_is_not_inflated(keyword: str):
    data = make_dicom(**{keyword: uid.DeflatedExplicitVRLittleEndian})
    assert (decode_image(data).pixels == decode_image(make_dicom()).pixels).all()


@pytest.mark.parametrize("modality", ["DOC", "CT"])
def test_an_encapsulated_document_is_rejected(modality: str):
    data = make_dicom(
        SOPClassUID=uid.EncapsulatedPDFStorage,
        Modality=modality,
        PixelData=None,
        EncapsulatedDocument=b"%PDF-1.7",
    )
    with pytest.raises(WrongModalityError, match="a document, such as a PDF"):
        decode_image(data)


@pytest.mark.parametrize("elements", [{"PixelData": None}, {"Rows": None}, {"Columns": 0}], ids=str)
def test_a_header_without_an_image_is_rejected(elements: dict[str, object]):
    with pytest.raises(NoPixelsError):
        decode_image(make_dicom(**elements))


@pytest.mark.parametrize(
    ("elements", "message"),
    [
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, "colours"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "colours"),
        ({"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31}, "32 bits per pixel"),
        ({"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0}, "1 bits per pixel"),
        ({"BitsStored": 12, "HighBit": 15}, "high bit does not match"),
    ],
)
def test_unsupported_pixel_formats_are_rejected(elements: dict[str, object], message: str):
    with pytest.raises(UnsupportedPixelsError, match=message):
        decode_image(make_dicom(**elements))


@pytest.mark.parametrize(
    "elements",
    [
        {"BitsStored": 17, "HighBit": 16},
        {"BitsAllocated": None},
        {"NumberOfFrames": -1},
        {"NumberOfFrames": 2},
        {"RescaleSlope": "nan", "RescaleIntercept": 0},
        {"RescaleSlope": "1e308", "RescaleIntercept": "-1e308"},
        {"VOILUTSequence": look_up_table(np.uint16([1, 2]), first=0, bits=99)},
        {"VOILUTSequence": item(LUTDescriptor=[9, 0, 12])},
    ],
)
def test_a_file_that_contradicts_itself_is_rejected(elements: dict[str, object]):
    with pytest.raises(DamagedImageError):
        decode_image(make_dicom(**elements))


def test_an_acr_nema_file_with_fewer_elements_is_read():
    data = make_dicom(
        preamble=False,
        syntax=uid.ImplicitVRLittleEndian,
        SOPClassUID=None,
        PhotometricInterpretation=None,
        SamplesPerPixel=None,
    )
    assert (decode_image(data).pixels == decode_image(make_dicom()).pixels).all()


def rejection_message(data: bytes) -> str:
    """The error message for a file, or an empty string if it is read."""
    try:
        decode_image(data)
    except ImageError as error:
        return str(error)
    return ""


def test_patient_data_appears_in_no_error_log_or_output(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
):
    caplog.set_level(logging.DEBUG)
    # Each triggers a pydicom warning, which quotes the offending value.
    bad = make_dicom(PatientName=PATIENT * 10).replace(b"PN", b"XX", 1)
    for data in (make_dicom(PixelData=None), bad, make_dicom(Modality="MR"), bad[:600]):
        assert PATIENT not in rejection_message(data)
    printed = capfd.readouterr()
    assert PATIENT not in caplog.text + printed.out + printed.err


def test_a_header_with_over_a_million_elements_is_rejected_within_5_cpu_seconds():
    element = struct.pack("<HHI", 0x0009, 0x1001, 0)
    data = bytes(128) + b"DICM" + make_dicom(preamble=True)[132:] + element * 1_300_000
    started = time.process_time()
    with pytest.raises(ImageError):
        decode_image(data)
    assert time.process_time() - started < 5


def test_a_sequence_of_200_000_items_is_rejected():
    items = struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 200_000
    sequence = struct.pack("<HH2sHI", 0x5200, 0x9230, b"SQ", 0, len(items)) + items
    data_set = make_data_set(ct_pixels(), PixelData=None)
    head = _serialised(data_set)
    data = head + sequence + _serialised(_pixel_data_alone(), head=False)
    with pytest.raises(DamagedImageError, match="sequence that is too long"):
        decode_image(data)


def test_deeply_nested_sequences_are_rejected_without_a_stack_overflow():
    opening = struct.pack("<HH2sHI", 0x5200, 0x9230, b"SQ", 0, 0xFFFFFFFF)
    opening += struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    with pytest.raises(ImageError):
        decode_image(_serialised(make_data_set(ct_pixels(), PixelData=None)) + opening * 20_000)


def test_a_deflate_bomb_is_rejected():
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = compressor.compress(bytes(200_000_000)) + compressor.flush()
    head = make_dicom(syntax=uid.DeflatedExplicitVRLittleEndian)
    with pytest.raises(DamagedImageError, match="far more than an image"):
        decode_image(head[: head.index(b"1.2.840.10008.1.2.1.99") + 22] + bomb)


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_a_file_with_changed_bytes_is_decoded_or_rejected_with_an_image_error(data: st.DataObject):
    syntax = data.draw(st.sampled_from([uid.ExplicitVRLittleEndian, *COMPRESSIONS]))
    dtype = np.uint8 if syntax == uid.JPEGBaseline8Bit else np.uint16
    file = bytearray(make_dicom((ct_pixels(12, 16) + 1024).astype(dtype), syntax=syntax))
    changes = st.lists(st.tuples(st.integers(0, len(file) - 1), st.integers(0, 255)), max_size=20)
    for position, value in data.draw(changes):
        file[position] = value
    try:
        image = decode_image(bytes(file), max_pixels=1_000_000)
    except ImageError:
        return
    assert image.pixels.dtype == np.uint8
    assert image.pixels.shape == (image.height, image.width, 3)


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=400))
def test_random_bytes_after_the_preamble_are_rejected_with_an_image_error(content: bytes):
    with pytest.raises(ImageError):
        decode_image(bytes(128) + b"DICM" + content)


def _pixel_data_alone() -> pydicom.Dataset:
    data_set = pydicom.Dataset()
    data_set.PixelData = ct_pixels().tobytes()
    data_set["PixelData"].VR = "OW"
    return data_set


def _serialised(data_set: pydicom.Dataset, *, head: bool = True) -> bytes:
    file = io.BytesIO()
    data_set.save_as(file, implicit_vr=False, little_endian=True)
    return (bytes(128) + b"DICM") * head + file.getvalue()
