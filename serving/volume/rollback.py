"""Rolls back to an older version by publishing it again under a new number.

A model server serves the highest number and tries each number only once. So an older version can
only return under a new number.
"""

import dataclasses
import shutil
from pathlib import Path

from serving import volume
from serving.errors import VolumeError
from serving.volume.model_card import CARD_PATH, ModelCard
from system.regular_files import check_regular_files


def roll_back(models_dir: Path, name: str, to: int | None = None) -> tuple[int, int]:
    """Publish an older version's content again.

    Args:
        models_dir: the versioned volume.
        name: of the servable.
        to: the version; by default the one before the newest.

    Returns:
        The new version, and the version whose content it repeats: the first one with that content.

    Raises:
        VolumeError: there is no older version, or the volume cannot be written.
    """
    published = volume.versions(models_dir, name)
    if to is None:
        *before, _ = published or [0]
        if not before:
            raise VolumeError(f"{name} has no version before the newest")
        to = before[-1]
    source = volume.version_dir(models_dir, name, to)
    original = to
    try:
        with volume.draft(models_dir, name) as draft:
            # Copying a device would never end.
            check_regular_files(source)
            shutil.copytree(source, draft.path, dirs_exist_ok=True)
            if (source / CARD_PATH).exists():
                card = ModelCard.read(source)
                original = card.rolled_back_to or to
                dataclasses.replace(card, rolled_back_to=original).write(draft.path)
    except OSError as error:
        raise VolumeError(
            f"cannot copy version {to} of {name}: {error.strerror or error}; nothing was published"
        ) from error
    if draft.version is None:
        raise VolumeError(f"{name} was not published")
    return draft.version, original
