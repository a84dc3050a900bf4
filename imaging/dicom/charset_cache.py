"""Keeps Python from remembering unknown codec names.

Files and requests may name a charset, as in DICOM's SpecificCharacterSet, and libraries look it up.
Python caches every name that was ever looked up, found or not, until the process ends. A client
could fill the memory by sending many names.
"""

import codecs
import encodings
import pkgutil
from encodings.aliases import aliases
from typing import Final

_KNOWN: Final = frozenset(
    {
        *aliases,
        *aliases.values(),
        *(module.name for module in pkgutil.iter_modules(encodings.__path__)),
    }
)


def forget_unknown_codecs() -> None:
    """Restrict look-ups of Python's own codecs to names that exist.

    Further calls do nothing. Codecs registered by others are found as before.
    """
    codecs.unregister(encodings.search_function)
    codecs.unregister(_search)
    codecs.register(_search)


def _search(name: str) -> codecs.CodecInfo | None:
    known = name.replace("-", "_").replace(" ", "_")
    return encodings.search_function(name) if known in _KNOWN else None
