"""Reads multipart forms (RFC 7578) into memory.

Starlette's own parser looks up whatever charset a client names, drops ``filename*``, takes a file
without a name for text, and writes files over 1 MiB to a temporary folder, which may be full. All
bodies together are bounded already (``api.http.uploads.UploadBudget``), so files need no disk.
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

Without a name, and short and printable, it is a text all the same: ``curl -F file=a.png`` sends
that, where the ``@`` is forgotten. No image is a text.
"""

_MAX_TEXT_BYTES: Final = 1024
_PLAIN_ENCODINGS: Final = frozenset({"", "binary", "8bit", "7bit"})


class MemoryFile(UploadFile):
    """An uploaded file in memory: Starlette would read and close it in another thread."""

    async def read(self, size: int = -1) -> bytes:
        """Read as many bytes, or all."""
        return self.file.read(size)

    async def seek(self, offset: int) -> None:
        """Go to a place in the file."""
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
    """Read a form.

    Args:
        content_type: the request's, with the boundary.
        stream: the body.
        max_files: most parts that are files.
        max_fields: most parts that are text.
        max_part_size: bytes that are kept of a text; the rest is discarded.

    Raises:
        InvalidFormError: it is malformed or cut short, has too many parts, or a name in a charset
            that is not read.
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
        raise InvalidFormError("the form is not multipart/form-data as RFC 7578 has it") from error
    return form.finish()


class _Form:
    """A form on its way in: what python-multipart's parser calls back."""

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
        """Of a file; None of a text."""
        self._data: io.BytesIO | None = None
        """Of the part that is open."""
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
            raise InvalidFormError("the form ends within a part; send it whole")
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
            raise ValueError("data outside of a part")
        if self._filename is None:
            # No field that is known takes so long a text, so nothing that counts is lost.
            end = min(end, start + self._max_part_size - self._data.tell())
        self._data.write(data[start:end])

    def _part_end(self) -> None:
        if self._data is None:
            raise ValueError("the end of no part")
        if self._filename is None or self._is_text():
            text = decode(self._data.getvalue(), "utf-8")
            self._items.append((self._field, text))
        else:
            # Makes the buffer as large as what is in it; to read it all copies nothing then.
            size = len(self._data.getvalue())
            self._data.seek(0)
            file = MemoryFile(
                self._data, size=size, filename=self._filename, headers=Headers(raw=self._headers)
            )
            self._items.append((self._field, file))
        self._data, self._in_part = None, False

    def _is_text(self) -> bool:
        """Whether what could be a file is none."""
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
        """``filename*`` counts more than ``filename`` (RFC 6266) where it can be read."""
        plain = disposition.get("filename")
        try:
            extended = decode_extended(disposition.get("filename*", ""))
        except UnknownCharsetError as error:
            if plain is None:
                raise InvalidFormError(
                    "the file's name is in a charset that is not read; send it in UTF-8"
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
                "the form has names in a charset that is not read; send them in UTF-8"
            ) from error


def _without_folders(filename: str) -> str:
    r"""Old browsers send a Windows path, such as ``C:\scans\a.png``, for a name."""
    if filename[1:3] == ":\\" or filename[:2] == "\\\\":
        return filename.rpartition("\\")[2]
    return filename
