"""The model cards on the volume, each read once: a published version never changes."""

import asyncio
from pathlib import Path

from serving import volume
from serving.errors import VolumeError
from serving.model_card import ModelCard


class ModelCards:
    """Cards by model and version.

    Args:
        models_dir: the volume; where it is not mounted, no card is known.
    """

    def __init__(self, models_dir: Path) -> None:
        self._models_dir = models_dir
        self._cards: dict[tuple[str, int], ModelCard] = {}

    async def get(self, name: str, version: int) -> ModelCard | None:
        """The card of a version, or None where it has none or the volume is not mounted."""
        card = self._cards.get((name, version))
        if card is None:
            card = await asyncio.to_thread(self._read, name, version)
            if card is not None:
                self._cards[name, version] = card
        return card

    def _read(self, name: str, version: int) -> ModelCard | None:
        try:
            return ModelCard.read(volume.version_dir(self._models_dir, name, version))
        except VolumeError:
            # What only a card can tell is then null, never guessed.
            return None
