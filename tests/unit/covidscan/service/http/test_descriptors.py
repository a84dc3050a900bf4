"""The number of connections fits the number of file descriptors."""

import subprocess
import sys

import pytest

PROGRAM = """
import logging, resource, sys
logging.basicConfig(level=logging.WARNING, stream=sys.stdout, format="%(message)s")
soft, hard = map(int, sys.argv[1:3])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
from covidscan.service.http.descriptors import fit_connections
print(fit_connections(512), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(
    ("soft", "hard", "connections", "files"),
    [(1000, 1000, 512, 1000), (256, 1000, 512, 832), (256, 700, 380, 700), (64, 64, 1, 64)],
)
def test_the_soft_limit_is_raised_and_otherwise_fewer_connections_are_allowed(
    soft: int, hard: int, connections: int, files: int
):
    lines = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(soft), str(hard)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert lines[-1] == f"{connections} {files}"
    assert ("COVIDSCAN_MAX_CONNECTIONS" in lines[0]) == (connections < 512)
