"""Starts a contender's processes, measures their resources, and ends them completely."""

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
    """A contender did not start. The message is its last output."""


@dataclass(frozen=True)
class Usage:
    """The resources of processes."""

    cpu_seconds: float
    memory_bytes: int
    """Proportional set size: memory shared by processes counts once."""
    resident_bytes: int
    open_files: int
    threads: int


@dataclass(frozen=True)
class Contender:
    """A running service."""

    process: subprocess.Popen[bytes]
    port: int

    def usage(self, only: str = "") -> Usage:
        """Return the usage of all its processes, or of those with ``only`` in the command line."""
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
    """Start a service in its own session, and end all its processes afterwards."""
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
    """Return the last lines of a service's log."""
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
    """Return a process and all its descendants, and orphans of its session."""
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
