"""Files that were once decoded wrongly, or rejected although intact, and what is right for each."""

import contextlib
import functools

import numpy as np
import pytest
from numpy.typing import NDArray

from imaging.decode import DecodedImage, decode_image
from imaging.dicom.description import DicomOptions, WindowChoice
from imaging.errors import DamagedImageError, ImageError
from imaging.plausibility import oddities
from imaging.preprocess import preprocess
from tests.conftest import SHARED_UPLOADS

FAULTS = SHARED_UPLOADS.parent / "faults"
REFERENCE = "image-16bit-lower-bits/control-full-range.png"
"""The slice that most of the files contain, with 8 bits per sample."""

pytestmark = pytest.mark.skipif(not FAULTS.is_dir(), reason="shared/data/faults is missing")

SAME_SLICE = {
    "dicom-codestream-precision-below-bits-stored/control-j2k-p12-header12-signed.dcm": "lung",
    "dicom-codestream-precision-below-bits-stored/j2k-p12-header16-signed.dcm": "lung",
    "dicom-ct-without-hounsfield/control-hu-no-rescale.dcm": "lung",
    "dicom-ct-without-hounsfield/sc-8bit.dcm": "range",
    "dicom-ct-without-hounsfield/u12-no-rescale.dcm": "range",
    "dicom-deflated-uid-mentioned/ct.dcm": "lung",
    "dicom-ds-decimal-comma/trailing-backslash.dcm": "file",
    "dicom-encapsulated-under-uncompressed-syntax/single.dcm": "range",
    "dicom-jp2-box/ct.dcm": "lung",
    "dicom-jpegls-ff-padding/tail-00.dcm": "range",
    "dicom-jpegls-ff-padding/tail-ff.dcm": "range",
    "dicom-jpegls-ff-padding/tail-none.dcm": "range",
    "dicom-no-preamble-meta-starts-late/starts-0002-0010.dcm": "lung",
    "dicom-voilut-empty/empty-descriptor.dcm": "file",
    "dicom-voilut-empty/empty-item.dcm": "file",
    "dicom-voilut-first-value-unsigned/ct.dcm": "table",
    "dicom-voilut-narrower-than-declared/control-12-of-12.dcm": "table",
    "dicom-voilut-narrower-than-declared/control-16-of-16.dcm": "table",
    "dicom-voilut-narrower-than-declared/cr-12bit-of-16.dcm": "table",
    "dicom-window-narrower-than-one/dx.dcm": "file",
    "image-16bit-lower-bits/12bit.png": None,
    "image-16bit-lower-bits/control-full-range.png": None,
    "image-16bit-lower-bits/covid-ctset-12bit.tif": None,
}
NOT_HOUNSFIELD = ("sc-8bit.dcm", "u12-no-rescale.dcm")


def read(name: str, window: WindowChoice = WindowChoice.AUTO) -> DecodedImage:
    return decode_image((FAULTS / name).read_bytes(), dicom=DicomOptions(window=window))


@functools.cache
def reference() -> NDArray[np.int64]:
    return read(REFERENCE).pixels.astype(np.int64)


@pytest.mark.parametrize("name", SAME_SLICE)
def test_each_encoding_of_the_slice_decodes_like_the_8_bit_reference(name: str):
    image = read(name)
    assert np.abs(image.pixels - reference()).max() <= 2
    assert oddities(preprocess(image.pixels)) == []
    source = image.dicom.window.source if image.dicom else None
    assert source == SAME_SLICE[name]


@pytest.mark.parametrize("name", NOT_HOUNSFIELD)
def test_the_lung_window_is_not_applied_to_values_other_than_hounsfield_units(name: str):
    path = f"dicom-ct-without-hounsfield/{name}"
    image = read(path, WindowChoice.LUNG)
    assert (image.pixels == read(path).pixels).all()
    assert image.dicom is not None
    assert (image.dicom.window.source, image.dicom.hounsfield) == ("range", False)


def test_a_voi_table_narrower_than_declared_is_stretched_to_the_full_range():
    image = read("dicom-voilut-narrower-than-declared/cr-2065-736-16.dcm")
    assert (image.pixels.min(), image.pixels.max()) == (0, 255)
    assert oddities(preprocess(image.pixels)) == []


def test_compressed_bytes_are_never_shown_as_pixels():
    image = read("dicom-encapsulated-under-uncompressed-syntax/noisy.dcm")
    assert oddities(preprocess(image.pixels)) == []


@pytest.mark.parametrize("name", ["12bit.png", "covid-ctset-12bit.tif"])
def test_scaled_16_bit_samples_are_reported_in_bits_used(name: str):
    assert read(f"image-16bit-lower-bits/{name}").bits_used == 12
    assert read(REFERENCE).bits_used is None


def test_a_png_with_a_wrong_checksum_in_its_text_is_rejected():
    with pytest.raises(DamagedImageError, match="checksum"):
        read("png-bad-crc-in-text/a.png")


def remaining_files() -> list[str]:
    files = (str(file.relative_to(FAULTS)) for file in sorted(FAULTS.glob("*/*")))
    return [name for name in files if name not in SAME_SLICE]


@pytest.mark.parametrize("name", remaining_files())
def test_every_other_file_decodes_to_a_plausible_image_or_is_rejected(name: str):
    with contextlib.suppress(ImageError):
        assert oddities(preprocess(read(name).pixels)) == []
