"""Parses header parameters, such as ``multipart/form-data; boundary=x``, and decodes their text.

Charset names from clients are never looked up with ``codecs``: Python caches every name that it was
asked for, known or not, until the process ends.
"""

import re
from typing import Final
from urllib.parse import unquote_to_bytes

_UTF_8: Final = frozenset({"", "utf-8", "utf8", "us-ascii", "ascii", "ansi_x3.4-1968"})
"""ASCII is a part of UTF-8. Without a charset a form is UTF-8 (RFC 7578, section 4.2)."""
_LATIN_1: Final = frozenset({"iso-8859-1", "iso8859-1", "iso_8859-1", "latin-1", "latin1", "l1"})

_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_REPLACEMENT: Final = "\ufffd"

_EXTENDED: Final = re.compile(r"([A-Za-z0-9!#$%&+^_`{}~-]+)'[^']*'([^']*)")
"""``charset'language'value`` (RFC 8187)."""


class UnknownCharsetError(ValueError):
    """The text is not ASCII, and its charset is not supported."""


def parse_parameters(header: str) -> tuple[str, dict[str, str]]:
    r"""Split a header into its value, in lower case, and its parameters, by name.

    A quoted value may contain semicolons, and quotes as ``\"``. If a parameter occurs twice, the
    last one counts. The time is linear in the header's length.

    >>> parse_parameters('form-data; name="a;b"; filename="say \\"x\\""')
    ('form-data', {'name': 'a;b', 'filename': 'say "x"'})
    """
    first, *others = _split(header)
    parameters = {}
    for other in others:
        name, separator, value = other.partition("=")
        if separator:
            parameters[name.strip(" \t").lower()] = _unquoted(value.strip(" \t"))
    return first.strip(" \t").lower(), parameters


def decode(raw: bytes, charset: str) -> str:
    """Decode text from a header; unprintable characters become U+FFFD.

    Invalid UTF-8 is read as ISO 8859-1, which some clients send without declaring it.

    Raises:
        UnknownCharsetError: the charset is neither UTF-8 nor ISO 8859-1, and the text is not ASCII.
    """
    charset = charset.strip().lower()
    if charset in _UTF_8:
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
    elif charset in _LATIN_1 or raw.isascii():
        text = raw.decode("latin-1")
    else:
        raise UnknownCharsetError("only UTF-8, US-ASCII and ISO 8859-1 are read")
    return _UNPRINTABLE.sub(_REPLACEMENT, text)


def decode_extended(value: str) -> str | None:
    """The text of an extended parameter such as ``filename*``; None if it is malformed.

    >>> decode_extended("utf-8''na%C3%AFve.png")
    'naïve.png'

    Raises:
        UnknownCharsetError: see ``decode``.
    """
    match = _EXTENDED.fullmatch(value)
    if match is None:
        return None
    return decode(unquote_to_bytes(match[2].encode("latin-1", "replace")), match[1])


def _split(header: str) -> list[str]:
    """Split at the semicolons outside quotes."""
    parts, start, quoted, escaped = [], 0, False, False
    for position, character in enumerate(header):
        if escaped:
            escaped = False
        elif character == "\\" and quoted:
            # Other backslashes are literal, as in Windows paths.
            escaped = header[position + 1 : position + 2] in ('"', "\\")
        elif character == '"':
            quoted = not quoted
        elif character == ";" and not quoted:
            parts.append(header[start:position])
            start = position + 1
    return [*parts, header[start:]]


def _unquoted(value: str) -> str:
    if len(value) < 2 or not (value[0] == value[-1] == '"'):  # noqa: PLR2004 - two quotes
        return value
    return re.sub(r'\\(["\\])', r"\1", value[1:-1])
