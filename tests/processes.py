"""Reads children, memory, threads and open files of other processes from Linux."""

import os
import re
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


def children(pid: int) -> list[int]:
    """Return the child processes of a process."""
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    return [int(child) for child in listed.stdout.split()]


def model_servers_of(pid: int) -> list[int]:
    """Return the embedded model servers that a service has started: one or none."""
    return [each for each in children(pid) if b"\0model-server\0" in _command(each)]


def model_server_of(pid: int) -> int:
    """Return the embedded model server that a service has started."""
    (found,) = model_servers_of(pid)
    return found


def gateway_and_decoders(pid: int) -> list[int]:
    """Return the processes of a service without its model server."""
    others = {pid for server in model_servers_of(pid) for pid in (server, *descendants(server))}
    return [each for each in (pid, *descendants(pid)) if each not in others]


def descendants(pid: int) -> list[int]:
    """Return the children of a process, their children, and so on."""
    return [each for child in children(pid) for each in (child, *descendants(child))]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        # The process has ended meanwhile.
        return b""


def is_alive(pid: int) -> bool:
    """Whether a process exists and is not a zombie."""
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return False


@dataclass(frozen=True)
class Usage:
    """The resources of a process."""

    memory_mib: float
    """Resident now."""
    peak_memory_mib: float
    """Resident at most, since the process started or the peak was reset."""
    threads: int
    open_files: int

    def __str__(self) -> str:
        """Format them for a report."""
        return f"{self.memory_mib:.1f} MiB, {self.threads} threads, {self.open_files} files"


def usage(pid: int) -> Usage:
    """Measure the resources of a process."""
    text = Path(f"/proc/{pid}/status").read_text()
    status = dict(re.findall(r"^(\w+):\s+(\d+)", text, re.MULTILINE))
    return Usage(
        memory_mib=int(status["VmRSS"]) / 1024,
        peak_memory_mib=int(status["VmHWM"]) / 1024,
        threads=int(status["Threads"]),
        open_files=open_files(pid),
    )


def reset_peak_memory(pid: int) -> None:
    """Let ``peak_memory_mib`` start again from the memory that is resident now (``proc(5)``)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def open_files(pid: int) -> int:
    """Count the open files and sockets of a process."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
