"""The composition root: builds the services for the gateway and for ``covidscan score``."""

from dataclasses import dataclass
from typing import Final, Self

from api.explanation.explainer import Explainer
from api.fair_sharing.batch_turns import BatchTurns
from api.fair_sharing.client_activity import ClientActivity
from api.fair_sharing.fair_slots import FairSlots
from api.http.access.rate_limits import RateLimits
from api.model_server_connection import ModelServerConnection
from api.observability.audit import AuditTrail
from api.observability.metrics import Metrics
from api.prediction.fan_out import IMAGES_AT_ONCE, FanOut
from api.prediction.model_cards import ModelCards
from api.prediction.model_status import ModelStatusReader
from api.prediction.predictor import Predictor
from api.prediction.preparation import ImagePreparation
from api.settings import Settings
from api.training_progress import ModelTraining
from serving.client import ModelServerClient

_VIEWS_AT_ONCE: Final = 8
"""Each uses up to 4 MiB until its client has read it."""


@dataclass(frozen=True)
class Core:
    """The components of a prediction, without HTTP."""

    client: ModelServerClient
    cards: ModelCards
    preparation: ImagePreparation
    fan_out: FanOut
    predictor: Predictor

    @classmethod
    def build(
        cls,
        settings: Settings,
        connection: ModelServerConnection,
        *,
        metrics: Metrics,
        image_slots: FairSlots,
        activity: ClientActivity,
        audit: AuditTrail | None = None,
        training: ModelTraining | None = None,
        decode_processes: int | None = None,
    ) -> Self:
        """Build the components, inside the event loop that will use the gRPC channels.

        Args:
            settings: limits, deadlines and folders.
            connection: to the model server.
            metrics: count predictions.
            image_slots: the slots of images in progress.
            activity: of the clients.
            audit: records each prediction, if set.
            training: of the models, if they are still being trained.
            decode_processes: the number of processes; overrides the settings.
        """
        client = connection.client()
        cards = ModelCards(settings.models_dir)
        preparation = ImagePreparation.of(settings, metrics, activity, processes=decode_processes)
        fan_out = FanOut.of(client, settings, activity)
        predictor = Predictor(
            preparation,
            fan_out,
            cards,
            settings,
            metrics=metrics,
            image_slots=image_slots,
            audit=audit,
            training=training,
        )
        return cls(client, cards, preparation, fan_out, predictor)

    async def close(self) -> None:
        """Close in reverse order."""
        self.preparation.close()
        await self.client.close()


@dataclass(frozen=True)
class Services:
    """The components of the gateway, built once at start."""

    settings: Settings
    metrics: Metrics
    rate_limits: RateLimits
    core: Core
    explainer: Explainer
    model_status: ModelStatusReader
    image_slots: FairSlots
    """The slots of images in progress."""
    view_slots: FairSlots
    """The slots of images that are being sent to viewers."""
    batch_turns: BatchTurns
    training: ModelTraining

    @classmethod
    def build(
        cls,
        settings: Settings,
        connection: ModelServerConnection,
        *,
        metrics: Metrics,
        rate_limits: RateLimits,
        image_slots: FairSlots,
        activity: ClientActivity,
        audit: AuditTrail | None,
        training: ModelTraining,
    ) -> Self:
        """Build the components. Call it inside the running event loop."""
        core = Core.build(
            settings,
            connection,
            metrics=metrics,
            image_slots=image_slots,
            activity=activity,
            audit=audit,
            training=training,
        )
        metrics.watch("images_in_progress", "Images in progress.", lambda: image_slots.in_progress)
        metrics.watch("images_waiting", "Images that wait for a slot.", lambda: image_slots.waiting)
        return cls(
            settings=settings,
            metrics=metrics,
            rate_limits=rate_limits,
            core=core,
            explainer=Explainer(core.predictor, core.preparation, core.fan_out, settings, activity),
            model_status=ModelStatusReader(core.client, core.cards, settings),
            image_slots=image_slots,
            view_slots=FairSlots(_VIEWS_AT_ONCE, max_per_busy_client=1, activity=activity),
            batch_turns=BatchTurns(min(IMAGES_AT_ONCE, settings.max_in_progress)),
            training=training,
        )
