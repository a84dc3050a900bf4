"""TLS credentials for the connection between gateway and model server."""

from pathlib import Path

import grpc
from google.protobuf import text_format

from serving.errors import TlsConfigError
from serving.protos.server_files_pb2 import SSLConfig
from system.regular_files import read_config_file, unreadable_reason


def read_channel_credentials(
    ca_file: Path, certificate_file: Path | None = None, key_file: Path | None = None
) -> grpc.ChannelCredentials:
    """Read the credentials of a client: the trusted CA and, optionally, a client certificate.

    Args:
        ca_file: PEM file with the CA that signed the server's certificate.
        certificate_file: PEM file with the client's certificate.
        key_file: PEM file with its private key.

    Raises:
        TlsConfigError: a file cannot be read, or only one of certificate and key is given.
    """
    if (certificate_file is None) != (key_file is None):
        raise TlsConfigError("a client's certificate and key must be set together")
    return grpc.ssl_channel_credentials(
        read_tls_file(ca_file),
        read_tls_file(key_file) if key_file else None,
        read_tls_file(certificate_file) if certificate_file else None,
    )


def read_server_credentials(path: Path) -> grpc.ServerCredentials:
    """Read the credentials of a server from TensorFlow Serving's ``--ssl_config_file``.

    Raises:
        TlsConfigError: the file cannot be read, is malformed or incomplete.
    """
    try:
        config = text_format.Parse(read_tls_file(path), SSLConfig())
    except text_format.ParseError:
        # The message and cause are dropped: they quote a line, which may be part of the key.
        raise TlsConfigError(f"{path} cannot be parsed as an SSLConfig") from None
    if not (config.server_key and config.server_cert):
        raise TlsConfigError(f"{path} needs server_key and server_cert")
    if config.client_verify and not config.custom_ca:
        raise TlsConfigError(f"{path}: client_verify needs custom_ca")
    return grpc.ssl_server_credentials(
        [(config.server_key.encode(), config.server_cert.encode())],
        root_certificates=config.custom_ca.encode() or None,
        require_client_auth=config.client_verify,
    )


def read_tls_file(path: Path) -> bytes:
    """Read a file with keys or certificates.

    Raises:
        TlsConfigError: the file cannot be read.
    """
    try:
        return read_config_file(path)
    except OSError as error:
        raise TlsConfigError(f"{path} cannot be read: {unreadable_reason(error)}") from error
