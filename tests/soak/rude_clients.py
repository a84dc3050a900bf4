"""Clients that break off, byte by byte under control; httpx is too polite for that."""

import asyncio
import re
import socket
import struct
import time
from contextlib import suppress
from dataclasses import dataclass

import httpx

_BOUNDARY = "b0undary"
_PAUSE_SECONDS = 0.1
"""Between two bytes of a client that dawdles."""


def form(data: bytes) -> bytes:
    """A multipart form with one file."""
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    return head.encode() + data + f"\r\n--{_BOUNDARY}--\r\n".encode()


def head(content_length: int) -> bytes:
    """The head of an upload."""
    return (
        "POST /predict HTTP/1.1\r\nHost: test\r\n"
        f"Content-Type: multipart/form-data; boundary={_BOUNDARY}\r\n"
        f"Content-Length: {content_length}\r\n\r\n"
    ).encode()


def hang_up(address: str, sent: bytes, *, reset: bool = False) -> None:
    """Connect, send, and go: in order, or with a reset as a process leaves that is killed."""
    with socket.create_connection(host_and_port(address)) as client:
        client.sendall(sent)
        if reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def host_and_port(address: str) -> tuple[str, int]:
    """Where a gateway listens."""
    url = httpx.URL(address)
    return url.host, url.port or 80


@dataclass(frozen=True)
class Cut:
    """How a connection was ended on which nothing useful came."""

    status: int | None
    """Of the answer; none where it was just closed."""
    seconds: float
    """From its start."""


async def dawdle(address: str, sent_at_once: bytes, sent_slowly: bytes) -> Cut:
    """Send something byte by byte until the gateway ends it."""
    started = time.monotonic()
    reader, writer = await asyncio.open_connection(*host_and_port(address))
    writer.write(sent_at_once)
    answering = asyncio.ensure_future(reader.read())
    for byte in sent_slowly:
        writer.write(bytes([byte]))
        done, _ = await asyncio.wait({answering}, timeout=_PAUSE_SECONDS)
        if done:
            break
    answer = b""
    with suppress(ConnectionError):
        answer = await answering
    writer.close()
    found = re.match(rb"HTTP/1.1 (\d+)", answer)
    return Cut(int(found[1]) if found else None, time.monotonic() - started)
