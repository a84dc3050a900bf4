"""What native code writes to standard error is kept back, unless something fails."""

import subprocess
import sys

SCRIPT = """
import os, sys
from trainer.native_output import quiet_native_output
print("before", file=sys.stderr)
try:
    with quiet_native_output():
        os.write(2, b"greeting\\n")
        {body}
except ValueError:
    print("failed", file=sys.stderr)
print("after", file=sys.stderr)
"""


def run(body: str) -> list[str]:
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(body=body)], capture_output=True, text=True, check=True
    )
    return process.stderr.splitlines()


def test_greetings_are_kept_back():
    assert run("pass") == ["before", "after"]


def test_where_the_body_raises_all_of_it_is_shown():
    assert run("raise ValueError") == ["before", "greeting", "failed", "after"]
