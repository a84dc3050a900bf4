"""A DNS server on loopback for one name, whose addresses a test changes."""

import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

_ADDRESS_RECORD = 1
_HEADER_BYTES = 12


class NameServer(socketserver.UDPServer):
    """Answers every question for an IPv4 address with all addresses that are set."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.addresses: list[str] = []

    def target(self, port: int) -> str:
        """What a gRPC client asks this server for."""
        return f"dns://127.0.0.1:{self.server_address[1]}/model-server.test:{port}"


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        query, reply = self.request
        end = query.index(b"\0", _HEADER_BYTES) + 5
        (kind,) = struct.unpack_from(">H", query, end - 4)
        server = cast("NameServer", self.server)
        addresses = list(server.addresses) if kind == _ADDRESS_RECORD else []
        header = query[:2] + struct.pack(">HHHHH", 0x8580, 1, len(addresses), 0, 0)
        answers = [
            # The name is the one at offset 12; class IN, no time to live, four bytes.
            struct.pack(">HHHIH", 0xC00C, _ADDRESS_RECORD, 1, 0, 4) + socket.inet_aton(address)
            for address in addresses
        ]
        reply.sendto(header + query[_HEADER_BYTES:end] + b"".join(answers), self.client_address)


@contextmanager
def name_server() -> Iterator[NameServer]:
    """A running name server."""
    with NameServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def free_port() -> int:
    """A port that is free on every address of this machine."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        port: int = probe.getsockname()[1]
        return port
