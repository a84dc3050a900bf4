"""ImageNet weights of keras.applications, downloaded or from a folder."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from trainer.errors import RecipeError

_TIMEOUT_SECONDS: Final = 20.0
"""Timeout for each network operation. The whole download may take longer."""


def file_name(name: str) -> str:
    """Return keras.applications' file name for the weights of a backbone without its top."""
    return f"{name}_weights_tf_dim_ordering_tf_kernels_notop.h5"


def find_weights(name: str, weights_dir: Path | None) -> str:
    """Return what to pass to keras.applications: a file in the folder, or "imagenet" to download.

    Raises:
        RecipeError: the folder does not hold the file.
    """
    if weights_dir is None:
        return "imagenet"
    path = weights_dir / file_name(name)
    if not path.is_file():
        raise RecipeError(f"{weights_dir} holds no {file_name(name)}; put it there")
    return str(path)


@contextlib.contextmanager
def loading(name: str) -> Iterator[None]:
    """Load weights in the body, with a network timeout.

    Raises:
        RecipeError: the weights cannot be downloaded, or the file is damaged.
    """
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_TIMEOUT_SECONDS)
    try:
        yield
    # Keras raises a bare Exception if a download fails; h5py raises various types for bad files.
    except Exception as error:
        raise RecipeError(
            f"the ImageNet weights of {name} cannot be loaded: download {file_name(name)} of"
            " keras.applications elsewhere and give its folder with --weights-dir, or train"
            " without them, with --weights none"
        ) from error
    finally:
        socket.setdefaulttimeout(before)
