"""What routes are handed, as ``Annotated`` aliases."""

from dataclasses import dataclass
from typing import Annotated, Final, Self

import grpc
from fastapi import Depends, Request

from api.explanation.explainer import Explainer
from api.http.access.rate_limits import RateLimits
from api.load.batch_turns import BatchTurns
from api.load.caller import Caller
from api.load.client_activity import ClientActivity
from api.load.fair_slots import FairSlots
from api.observability.audit import AuditTrail
from api.observability.metrics import Metrics
from api.prediction.fan_out import IMAGES_TOGETHER, FanOut
from api.prediction.model_cards import ModelCards
from api.prediction.model_status import ModelStatusReader
from api.prediction.model_training import ModelTraining
from api.prediction.predictor import Predictor
from api.prediction.preparation import ImagePreparation
from api.settings import Settings
from serving.client import ModelServerClient

_VIEWS_AT_ONCE: Final = 8
"""Each holds up to 4 MiB until its client has read it."""


@dataclass(frozen=True)
class Services:
    """The gateway's parts, made once at start."""

    settings: Settings
    metrics: Metrics
    rate_limits: RateLimits
    client: ModelServerClient
    preparation: ImagePreparation
    predictor: Predictor
    explainer: Explainer
    model_status: ModelStatusReader
    load: FairSlots
    """Images in progress."""
    views: FairSlots
    """Images that are on their way to a viewer."""
    batch_turns: BatchTurns
    training: ModelTraining

    @classmethod
    def create(
        cls,
        settings: Settings,
        *,
        model_server: str,
        credentials: grpc.ChannelCredentials | None,
        metrics: Metrics,
        rate_limits: RateLimits,
        load: FairSlots,
        activity: ClientActivity,
        audit: AuditTrail | None,
        training: ModelTraining,
    ) -> Self:
        """Build the parts round one model server address; credentials are for TLS."""
        client = ModelServerClient(model_server, credentials)
        cards = ModelCards(settings.models_dir)
        preparation = ImagePreparation.of(settings, metrics, activity)
        fan_out = FanOut.of(client, settings, activity)
        predictor = Predictor(
            preparation,
            fan_out,
            cards,
            settings,
            metrics=metrics,
            load=load,
            audit=audit,
            training=training,
        )
        metrics.watch("images_in_progress", "Images worked on.", lambda: load.in_progress)
        metrics.watch("images_waiting", "Images that wait for that.", lambda: load.waiting)
        status = ModelStatusReader(client, cards, settings)
        explainer = Explainer(predictor, preparation, fan_out, settings, activity)
        # While some images of a batch are asked about others are read.
        turns = BatchTurns(min(2 * IMAGES_TOGETHER, settings.max_in_progress))
        return cls(
            settings=settings,
            metrics=metrics,
            rate_limits=rate_limits,
            client=client,
            preparation=preparation,
            predictor=predictor,
            explainer=explainer,
            model_status=status,
            load=load,
            views=FairSlots(_VIEWS_AT_ONCE, shared=1, activity=activity),
            batch_turns=turns,
            training=training,
        )

    async def close(self) -> None:
        """Close in reverse order."""
        self.preparation.close()
        await self.client.close()


# Not plain functions, which FastAPI would call in a thread, and wait for it, each time.
async def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


async def _caller(request: Request) -> Caller:
    state = request.state
    return Caller(state.request_id, state.key_id, state.client)


ServicesDep = Annotated[Services, Depends(_services)]
CallerDep = Annotated[Caller, Depends(_caller)]
