"""What clients are told of forms and queries that do not fit the API."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from api.http.errors import InvalidRequestError, MissingFileError, RequestError

_MAX_NAMED: Final = 3
"""Unknown names that are told of one request."""

_HARMLESS_NAME: Final = re.compile(r"(?!.*[0-9]{4})[A-Za-z_][A-Za-z0-9_.\[\]-]{0,31}", re.ASCII)
"""A name that a program gives to a field. What has blanks, other scripts, or digits in a row as
dates and patients' numbers do, could be patient data, and is not repeated."""


def validation_problem(faults: Sequence[Mapping[str, Any]]) -> RequestError:
    """The problem of a form or query that pydantic refuses; ``faults`` are its errors.

    It never repeats a value. A name that is not known is repeated, to its sender alone, if it is
    harmless.
    """
    unknown = _names(fault["loc"][-1] for fault in faults if fault["type"] == "extra_forbidden")
    in_query = [fault for fault in faults if fault["loc"][0] == "query"]
    for fault in faults:
        if fault["loc"][0] == "body" and fault["type"] != "extra_forbidden":
            field = str(fault["loc"][1])
            detail = f"send the image as multipart/form-data in the field {field!r}"
            if fault["type"] != "missing":
                detail += f", as a file and not as a text; with curl: {field}=@image.png"
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
    """The same of the page's form, whose fields beside the file are what is a query elsewhere."""
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
        return f"a {what} that is not known"
    quoted = ", ".join(map(repr, names))
    if len(names) == 1:
        return f"the {what} {quoted}, which is not known"
    return f"{what}s that are not known ({quoted})"


def _instead(names: Sequence[str]) -> str:
    return f", not in {', '.join(map(repr, names))}" if names else ""
