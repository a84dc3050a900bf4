"""Start the service with a command, wait until it is ready, and stop it again.

::

    python .ci/smoke.py make serve

Exits with 1 if the command ends early, or if the service is not ready in time.
"""

import argparse
import http.client
import os
import subprocess
import sys
import time
import urllib.request

_POLL_SECONDS = 1.0
_ANSWER_SECONDS = 10.0
_STOP_SECONDS = 60.0

# A proxy of the environment does not reach this machine's own service.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def main() -> int:
    """Run the check and print its outcome."""
    parser = argparse.ArgumentParser(description="Start the service, wait until ready, stop it.")
    parser.add_argument("--timeout", type=float, default=900, metavar="SECONDS")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    url = f"http://127.0.0.1:{os.environ.get('COVIDSCAN_PORT', '8000')}/readyz"
    if _is_ready(url):
        return _fail(f"another service already answers at {url}")

    started = time.monotonic()
    process = subprocess.Popen(arguments.command)  # noqa: S603 - the caller's own command
    try:
        while not _is_ready(url):
            if process.poll() is not None:
                return _fail(f"the command ended with exit code {process.returncode}")
            if time.monotonic() - started > arguments.timeout:
                return _fail(f"{url} was not ready within {arguments.timeout:.0f} s")
            time.sleep(_POLL_SECONDS)
    finally:
        _stop(process)
    _say(f"ready after {time.monotonic() - started:.0f} s")
    return 0


def _is_ready(url: str) -> bool:
    try:
        with _OPENER.open(url, timeout=_ANSWER_SECONDS) as answer:
            return bool(answer.status == http.client.OK)
    except (OSError, http.client.HTTPException):
        # Nothing listens yet, or the answer is an error: not ready.
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def _fail(reason: str) -> int:
    _say(f"FAILED: {reason}")
    return 1


def _say(outcome: str) -> None:
    sys.stdout.write(f"smoke test: {outcome}\n")


if __name__ == "__main__":
    sys.exit(main())
