"""Names of codecs that there are none of are not kept, wherever they come from."""

import codecs
import encodings
from contextlib import suppress

import pytest

from imaging.dicom.data_set import read_data_set
from imaging.known_codecs import forget_unknown_codecs
from tests.dicom_files import ct_pixels, make_dicom


def kept() -> int:
    return len(encodings._cache)  # type: ignore[attr-defined] # where Python keeps them


def test_a_dicom_file_s_character_set_is_not_kept():
    read_data_set(make_dicom(ct_pixels()))
    before = kept()
    for number in range(20):
        read_data_set(make_dicom(ct_pixels(), SpecificCharacterSet=f"NOSUCH{number}"))
    assert kept() == before


@pytest.mark.parametrize(
    "name",
    ["utf-8", "UTF8", "latin-1", "ISO-8859-1", "iso8859-15", "cp1252", "us-ascii", "gb18030"],
)
def test_real_ones_are_found(name: str):
    forget_unknown_codecs()
    assert "a".encode(name) == b"a"


def test_however_a_name_is_spelled_no_more_of_it_is_kept():
    forget_unknown_codecs()
    codecs.lookup("utf-8")
    before = kept()
    for number in range(2, 20):
        for name in ("utf" + "-" * number + "8", f"nosuch{number}", f"utf-8{'!' * number}"):
            with suppress(LookupError):
                codecs.lookup(name)
    assert kept() == before
