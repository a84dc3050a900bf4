"""The user of the container images, as advice about permissions names it."""

from typing import Final

CONTAINER_USER: Final = 10001
"""As in ``Dockerfile.*``."""

CHANGE_OWNER: Final = f"chown -R {CONTAINER_USER}:{CONTAINER_USER}"
