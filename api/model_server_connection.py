"""How to reach the model server that the settings name."""

from dataclasses import dataclass
from typing import Self

import grpc

from api.settings import Settings
from api.start_errors import ModelServerNotSetError
from serving.client import ModelServerClient
from serving.errors import TlsConfigError
from serving.tls import read_channel_credentials


@dataclass(frozen=True)
class ModelServerConnection:
    """The address of a model server, and the credentials for it."""

    address: str
    credentials: grpc.ChannelCredentials | None = None
    """None means a connection without TLS."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Read the keys and certificates that the settings name.

        Raises:
            ModelServerNotSetError: the settings name no model server.
            TlsConfigError: keys or certificates cannot be read, or a certificate is set without a
                CA.
        """
        if settings.model_server is None:
            raise ModelServerNotSetError(
                "set COVIDSCAN_MODEL_SERVER, or start with: covidscan serve"
            )
        return cls(settings.model_server, _credentials(settings))

    def client(self) -> ModelServerClient:
        """Open a client. Call it inside the event loop that will use it."""
        return ModelServerClient(self.address, self.credentials)


def _credentials(settings: Settings) -> grpc.ChannelCredentials | None:
    ca_file = settings.model_server_ca_file
    certificate_file = settings.model_server_certificate_file
    key_file = settings.model_server_key_file
    if ca_file is not None:
        return read_channel_credentials(ca_file, certificate_file, key_file)
    if certificate_file is not None or key_file is not None:
        raise TlsConfigError("without model_server_ca_file the connection would not use TLS")
    return None
