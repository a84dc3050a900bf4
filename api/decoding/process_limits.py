"""Limits of a decoder process: memory and CPU time per file."""

import os
import resource
from pathlib import Path
from typing import Final

_DATA_PAGES: Final = 5
"""The index of data plus stack, in pages, in ``/proc/self/statm``."""
_OOM_SCORE_ADJUSTMENT: Final = "500"
"""If memory runs out, the kernel kills a decoder before the gateway and the model server."""


_NICENESS: Final = 5
"""Decoding many files must not slow the models down on images that are already decoded."""


def prepare_process() -> None:
    """Disable core dumps, which could contain an image, and lower this process's priority."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(_NICENESS)
    try:
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE_ADJUSTMENT)
    except OSError:
        # Not Linux, or not permitted; the other limits still apply.
        return


def limit_memory(further_bytes: int) -> None:
    """Let this process allocate this much more private memory; further allocations fail.

    Linux counts every private writable mapping. Other systems count less, or nothing.
    """
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[_DATA_PAGES])
    except OSError:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit_bytes = pages * os.sysconf("SC_PAGE_SIZE") + further_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (_within(hard, limit_bytes), hard))


def limit_cpu(further_seconds: int) -> None:
    """Let this process use this much more CPU time; then the kernel ends it (SIGXCPU)."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    seconds = int(used.ru_utime + used.ru_stime) + 1 + further_seconds
    resource.setrlimit(resource.RLIMIT_CPU, (_within(hard, seconds), hard))


def _within(hard: int, soft: int) -> int:
    """The soft limit, capped at the hard limit with which the service was started."""
    return soft if hard == resource.RLIM_INFINITY else min(soft, hard)
