"""Header parameters, and text in the charsets that clients declare."""

import encodings
import time

import pytest

from api.http.header_parameters import (
    UnknownCharsetError,
    decode,
    decode_extended,
    parse_parameters,
)


@pytest.mark.parametrize(
    ("header", "value", "parameters"),
    [
        ("Multipart/Form-Data", "multipart/form-data", {}),
        ("a; B = c ; d=", "a", {"b": "c", "d": ""}),
        ('a; b="x;y"; c=z', "a", {"b": "x;y", "c": "z"}),
        ('a; b="say \\"x\\""', "a", {"b": 'say "x"'}),
        (r'a; b="C:\scans\a.png"', "a", {"b": r"C:\scans\a.png"}),
        ('a; b="unclosed; c=d', "a", {"b": '"unclosed; c=d'}),
        ("a; b=1; b=2; ;;c", "a", {"b": "2"}),
        ("", "", {}),
    ],
)
def test_a_header_is_split_into_its_value_and_its_parameters(
    header: str, value: str, parameters: dict[str, str]
):
    assert parse_parameters(header) == (value, parameters)


@pytest.mark.parametrize("character", [";", '"', "\\", '";', '\\"', "=", ";a=b"])
def test_a_header_of_separators_only_is_parsed_in_linear_time(character: str):
    started = time.process_time()
    parse_parameters("a" + character * (64_000 // len(character)))
    assert time.process_time() - started < 1, "linear parsing takes a hundredth of this"


@pytest.mark.parametrize(
    ("raw", "charset", "text"),
    [
        ("naïve".encode(), "", "naïve"),
        ("naïve".encode(), "UTF-8", "naïve"),
        ("naïve".encode("latin-1"), "utf-8", "naïve"),
        ("naïve".encode("latin-1"), "ISO-8859-1", "naïve"),
        (b"plain", "undefined", "plain"),
        (b"+2AA-", "utf-7", "+2AA-"),
        (rb"\ud800", "unicode_escape", r"\ud800"),
        (b"a\0b\r\n\x7f", "", "a\ufffdb\ufffd\ufffd\ufffd"),
        ("\u2028\u0085".encode(), "", "\ufffd\ufffd"),
    ],
)
def test_text_is_decoded_and_cleaned(raw: bytes, charset: str, text: str):
    assert decode(raw, charset) == text
    text.encode()


@pytest.mark.parametrize("charset", ["gbk", "punycode", "undefined", "idna", "utf-16", "x" * 5000])
def test_an_unsupported_charset_raises_an_error(charset: str):
    with pytest.raises(UnknownCharsetError):
        decode(b"\xc3\xaf", charset)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("utf-8''na%C3%AFve.png", "naïve.png"),
        ("UTF-8'en'%e2%82%ac", "€"),
        ("iso-8859-1''na%EFve", "naïve"),
        ("utf-8''%ED%A0%80", "í\xa0\ufffd"),
        ("utf-8''100%", "100%"),
        ("utf-8", None),
        ("", None),
        ("'x'y", None),
    ],
)
def test_an_extended_value_is_decoded(value: str, text: str | None):
    assert decode_extended(value) == text


def test_unknown_charset_names_do_not_fill_the_codec_cache():
    before = len(encodings._cache)  # type: ignore[attr-defined] # Python's codec cache
    for number in range(100):
        decode(b"plain", f"unknown-{number}")
        decode_extended(f"unknown-{number}''plain")
    assert len(encodings._cache) == before  # type: ignore[attr-defined]
