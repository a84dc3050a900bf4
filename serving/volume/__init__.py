"""The versioned volume: ``models/<name>/<version>/``."""

from serving.volume.store import (
    DEFAULT_VERSIONS_KEPT,
    EXTRA_ASSETS,
    KERNEL_PATHS,
    check_writable,
    draft,
    is_kernel_path,
    prune,
    remove,
    version_candidates,
    version_dir,
    versions,
)

__all__ = [
    "DEFAULT_VERSIONS_KEPT",
    "EXTRA_ASSETS",
    "KERNEL_PATHS",
    "check_writable",
    "draft",
    "is_kernel_path",
    "prune",
    "remove",
    "version_candidates",
    "version_dir",
    "versions",
]
