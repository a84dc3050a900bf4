"""A contender's processes: started, asked what they use, and ended without a trace."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_CLOCK_TICKS: Final = os.sysconf("SC_CLK_TCK")
_END_SECONDS: Final = 20.0


class StartError(RuntimeError):
    """A contender did not start; the message is what it said last."""


@dataclass(frozen=True)
class Usage:
    """What processes have used, or hold."""

    cpu_seconds: float
    memory_bytes: int
    """Proportional set size: what processes share is counted once."""
    resident_bytes: int
    open_files: int
    threads: int


@dataclass(frozen=True)
class Contender:
    """A service that runs."""

    process: subprocess.Popen[bytes]
    port: int

    def usage(self, only: str = "") -> Usage:
        """Of all its processes, or of those whose command line has ``only`` in it."""
        usages = [_usage(pid) for pid in _family(self.process.pid) if only in _command(pid)]
        return Usage(
            sum(usage.cpu_seconds for usage in usages),
            sum(usage.memory_bytes for usage in usages),
            sum(usage.resident_bytes for usage in usages),
            sum(usage.open_files for usage in usages),
            sum(usage.threads for usage in usages),
        )


@contextmanager
def running(
    command: Sequence[str],
    port: int,
    environment: Mapping[str, str],
    log: Path,
    directory: Path | None = None,
) -> Iterator[Contender]:
    """Start a service in a session of its own, and end all of it afterwards."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield Contender(process, port)
    finally:
        _end(process)


def last_words(log: Path) -> str:
    """The end of what a service said."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return " / ".join(lines[-3:])[-600:].replace(f"{Path.cwd()}/", "")


def _end(process: subprocess.Popen[bytes]) -> None:
    family = _family(process.pid)
    process.terminate()
    until = time.monotonic() + _END_SECONDS
    while time.monotonic() < until and any(_alive(pid) for pid in family):
        process.poll()
        time.sleep(0.1)
    for pid in family:
        if _alive(pid):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def _family(root: int) -> list[int]:
    """A process and all that descend from it, of its session too where they lost their parent."""
    parents: dict[int, int] = {}
    sessions: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(entry.name)], sessions[int(entry.name)] = int(fields[1]), int(fields[3])
    family = {root} | {pid for pid, session in sessions.items() if session == root}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return sorted(family)


def _usage(pid: int) -> Usage:
    process = Path("/proc") / str(pid)
    try:
        fields = (process / "stat").read_text().rpartition(")")[2].split()
        rollup = (process / "smaps_rollup").read_text()
        files = len(list((process / "fd").iterdir()))
    except OSError:
        return Usage(0, 0, 0, 0, 0)
    sizes = dict(line.split(":") for line in rollup.splitlines()[1:])
    return Usage(
        (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS,
        int(sizes["Pss"].split()[0]) * 1024,
        int(sizes["Rss"].split()[0]) * 1024,
        files,
        int(fields[17]),
    )


def _command(pid: int) -> str:
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def _alive(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
