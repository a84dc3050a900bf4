"""The versioned volume: ``models/<name>/<version>/``."""

from serving.volume.store import (
    DEFAULT_MODELS_DIR,
    DEFAULT_VERSIONS_KEPT,
    EXTRA_ASSETS,
    KERNEL_PATHS,
    check_writable,
    draft,
    is_kernel_path,
    missing,
    prune,
    remove,
    version_candidates,
    version_dir,
    versions,
)

__all__ = [
    "DEFAULT_MODELS_DIR",
    "DEFAULT_VERSIONS_KEPT",
    "EXTRA_ASSETS",
    "KERNEL_PATHS",
    "check_writable",
    "draft",
    "is_kernel_path",
    "missing",
    "prune",
    "remove",
    "version_candidates",
    "version_dir",
    "versions",
]
