"""``covidscan serve --demo`` on an empty volume, as ``make serve`` starts it."""

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx

from tests.service_process import COVIDSCAN, page_address

_MAX_SECONDS = 1600


def watch_first_minutes(root: Path, image: bytes) -> dict[str, Any]:
    """Let the service train its demo models, and ask it meanwhile as users would.

    Args:
        root: where ``models/`` and ``data/phantoms/`` come to lie.
        image: what is uploaded.

    Returns:
        What was seen: ``page``, ``first_upload`` and ``first_readiness`` before any model was
        ready, ``first_answer`` once one was, ``shares`` of progress, ``last_readiness``, and the
        ``exit_code``.
    """
    with (root / "log").open("w") as log:
        process = subprocess.Popen(
            [*COVIDSCAN, "serve", "--demo", "--port=0", f"--models-dir={root / 'models'}"],
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=root,
            env=os.environ | {"COVIDSCAN_LOG_FORMAT": "json"},
            text=True,
        )
        try:
            with httpx.Client(base_url=page_address(process), timeout=30) as client:
                seen = _watch(client, image)
        finally:
            process.terminate()
            code = process.wait(timeout=30)
            if process.stdout is not None:
                process.stdout.close()
    return {**seen, "exit_code": code}


def _watch(client: httpx.Client, image: bytes) -> dict[str, Any]:
    def upload() -> httpx.Response:
        return client.post("/predict", files={"file": ("phantom.png", image)})

    first = upload()
    seen: dict[str, Any] = {
        "page": client.get("/").text,
        "first_upload": {**first.json(), "retry_after": first.headers.get("retry-after")},
        "first_readiness": client.get("/readyz").json(),
        "shares": [],
    }
    deadline = time.monotonic() + _MAX_SECONDS
    while time.monotonic() < deadline:
        readiness = client.get("/readyz").json()
        if readiness["ready"] and "first_answer" not in seen:
            seen["first_answer"] = upload().json()
        training = readiness["training"]
        if training and training["status"] == "running":
            seen["shares"].append(training["share"])
        elif set(readiness["models"].values()) == {"ok"} or not seen["shares"]:
            break
        time.sleep(0.5)
    return {**seen, "last_readiness": readiness}
