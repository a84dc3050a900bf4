"""The files that come with pydicom, from many manufacturers; some are relabelled as CTs."""

import contextlib
import io
from pathlib import Path

import numpy as np
import pydicom
import pytest

from imaging.decode import decode_image
from imaging.dicom.data_set import read_data_set
from imaging.dicom.frame import read_frame
from imaging.dicom.header import read_header
from imaging.errors import (
    DamagedImageError,
    ImageError,
    NoPixelsError,
    UnsupportedPixelsError,
    WrongModalityError,
)

FOLDER = Path(pydicom.data.__file__).parent / "test_files"


def path(name: str) -> Path:
    return FOLDER / name


def as_ct(name: str) -> bytes:
    """The file with only its modality changed."""
    data_set = pydicom.dcmread(path(name))
    data_set.Modality = "CT"
    file = io.BytesIO()
    data_set.save_as(file)
    return file.getvalue()


def stored(data: bytes) -> np.ndarray:
    data_set = read_data_set(data)
    header = read_header(data_set)
    return read_frame(data_set, header, header.frames // 2).values


@pytest.mark.parametrize(
    "name",
    [
        "MR_small_RLE.dcm",
        "MR_small_bigendian.dcm",
        "MR_small_expb.dcm",
        "MR_small_implicit.dcm",
        "MR_small_jp2klossless.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
        "MR_small_padded.dcm",
    ],
)
def test_one_image_in_several_encodings_has_the_same_values(name: str):
    expected = pydicom.dcmread(path("MR_small.dcm")).pixel_array
    assert (stored(as_ct(name)) == expected).all()


@pytest.mark.parametrize("name", ["J2K_pixelrep_mismatch.dcm", "JPEG2000.dcm", "693_J2KI.dcm"])
def test_jpeg_2000_values_equal_those_that_pydicom_reads_with_pillow(name: str):
    expected = pydicom.dcmread(path(name)).pixel_array
    assert (stored(as_ct(name)) == expected).all()


def test_jpeg_ls_near_lossless_is_read():
    eight, sixteen = (stored(as_ct(f"JPEGLSNearLossless_{bits}.dcm")) for bits in ("08", "16"))
    assert (eight.dtype, sixteen.dtype) == (np.uint8, np.uint16)
    assert (eight.shape, sixteen.shape) == ((45, 10), (50, 10))
    assert sixteen.max() > 255 >= eight.max() > 200


@pytest.mark.parametrize("name", ["JPEG-lossy.dcm", "JPGExtended.dcm"])
def test_12_bit_jpeg_frames_are_read(name: str):
    values = stored(as_ct(name))
    assert values.dtype == np.uint16
    assert 255 < values.max() < 4096


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("MR_small.dcm", WrongModalityError),
        ("rtplan.dcm", WrongModalityError),
        ("rtdose.dcm", WrongModalityError),
        ("rtstruct.dcm", WrongModalityError),
        ("test-SR.dcm", WrongModalityError),
        ("reportsi.dcm", WrongModalityError),
        ("waveform_ecg.dcm", WrongModalityError),
        ("examples_rgb_color.dcm", WrongModalityError),
        ("dicomdirtests/DICOMDIR", NoPixelsError),
        ("image_dfl.dcm", WrongModalityError),
    ],
)
def test_files_that_are_not_chest_images_are_rejected(name: str, error: type[ImageError]):
    with pytest.raises(error):
        decode_image(path(name).read_bytes())


@pytest.mark.parametrize(
    ("name", "error"),
    [("MR_truncated.dcm", DamagedImageError), ("SC_rgb_rle.dcm", UnsupportedPixelsError)],
)
def test_damaged_or_colour_images_are_rejected(name: str, error: type[ImageError]):
    with pytest.raises(error):
        decode_image(as_ct(name))


@pytest.mark.parametrize("file", sorted(FOLDER.rglob("*.dcm")), ids=lambda file: file.name)
def test_every_file_is_read_or_rejected_with_an_image_error(file: Path):
    with contextlib.suppress(ImageError):
        assert decode_image(file.read_bytes()).format == "dicom"
