"""Clients on raw sockets that disconnect midway or send slowly, which httpx cannot do."""

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
"""Between two bytes of a slow client."""


def form(data: bytes) -> bytes:
    """Encode a multipart form with one file."""
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    return head.encode() + data + f"\r\n--{_BOUNDARY}--\r\n".encode()


def head(content_length: int) -> bytes:
    """Make the request head of an upload."""
    return (
        "POST /predict HTTP/1.1\r\nHost: test\r\n"
        f"Content-Type: multipart/form-data; boundary={_BOUNDARY}\r\n"
        f"Content-Length: {content_length}\r\n\r\n"
    ).encode()


def send_and_disconnect(address: str, sent: bytes, *, reset: bool = False) -> None:
    """Connect, send and close; with ``reset``, as if the client's process had been killed."""
    with socket.create_connection(host_and_port(address)) as client:
        client.sendall(sent)
        if reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def host_and_port(address: str) -> tuple[str, int]:
    """The host and port of a gateway."""
    url = httpx.URL(address)
    return url.host, url.port or 80


@dataclass(frozen=True)
class Disconnect:
    """How the gateway ended a slow connection."""

    status: int | None
    """Of the response; None if the connection was closed without one."""
    seconds: float
    """Since the connection was opened."""


async def send_slowly(address: str, first: bytes, rest: bytes) -> Disconnect:
    """Send ``rest`` byte by byte until the gateway ends the connection."""
    started = time.monotonic()
    reader, writer = await asyncio.open_connection(*host_and_port(address))
    writer.write(first)
    answering = asyncio.ensure_future(reader.read())
    for byte in rest:
        writer.write(bytes([byte]))
        done, _ = await asyncio.wait({answering}, timeout=_PAUSE_SECONDS)
        if done:
            break
    answer = b""
    with suppress(ConnectionError):
        answer = await answering
    writer.close()
    found = re.match(rb"HTTP/1.1 (\d+)", answer)
    return Disconnect(int(found[1]) if found else None, time.monotonic() - started)
