"""Attacks with and without an API key; each is a function that a test calls repeatedly."""

import io
import itertools
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import httpx
import numpy as np
from PIL import Image
from pydicom import uid

from tests.dicom_files import ct_pixels, make_dicom, make_encapsulated
from tests.jpeg2000_files import codestream, coding, quantisation, size
from tests.soak.raw_clients import host_and_port

ATTACKER_ADDRESS = "127.0.0.2"
"""The attacker needs its own address; Linux accepts connections on all of 127.0.0.0/8."""

_HOLD_SECONDS = 3.0
_SLOW_CONNECTIONS = 100

Attack = Callable[[], object]


@dataclass(frozen=True)
class Target:
    """The service under attack."""

    address: str
    key: str
    """The attacker's API key."""
    image: bytes

    def client(self) -> httpx.Client:
        """A client with the attacker's address and key."""
        return httpx.Client(
            base_url=self.address,
            headers={"X-API-Key": self.key},
            timeout=60,
            transport=httpx.HTTPTransport(local_address=ATTACKER_ADDRESS),
        )


def hostile_files(side: int) -> dict[str, bytes]:
    """Files that are expensive to decode for their size; the largest has ``side`` pixels a side."""
    square = np.zeros((1024, 1024), np.uint8)
    progressive = io.BytesIO()
    Image.new("CMYK", (side, side)).save(progressive, "JPEG", progressive=True)
    return {
        "fill bytes": b"\xff\xd8\xff\xda\x00\x03\x00" + b"\xff" * 2_000_000,
        "precincts": make_encapsulated(
            codestream(size(1024, 1024), coding(precincts=[0]), quantisation()),
            like=square,
            syntax=uid.JPEG2000,
        ),
        "code-blocks": make_encapsulated(
            codestream(size(1024, 1024), coding(block=(2, 2)), quantisation()),
            like=square,
            syntax=uid.JPEG2000,
        ),
        "many windows": make_dicom(
            ct_pixels(),
            syntax=uid.ImplicitVRLittleEndian,
            WindowCenter=[1] * 200_000,
            WindowWidth=[1] * 200_000,
        ),
        "progressive": progressive.getvalue(),
    }


def attacks(target: Target, *, side: int) -> dict[str, Attack]:
    """All attacks, by name."""
    with_files = {
        name: _posting(target, "/predict?force=true", data)
        for name, data in hostile_files(side).items()
    }
    return with_files | {
        "batch": _posting(target, "/predict/batch?force=true", target.image, copies=64),
        "tta": _posting(target, "/predict?force=true&tta=32", target.image),
        "view": _posting(target, "/view", target.image),
        "explain": _posting(target, "/explain?force=true", target.image),
        "view, response not read": lambda: _view_without_reading(target),
        "charsets": _charsets(target),
        "invalid names": lambda: _invalid_names(target),
        "slow connections": lambda: _slow_connections(target),
    }


def _posting(target: Target, path: str, data: bytes, *, copies: int = 0) -> Attack:
    field = "files" if copies else "file"
    files = [(field, ("a", data))] * max(1, copies)

    def post() -> int:
        with target.client() as client:
            return client.post(path, files=files).status_code

    return post


def _view_without_reading(target: Target) -> None:
    with target.client() as client:
        request = client.build_request("POST", "/view", files={"file": ("a", target.image)})
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    with _connect(target) as connection:
        connection.sendall(f"POST /view HTTP/1.1\r\n{head}\r\n".encode() + request.read())
        time.sleep(_HOLD_SECONDS)


def _charsets(target: Target) -> Attack:
    numbers = itertools.count()

    def post() -> int:
        content_type = f"multipart/form-data; boundary=b; charset=x-{next(numbers)}"
        with target.client() as client:
            headers = {"Content-Type": content_type}
            return client.post("/predict", content=b"--b--\r\n", headers=headers).status_code

    return post


def _invalid_names(target: Target) -> None:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="+2AA-\\ud800"\r\n\r\n'
        b"x\r\n--b--\r\n"
    )
    with target.client() as client:
        for charset in ("utf-7", "unicode_escape", "undefined", "punycode"):
            content_type = f"multipart/form-data; boundary=b; charset={charset}"
            client.post("/predict", content=body, headers={"Content-Type": content_type})
        basic = {"Origin": "http://[", "X-API-Key": ""}
        client.post("/predict", content=body, headers=basic, auth=("", target.key))


def _slow_connections(target: Target) -> None:
    """Hold connections open without a key, each with an incomplete request head."""
    connections = []
    with suppress(OSError):
        for _ in range(_SLOW_CONNECTIONS):
            connections.append(_connect(target))
            connections[-1].sendall(b"GET / HTTP/1.1\r\n")
    time.sleep(_HOLD_SECONDS)
    for connection in connections:
        connection.close()


def _connect(target: Target) -> socket.socket:
    return socket.create_connection(
        host_and_port(target.address), timeout=10, source_address=(ATTACKER_ADDRESS, 0)
    )
