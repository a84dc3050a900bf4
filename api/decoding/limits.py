"""What a decoder's process may take: memory for one file, and CPU time for one file."""

import os
import sys
from pathlib import Path
from typing import Final

_DATA_PAGES: Final = 5
"""The place of data and stack in ``/proc/self/statm``, in pages."""
_FIRST_VICTIM: Final = "500"
"""Where the kernel runs out of memory, a decoder goes before the gateway and the model server."""


_NICENESS: Final = 5
"""Many files to decode do not keep the models from answering what has been decoded."""


def prepare_process() -> None:
    """Write no core dump, which would hold an image; give way to the models and the gateway."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - not on Windows

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(_NICENESS)
    try:
        Path("/proc/self/oom_score_adj").write_text(_FIRST_VICTIM)
    except OSError:
        # Not Linux, or not allowed: the other limits hold all the same.
        return


def limit_memory(further_bytes: int) -> None:
    """Let this process take so much more private memory; beyond it allocations fail.

    Linux counts every private mapping that can be written to. Other systems count less, or nothing.
    """
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - not on Windows

    try:
        pages = int(Path("/proc/self/statm").read_text().split()[_DATA_PAGES])
    except OSError:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit_bytes = pages * os.sysconf("SC_PAGE_SIZE") + further_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (_within(hard, limit_bytes), hard))


def limit_cpu(further_seconds: int) -> None:
    """Let this process take so much more CPU time; then the kernel ends it (SIGXCPU)."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - not on Windows

    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    seconds = int(used.ru_utime + used.ru_stime) + 1 + further_seconds
    resource.setrlimit(resource.RLIMIT_CPU, (_within(hard, seconds), hard))


def _within(hard: int, soft: int) -> int:
    """A limit that may be set: whoever started the service may have set a lower one."""
    import resource  # noqa: PLC0415 - not on Windows

    return soft if hard == resource.RLIM_INFINITY else min(soft, hard)
