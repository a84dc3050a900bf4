"""How many CPUs and how much memory this process may use, on a machine or in a container."""

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_MOUNT: Final = Path("/sys/fs/cgroup")
_OWN_GROUP: Final = Path("/proc/self/cgroup")
_QUOTA_AND_PERIOD: Final = 2


def available_cpus(mount: Path = _MOUNT, own_group: Path = _OWN_GROUP) -> int:
    """The CPUs that this process may use, at least one, by its affinity and its cgroup's quota."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quotas = [quota for quota in _cpu_quotas(mount, own_group) if quota > 0]
    return max(1, math.ceil(min([usable or 1, *quotas])))


def available_memory_bytes(mount: Path = _MOUNT, own_group: Path = _OWN_GROUP) -> int | None:
    """The memory that this process may use, or None if the system does not report it."""
    texts = [_read(folder / "memory.max") for folder in _folders_2(mount, own_group)]
    texts += [
        _read(folder / "memory.limit_in_bytes") for folder in _folders_1("memory", mount, own_group)
    ]
    limits = [int(text) for text in texts if text.isdecimal()]
    if "SC_PHYS_PAGES" in os.sysconf_names:
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(limits, default=None)


def _cpu_quotas(mount: Path, own_group: Path) -> list[float]:
    """The number of CPUs by each quota that applies; version 1 has -1 for no quota."""
    texts = [_read(folder / "cpu.max") for folder in _folders_2(mount, own_group)]
    texts += [
        f"{_read(folder / 'cpu.cfs_quota_us')} {_read(folder / 'cpu.cfs_period_us')}"
        for folder in _folders_1("cpu", mount, own_group)
    ]
    return [
        int(words[0]) / int(words[1])
        for text in texts
        if len(words := text.split()) == _QUOTA_AND_PERIOD and words[0] != "max"
    ]


def _folders_2(mount: Path, own_group: Path) -> list[Path]:
    """Version 2: the folders of this process's cgroup and its parents, whose limits apply too."""
    for controllers, path in _groups(own_group):
        if not controllers:
            return _up_to(mount, path)
    return [mount]


def _folders_1(controller: str, mount: Path, own_group: Path) -> list[Path]:
    """Version 1, which has a tree of cgroups for each controller."""
    for controllers, path in _groups(own_group):
        if controller in controllers.split(","):
            return _up_to(mount / controller, path)
    return [mount / controller]


def _groups(own_group: Path) -> Iterator[tuple[str, str]]:
    """The cgroups of this process: controllers (empty in version 2) and path of each."""
    for line in _read(own_group).splitlines():
        _, controllers, path = line.split(":", 2)
        yield controllers, path


def _up_to(root: Path, path: str) -> list[Path]:
    """The folders of a cgroup and its parents.

    In a container the path may be that of the host. Then only the root exists, and it is the
    container's own cgroup.
    """
    own = root / path.lstrip("/")
    if ".." in own.relative_to(root).parts:
        # The cgroup is outside the mounted tree.
        return [root]
    return [own, *(parent for parent in own.parents if parent.is_relative_to(root))]


def _read(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        # This system has no such limit.
        return ""
