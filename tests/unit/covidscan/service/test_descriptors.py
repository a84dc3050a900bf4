"""As many connections as there are descriptors for."""

import subprocess
import sys

import pytest

PROGRAM = """
import logging, resource, sys
logging.basicConfig(level=logging.WARNING, stream=sys.stdout, format="%(message)s")
soft, hard = map(int, sys.argv[1:3])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
from covidscan.service.descriptors import fit_connections
print(fit_connections(512), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(
    ("soft", "hard", "connections", "files"),
    [(1000, 1000, 512, 1000), (256, 1000, 512, 832), (256, 700, 380, 700), (64, 64, 1, 64)],
)
def test_the_limit_is_raised_or_fewer_connections_are_let_in(
    soft: int, hard: int, connections: int, files: int
):
    said = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(soft), str(hard)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert said[-1] == f"{connections} {files}"
    assert ("COVIDSCAN_MAX_CONNECTIONS" in said[0]) == (connections < 512)
