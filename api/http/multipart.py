"""Reads multipart forms (RFC 7578) into memory.

Starlette's own parser looks up any charset that a client names, ignores ``filename*``, treats a
file without a name as text, and writes files over 1 MiB to a temporary folder, which may be full.
The total size of all bodies is already bounded (``api.http.uploads.UploadBudget``), so files need
no disk.
"""

import io
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser
from starlette.datastructures import FormData, Headers, UploadFile

from api.http.errors import InvalidFormError
from api.http.header_parameters import (
    UnknownCharsetError,
    decode,
    decode_extended,
    parse_parameters,
)

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FILE_FIELDS: Final = frozenset({"file", "files"})
"""A part in one of these fields is a file, with or without a name.

Exception: a part without a name that is short and printable is text. ``curl -F file=a.png`` sends
such a part if the ``@`` is forgotten, and no image is printable text.
"""

_MAX_TEXT_BYTES: Final = 1024
_PLAIN_ENCODINGS: Final = frozenset({"", "binary", "8bit", "7bit"})


class MemoryFile(UploadFile):
    """An uploaded file in memory. Starlette's class would read and close it in another thread."""

    async def read(self, size: int = -1) -> bytes:
        """Read up to ``size`` bytes; all if it is negative."""
        return self.file.read(size)

    async def seek(self, offset: int) -> None:
        """Move to an offset in the file."""
        self.file.seek(offset)

    async def close(self) -> None:
        """Free the memory."""
        self.file.close()


async def read_multipart(
    content_type: str,
    stream: AsyncIterator[bytes],
    *,
    max_files: float,
    max_fields: float,
    max_part_size: int,
) -> FormData:
    """Parse a form.

    Args:
        content_type: of the request, with the boundary.
        stream: the body.
        max_files: the highest number of files.
        max_fields: the highest number of text fields.
        max_part_size: how many bytes of a text field are kept; the rest is discarded.

    Raises:
        InvalidFormError: the form is malformed or incomplete, has too many parts, or has a name in
            an unsupported charset.
    """
    _, parameters = parse_parameters(content_type)
    boundary = parameters.get("boundary")
    if not boundary:
        raise InvalidFormError(
            "the form's Content-Type has no boundary; leave that header to your HTTP client"
        )
    form = _Form(parameters.get("charset", ""), max_files, max_fields, max_part_size)
    try:
        parser = MultipartParser(boundary.encode("latin-1"), form.callbacks())
        async for chunk in stream:
            parser.write(chunk)
        parser.finalize()
    except FormParserError as error:
        raise InvalidFormError("the form is not valid multipart/form-data (RFC 7578)") from error
    return form.finish()


class _Form:
    """A form that is being received: the callbacks of python-multipart's parser."""

    def __init__(
        self, charset: str, max_files: float, max_fields: float, max_part_size: int
    ) -> None:
        self._charset = charset
        self._max_files = max_files
        self._max_fields = max_fields
        self._max_part_size = max_part_size
        self._items: list[tuple[str, str | UploadFile]] = []
        self._files = 0
        self._name = self._value = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._field = ""
        self._is_named = False
        self._filename: str | None = None
        """The name of a file; None for text."""
        self._data: io.BytesIO | None = None
        """The content of the current part."""
        self._in_part = False

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._part_begin,
            "on_part_data": self._part_data,
            "on_part_end": self._part_end,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
        }

    def finish(self) -> FormData:
        if self._in_part:
            raise InvalidFormError("the form ends in the middle of a part; send it whole")
        return FormData(self._items)

    def _part_begin(self) -> None:
        self._headers = []

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._in_part = True
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers.append((self._name.lower(), self._value))
        self._name = self._value = b""

    def _headers_finished(self) -> None:
        headers = Headers(raw=self._headers)
        _, disposition = parse_parameters(headers.get("content-disposition", ""))
        if "name" not in disposition:
            raise InvalidFormError(
                "a part of the form has no name; send a Content-Disposition header such as"
                ' form-data; name="file"; filename="image.png"'
            )
        self._field = self._decode(disposition["name"])
        self._is_named = any(parameter.startswith("filename") for parameter in disposition)
        is_file = self._is_named or self._field in FILE_FIELDS
        self._filename = self._read_filename(disposition) if is_file else None
        self._count(is_file=is_file)
        if headers.get("content-transfer-encoding", "").strip().lower() not in _PLAIN_ENCODINGS:
            raise InvalidFormError(
                "a part of the form has a Content-Transfer-Encoding; send the file's bytes as"
                " they are"
            )
        self._data = io.BytesIO()

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._data is None:
            raise ValueError("data outside a part")
        if self._filename is None:
            # No known field takes a longer text, so nothing relevant is lost.
            end = min(end, start + self._max_part_size - self._data.tell())
        self._data.write(data[start:end])

    def _part_end(self) -> None:
        if self._data is None:
            raise ValueError("the end of a part that never began")
        if self._filename is None or self._is_text():
            text = decode(self._data.getvalue(), "utf-8")
            self._items.append((self._field, text))
        else:
            # getvalue() shrinks the buffer to its content; reading it all then copies nothing.
            size = len(self._data.getvalue())
            self._data.seek(0)
            file = MemoryFile(
                self._data, size=size, filename=self._filename, headers=Headers(raw=self._headers)
            )
            self._items.append((self._field, file))
        self._data, self._in_part = None, False

    def _is_text(self) -> bool:
        """Whether a part in a file field is actually text."""
        if self._is_named or self._data is None or self._data.tell() > _MAX_TEXT_BYTES:
            return False
        try:
            text = self._data.getvalue().decode()
        except UnicodeDecodeError:
            return False
        return all(character.isprintable() or character.isspace() for character in text)

    def _count(self, *, is_file: bool) -> None:
        if is_file:
            self._files += 1
        if self._files > self._max_files:
            raise InvalidFormError(f"the form has more files than {self._max_files}; send fewer")
        if len(self._items) - self._files >= self._max_fields:
            raise InvalidFormError(
                f"the form has more text fields than {self._max_fields}; leave them out"
            )

    def _read_filename(self, disposition: dict[str, str]) -> str:
        """``filename*`` takes precedence over ``filename`` (RFC 6266) if it can be decoded."""
        plain = disposition.get("filename")
        try:
            extended = decode_extended(disposition.get("filename*", ""))
        except UnknownCharsetError as error:
            if plain is None:
                raise InvalidFormError(
                    "the file's name has an unsupported charset; send it in UTF-8"
                ) from error
            extended = None
        if extended:
            return extended
        return _without_folders(self._decode(plain or ""))

    def _decode(self, text: str) -> str:
        try:
            return decode(text.encode("latin-1"), self._charset)
        except UnknownCharsetError as error:
            raise InvalidFormError(
                "the form has names in an unsupported charset; send them in UTF-8"
            ) from error


def _without_folders(filename: str) -> str:
    r"""Remove the folders of a Windows path such as ``C:\scans\a.png``; old browsers send it."""
    if filename[1:3] == ":\\" or filename[:2] == "\\\\":
        return filename.rpartition("\\")[2]
    return filename
