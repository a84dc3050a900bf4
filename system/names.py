"""Readable file names, and which files belong to the operating system."""

import unicodedata
from typing import Final

_ESCAPED_CATEGORIES: Final = {"Cc", "Cs", "Zl", "Zp"}
"""Control characters, lone surrogates, line and paragraph separators: they break lists and
terminals."""

_NAMELESS: Final = "unnamed"

_REORDERING: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Bidirectional controls, which make a terminal show ``gnp.exe`` as ``exe.png``."""

_SYSTEM_NAMES: Final = frozenset(
    {"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "@eadir"}
    | {"system volume information"}
)


def readable_name(name: str | bytes) -> str:
    r"""A file name as valid Unicode on one line.

    Bytes that are not UTF-8 and control characters become escapes: ``b"caf\xe9.png"`` becomes
    ``caf\xe9.png``. All other names are returned unchanged.

    Args:
        name: bytes, or text in which Python has represented undecodable bytes as surrogates.
    """
    return "".join(map(_escape, readable_text(name)))


def readable_text(text: str | bytes) -> str:
    """Text that may contain such names, as valid Unicode; line breaks are kept."""
    if isinstance(text, str):
        undecodable = all(
            each < "\ud800" or each > "\udfff" or "\udc80" <= each <= "\udcff" for each in text
        )
        text = text.encode("utf-8", "surrogateescape" if undecodable else "surrogatepass")
    return text.decode("utf-8", "backslashreplace")


def _escape(character: str) -> str:
    if unicodedata.category(character) not in _ESCAPED_CATEGORIES and character not in _REORDERING:
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"  # noqa: PLR2004


def is_system_file(name: str) -> bool:
    """Whether a relative path is hidden, or was created by an operating system.

    Examples: ``.DS_Store``, ``__MACOSX/a.png``, ``._a.png``, ``Thumbs.db``,
    ``.ipynb_checkpoints/a.png``.
    """
    parts = (part for part in name.replace("\\", "/").split("/") if part not in {"", ".", ".."})
    return any(part.startswith(".") or part.casefold() in _SYSTEM_NAMES for part in parts)


class UniqueNames:
    """Gives each file a unique, readable name.

    An archive may have two members with the same name, and two names may have the same readable
    form. The second gets the suffix ``#2``. The same names in the same order give the same result.
    """

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._counts: dict[str, int] = {}

    def add(self, name: str | bytes) -> str:
        """Return the readable name, with a number if it is taken."""
        wanted = found = readable_name(name) or _NAMELESS
        while found in self._taken:
            self._counts[wanted] = self._counts.get(wanted, 1) + 1
            found = f"{wanted}#{self._counts[wanted]}"
        self._taken.add(found)
        return found
