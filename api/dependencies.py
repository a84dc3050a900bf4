"""What routes are handed, as ``Annotated`` aliases."""

from dataclasses import dataclass
from typing import Annotated

import grpc
from fastapi import Depends, Request

from api.model_cards import ModelCards
from api.model_status import ModelStatusReader
from api.prediction import Predictor
from api.settings import Settings
from serving.client import ModelServerClient


@dataclass(frozen=True)
class Services:
    """The gateway's parts, made once at start."""

    settings: Settings
    client: ModelServerClient
    predictor: Predictor
    model_status: ModelStatusReader

    @classmethod
    def create(
        cls, settings: Settings, model_server: str, credentials: grpc.ChannelCredentials | None
    ) -> "Services":
        """Build the parts round one model server address; credentials are for TLS."""
        client = ModelServerClient(model_server, credentials)
        cards = ModelCards(settings.models_dir)
        return cls(
            settings,
            client,
            Predictor(client, cards, settings),
            ModelStatusReader(client, cards, settings),
        )

    async def close(self) -> None:
        """Close in reverse order."""
        self.predictor.close()
        await self.client.close()


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


def _request_id(request: Request) -> str:
    request_id: str = request.state.request_id
    return request_id


ServicesDep = Annotated[Services, Depends(_services)]
RequestIdDep = Annotated[str, Depends(_request_id)]
