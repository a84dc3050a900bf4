"""Clients that break off, byte by byte under control; httpx is too polite for that."""

import socket
import struct

import httpx

_BOUNDARY = "b0undary"


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
