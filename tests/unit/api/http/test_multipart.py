"""Multipart forms: complete, truncated and malformed."""

import encodings
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.datastructures import FormData, UploadFile

from api.http.errors import InvalidFormError
from api.http.multipart import read_multipart


async def read(
    body: bytes, content_type: str = "multipart/form-data; boundary=b", *, step: int = 0
) -> FormData:
    async def stream() -> AsyncIterator[bytes]:
        for start in range(0, len(body), step or len(body) or 1):
            yield body[start : start + (step or len(body))]

    return await read_multipart(
        content_type, stream(), max_files=2, max_fields=2, max_part_size=1024
    )


def part(disposition: str, data: bytes = b"data", *, more: str = "") -> bytes:
    head = f"--b\r\nContent-Disposition: form-data; {disposition}\r\n{more}\r\n"
    return head.encode() + data + b"\r\n"


async def content(form: FormData, field: str) -> tuple[str | None, bytes]:
    file = form[field]
    assert isinstance(file, UploadFile)
    assert file.size == len(file.file.getvalue())  # type: ignore[attr-defined] # in memory
    return file.filename, await file.read()


@pytest.mark.parametrize(
    ("disposition", "filename"),
    [
        ('name="file"; filename="a.png"', "a.png"),
        ("name=file; filename=a.png", "a.png"),
        ('name="file"', ""),
        ("name=\"file\"; filename*=utf-8''na%C3%AFve.png", "naïve.png"),
        ('name="file"; filename="naive.png"; filename*=utf-8\'\'na%C3%AFve.png', "naïve.png"),
        ('name="file"; filename*=utf-8\'\'na%C3%AFve.png; filename="naive.png"', "naïve.png"),
        ("name=\"file\"; filename*=iso-8859-1''na%EFve.png", "naïve.png"),
        # A filename* that cannot be decoded gives way to filename.
        ('name="file"; filename="a.png"; filename*=gbk\'\'%C4%E3', "a.png"),
        ('name="file"; filename="a.png"; filename*=nonsense', "a.png"),
        ("name=\"file\"; filename*=utf-8''", ""),
        ("name=\"file\"; filename*0*=utf-8''a", ""),
        ('name="file"; filename="C:\\scans\\a.png"', "a.png"),
        ('name="file"; filename="\\"a\\".png"', '"a".png'),
    ],
)
async def test_the_file_field_is_a_file_with_any_form_of_filename_or_none(
    disposition: str, filename: str
):
    body = part(disposition, b"\r\n--no\r\n" * 1000) + b"--b--\r\n"
    for step in (0, 1, 7):
        assert await content(await read(body, step=step), "file") == (
            filename,
            b"\r\n--no\r\n" * 1000,
        )


async def test_another_field_is_a_file_only_if_it_has_a_filename():
    form = await read(part('name="x"; filename="y"') + part('name="z"', b"t" * 5000) + b"--b--\r\n")
    assert await content(form, "x") == ("y", b"data")
    assert form["z"] == "t" * 1024, "a text field is truncated to max_part_size"


@pytest.mark.parametrize(
    ("data", "is_text"),
    [
        (b"slice.png", True),
        ("/home/müller/ct.dcm\n".encode(), True),
        (b"{}", True),
        (b"", True),
        (b"a\0b", False),
        (b"\xff\xd8\xff", False),
        (b"x" * 1025, False),
    ],
)
async def test_a_short_text_without_a_filename_is_not_a_file(data: bytes, is_text: bool):
    form = await read(part("name=file", data) + b"--b--\r\n")
    assert isinstance(form["file"], str) is is_text
    named = await read(part("name=file; filename=x", data) + b"--b--\r\n")
    assert await content(named, "file") == ("x", data)


@pytest.mark.parametrize(
    ("charset", "raw", "filename"),
    [
        ("utf-8", "naïve".encode(), "naïve"),
        ("latin1", "naïve".encode("latin-1"), "naïve"),
        ("us-ascii", b"a", "a"),
        ("undefined", b"a", "a"),
        ("utf-7", b"+2AA-", "+2AA-"),
        ("unicode_escape", rb"x\ud800", r"x\ud800"),
    ],
)
async def test_file_names_are_decoded_with_the_charset_of_the_form(
    charset: str, raw: bytes, filename: str
):
    body = part('name="file"; filename="@"').replace(b"@", raw) + b"--b--\r\n"
    form = await read(body, f"multipart/form-data; charset={charset}; boundary=b")
    assert await content(form, "file") == (filename, b"data")
    filename.encode()


@pytest.mark.parametrize("charset", ["undefined", "punycode", "utf-7", "gbk", "nosuch"])
async def test_file_names_in_an_unsupported_charset_are_rejected(charset: str):
    body = part('name="file"; filename="é"') + b"--b--\r\n"
    with pytest.raises(InvalidFormError, match="UTF-8"):
        await read(body, f"multipart/form-data; charset={charset}; boundary=b")


async def test_charsets_that_clients_declare_do_not_fill_the_codec_cache():
    before = len(encodings._cache)  # type: ignore[attr-defined] # Python's codec cache
    for number in range(50):
        body = part(f"name=file; filename*=no-{number}''a", more="Content-Type: a; charset=no\r\n")
        await read(body + b"--b--", f"multipart/form-data; charset=nosuch-{number}; boundary=b")
    assert len(encodings._cache) == before  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (part('name="file"; filename="x"'), "send it whole"),
        (part('name="file"; filename="x"')[:30], "RFC 7578|send it whole"),
        (b"nonsense", "RFC 7578"),
        (part('filename="x"') + b"--b--", "no name"),
        (b"--b\r\nX: y\r\n\r\ndata\r\n--b--", "no name"),
        (part("name=file; filename*=gbk''%C4%E3") + b"--b--", "UTF-8"),
        (part("name=file", more="Content-Transfer-Encoding: base64\r\n") + b"--b--", "as they are"),
        (part("name=file") * 3 + b"--b--", "more files than 2"),
        (part("name=x") * 3 + b"--b--", "more text fields than 2"),
        (b"--b\r\n" + b"x: y\r\n" * 50 + b"\r\n\r\n--b--", "RFC 7578"),
        (b"--b\r\nx: " + b"y" * 10_000, "RFC 7578"),
    ],
)
async def test_a_malformed_form_is_rejected_with_a_message_about_what_to_change(
    body: bytes, message: str
):
    with pytest.raises(InvalidFormError, match=message):
        await read(body)


async def test_a_form_without_a_boundary_is_rejected():
    with pytest.raises(InvalidFormError, match="boundary"):
        await read(b"", "multipart/form-data")


async def test_a_large_file_needs_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    missing = tmp_path / "full"
    monkeypatch.setattr(tempfile, "tempdir", str(missing))
    data = b"x" * 3_000_000
    assert await content(await read(part("name=file; filename=x", data) + b"--b--"), "file") == (
        "x",
        data,
    )
    assert not missing.exists()


@pytest.mark.parametrize("pattern", [b"\r\n--", b"\r", b"\r\n--b", b"-", b"\r\n--c"])
async def test_a_file_full_of_partial_boundaries_is_parsed_in_linear_time(pattern: bytes):
    data = pattern * (1_000_000 // len(pattern))
    started = time.process_time()
    try:
        await read(part("name=file; filename=x", data) + b"\r\n--b--", step=64 * 1024)
    except InvalidFormError:
        assert pattern == b"\r\n--b", "only this pattern contains a boundary, a malformed one"
    assert time.process_time() - started < 5
