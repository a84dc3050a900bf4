"""How the wire to the model server is secured."""

import grpc

from api.settings import Settings
from serving.errors import TlsConfigError
from serving.tls import read_channel_credentials


def model_server_credentials(settings: Settings) -> grpc.ChannelCredentials | None:
    """What the settings say; None where the wire is open.

    Raises:
        TlsConfigError: keys or certificates cannot be read, or there is nobody to show them to.
    """
    ca_file = settings.model_server_ca_file
    certificate_file = settings.model_server_certificate_file
    key_file = settings.model_server_key_file
    if ca_file is not None:
        return read_channel_credentials(ca_file, certificate_file, key_file)
    if certificate_file is not None or key_file is not None:
        raise TlsConfigError("without model_server_ca_file the wire would not be TLS")
    return None
