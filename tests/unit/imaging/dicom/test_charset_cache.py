"""Python does not cache the names of unknown codecs, wherever they come from."""

import codecs
import encodings
from contextlib import suppress

import pytest

from imaging.dicom.charset_cache import forget_unknown_codecs
from imaging.dicom.data_set import read_data_set
from tests.dicom_files import ct_pixels, make_dicom


def cached_names() -> int:
    return len(encodings._cache)  # type: ignore[attr-defined] # Python's cache


def test_unknown_dicom_character_sets_are_not_cached():
    read_data_set(make_dicom(ct_pixels()))
    before = cached_names()
    for number in range(20):
        read_data_set(make_dicom(ct_pixels(), SpecificCharacterSet=f"NOSUCH{number}"))
    assert cached_names() == before


@pytest.mark.parametrize(
    "name",
    ["utf-8", "UTF8", "latin-1", "ISO-8859-1", "iso8859-15", "cp1252", "us-ascii", "gb18030"],
)
def test_existing_codecs_are_found(name: str):
    forget_unknown_codecs()
    assert "a".encode(name) == b"a"


def test_unusual_spellings_of_codec_names_are_not_cached():
    forget_unknown_codecs()
    codecs.lookup("utf-8")
    before = cached_names()
    for number in range(2, 20):
        for name in ("utf" + "-" * number + "8", f"nosuch{number}", f"utf-8{'!' * number}"):
            with suppress(LookupError):
                codecs.lookup(name)
    assert cached_names() == before
