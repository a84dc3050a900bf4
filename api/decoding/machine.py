"""How many CPUs and how much memory this process may use: the machine's, or its container's."""

import math
import os
from pathlib import Path
from typing import Final

_MOUNT: Final = Path("/sys/fs/cgroup")
_OWN_GROUP: Final = Path("/proc/self/cgroup")


def available_cpus(mount: Path = _MOUNT, own_group: Path = _OWN_GROUP) -> int:
    """CPUs that this process may use, at least one: by its affinity and its cgroup's quota."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quotas = [quota for quota in _cpu_quotas(mount, own_group) if quota > 0]
    return max(1, math.ceil(min([usable or 1, *quotas])))


def available_memory_bytes(mount: Path = _MOUNT, own_group: Path = _OWN_GROUP) -> int | None:
    """Memory that this process may use, or None where the system does not say."""
    limits = _numbers(mount, own_group, "memory.max", "memory/memory.limit_in_bytes")
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(limits, default=None)


def _cpu_quotas(mount: Path, own_group: Path) -> list[float]:
    """CPUs by each quota that applies; version 1 writes -1 where there is none."""
    quotas = [
        int(words[0]) / int(words[1])
        for folder in _folders(mount, own_group)
        if (words := _read(folder / "cpu.max").split()) and words[0] != "max"
    ]
    quota, period = (_read(mount / "cpu" / f"cpu.cfs_{name}_us") for name in ("quota", "period"))
    if quota and period:
        quotas.append(int(quota) / int(period))
    return quotas


def _numbers(mount: Path, own_group: Path, name: str, version_1: str) -> list[int]:
    files = [folder / name for folder in _folders(mount, own_group)]
    texts = [_read(file) for file in (*files, mount / version_1)]
    return [int(text) for text in texts if text.isdecimal()]


def _folders(mount: Path, own_group: Path) -> list[Path]:
    """The folder of this process's cgroup (version 2) and those above it, whose limits add up."""
    for line in _read(own_group).splitlines():
        if line.startswith("0::"):
            own = mount / line.removeprefix("0::").strip().lstrip("/")
            return [own, *(parent for parent in own.parents if parent.is_relative_to(mount))]
    return [mount]


def _read(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        # No such limit on this system.
        return ""
