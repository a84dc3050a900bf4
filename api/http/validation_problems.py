"""Problems for forms and queries that fail validation."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from api.http.errors import InvalidRequestError, MissingFileError, RequestError

_MAX_NAMED: Final = 3
"""How many unknown names a problem lists."""

_HARMLESS_NAME: Final = re.compile(r"(?!.*[0-9]{4})[A-Za-z_][A-Za-z0-9_.\[\]-]{0,31}", re.ASCII)
"""A name that a program would give to a field. Names with spaces, other scripts or four digits in a
row, as in dates and patient numbers, could be patient data and are not repeated."""


def validation_problem(faults: Sequence[Mapping[str, Any]]) -> RequestError:
    """The problem for a form or query that fails validation; ``faults`` are pydantic's errors.

    It never repeats a value. It repeats an unknown name, to its sender only, if the name is
    harmless.
    """
    unknown = _names(fault["loc"][-1] for fault in faults if fault["type"] == "extra_forbidden")
    in_query = [fault for fault in faults if fault["loc"][0] == "query"]
    for fault in faults:
        if fault["loc"][0] == "body" and fault["type"] != "extra_forbidden":
            field = str(fault["loc"][1])
            detail = f"send the image as multipart/form-data in the field {field!r}"
            if fault["type"] != "missing":
                detail += f", as a file and not as text; with curl: {field}=@image.png"
            elif not in_query:
                detail += _instead(unknown)
            return MissingFileError(detail)
    if any(fault["loc"][0] == "body" for fault in faults):
        return InvalidRequestError(f"the form has {_fields(unknown)}; leave it out")
    if any(fault["type"] == "extra_forbidden" for fault in in_query):
        return InvalidRequestError(f"the query has {_fields(unknown, 'parameter')}; leave it out")
    return InvalidRequestError(
        "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in in_query)
    )


def page_form_problem(faults: Sequence[Mapping[str, Any]]) -> RequestError:
    """The same for the page's form, whose other fields are query parameters in the API."""
    unknown = [fault["loc"][-1] for fault in faults if fault["type"] == "extra_forbidden"]
    if unknown:
        return InvalidRequestError(f"the form has {_fields(_names(unknown))}; leave it out")
    return InvalidRequestError(
        "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults)
    )


def _names(names: Iterable[object]) -> list[str]:
    harmless = dict.fromkeys(str(name) for name in names if _HARMLESS_NAME.fullmatch(str(name)))
    return list(harmless)[:_MAX_NAMED]


def _fields(names: Sequence[str], what: str = "field") -> str:
    if not names:
        return f"an unknown {what}"
    quoted = ", ".join(map(repr, names))
    if len(names) == 1:
        return f"the unknown {what} {quoted}"
    return f"the unknown {what}s {quoted}"


def _instead(names: Sequence[str]) -> str:
    return f", not in {', '.join(map(repr, names))}" if names else ""
