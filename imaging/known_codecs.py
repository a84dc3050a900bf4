"""Python forgets names of codecs that there are none of.

Files and requests may name a charset, as DICOM's SpecificCharacterSet does, and libraries look it
up. Python keeps each name that was ever asked for, found or not, for as long as the process runs:
whoever sends many names fills the memory.
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
    """Have Python's own codecs found by the names that they have, and no others looked for.

    The same again does nothing. Codecs that others have registered are found as before.
    """
    codecs.unregister(encodings.search_function)
    codecs.unregister(_search)
    codecs.register(_search)


def _search(name: str) -> codecs.CodecInfo | None:
    known = name.replace("-", "_").replace(" ", "_")
    return encodings.search_function(name) if known in _KNOWN else None
