"""TLS for the port: TensorFlow Serving's ``--ssl_config_file``."""

from pathlib import Path

import grpc
from google.protobuf import text_format

from serving.errors import TlsConfigError
from serving.protos.server_files_pb2 import SSLConfig


def read_server_credentials(path: Path) -> grpc.ServerCredentials:
    """Read key, certificate and, to ask clients for theirs, a certificate authority.

    Raises:
        TlsConfigError: the file cannot be read, is malformed or lacks what TLS needs.
    """
    try:
        config = text_format.Parse(path.read_text(), SSLConfig())
    except (OSError, UnicodeDecodeError) as error:
        raise TlsConfigError(f"{path} cannot be read") from error
    except text_format.ParseError as error:
        # The parser's message may quote the line, which may be a line of the key.
        raise TlsConfigError(f"{path} cannot be parsed as an SSLConfig") from error
    if not (config.server_key and config.server_cert):
        raise TlsConfigError(f"{path} needs server_key and server_cert")
    if config.client_verify and not config.custom_ca:
        raise TlsConfigError(f"{path}: client_verify needs custom_ca")
    return grpc.ssl_server_credentials(
        [(config.server_key.encode(), config.server_cert.encode())],
        root_certificates=config.custom_ca.encode() or None,
        require_client_auth=config.client_verify,
    )
