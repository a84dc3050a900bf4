"""Going back to an older version: it is published again, under a number of its own.

A model server serves the highest number and does not look twice at one that it has tried, so what
was good once can only come back as something new.
"""

import dataclasses
import shutil
from pathlib import Path

from serving import volume
from serving.errors import VolumeError
from serving.files.regular_files import check_regular_files
from serving.volume.model_card import CARD_PATH, ModelCard


def roll_back(models_dir: Path, name: str, to: int | None = None) -> tuple[int, int]:
    """Publish an older version's content again.

    Args:
        models_dir: the versioned volume.
        name: of the servable.
        to: the version; without it the one before the newest.

    Returns:
        The new version, and the version that it repeats: the first that had this content.

    Raises:
        VolumeError: there is nothing to go back to, or the volume cannot be written.
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
            # A device would be copied without end.
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
