"""Output of native code to standard error is suppressed unless the body raises."""

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


def test_native_output_is_suppressed():
    assert run("pass") == ["before", "after"]


def test_native_output_is_shown_if_the_body_raises():
    assert run("raise ValueError") == ["before", "greeting", "failed", "after"]
