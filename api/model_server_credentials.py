"""TLS credentials for the connection to the model server."""

import grpc

from api.settings import Settings
from serving.errors import TlsConfigError
from serving.tls import read_channel_credentials


def model_server_credentials(settings: Settings) -> grpc.ChannelCredentials | None:
    """Read the credentials that the settings name; None means a connection without TLS.

    Raises:
        TlsConfigError: keys or certificates cannot be read, or a certificate is set without a CA.
    """
    ca_file = settings.model_server_ca_file
    certificate_file = settings.model_server_certificate_file
    key_file = settings.model_server_key_file
    if ca_file is not None:
        return read_channel_credentials(ca_file, certificate_file, key_file)
    if certificate_file is not None or key_file is not None:
        raise TlsConfigError("without model_server_ca_file the connection would not use TLS")
    return None
