"""Breaks down one client's time: the engine, the model server around it, the gateway around that.

Each layer answers the same image in turn, in one run. Of two answers in a row the second counts,
because the first one loads the models into the caches. Prints the median of each layer, and the
median of what it adds to the layer before it.

    python -m benchmarks.layers --models-dir models --image slice.png
"""

import argparse
import asyncio
import http.client
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import httpx
import numpy as np

from benchmarks.service import gateway
from benchmarks.speed.process import running
from imaging.decode import decode_image
from imaging.preprocess import preprocess
from serving import volume
from serving.batching_parameters import EMBEDDED_BATCHING_FILE, read_batching_parameters
from serving.client import ModelServerClient, encode_images
from serving.contract import INPUT_NAME, MODEL_NAMES
from serving.embedded.engine import Engine, LoadedModel
from serving.precision import Precision

_RUNS_AT_ONCE: Final = read_batching_parameters(EMBEDDED_BATCHING_FILE).num_batch_threads

Layer = Callable[[], Awaitable[object]]


def main() -> None:
    """Start both servers, measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models-dir", type=Path, default=Path("models"))
    parser.add_argument("--image", type=Path, required=True)
    parser.add_argument("--precision", type=Precision, default=Precision.F32)
    parser.add_argument("--rounds", type=int, default=400)
    arguments = parser.parse_args()
    with TemporaryDirectory() as directory:
        address = f"unix:{directory}/model-server.sock"
        with (
            running(_model_server(arguments, address), 0, {}, Path(directory) / "log"),
            gateway(arguments.models_dir, f"--model-server={address}") as service,
        ):
            asyncio.run(_measure(arguments, address, service.port))


def _model_server(arguments: argparse.Namespace, address: str) -> list[str]:
    """Return its command, as ``covidscan serve`` starts it."""
    return [
        *(sys.executable, "-m", "covidscan", "model-server"),
        f"--models-dir={arguments.models_dir}",
        f"--socket={address.removeprefix('unix:')}",
        f"--precision={arguments.precision}",
        "--enable_batching=true",
        f"--batching_parameters_file={EMBEDDED_BATCHING_FILE}",
    ]


async def _measure(arguments: argparse.Namespace, address: str, port: int) -> None:
    content = arguments.image.read_bytes()
    tensor = preprocess(decode_image(content).pixels)[np.newaxis]
    alone, together = (
        _load(arguments.models_dir, Engine(arguments.precision, streams=streams))
        for streams in (1, _RUNS_AT_ONCE)
    )
    form = httpx.Request(
        "POST", "http://localhost", files={"file": (arguments.image.name, content)}
    )
    body, headers = form.read(), dict(form.headers)
    connection = http.client.HTTPConnection("127.0.0.1", port)
    with ThreadPoolExecutor(_RUNS_AT_ONCE) as threads:
        async with ModelServerClient(address) as client:
            loop = asyncio.get_running_loop()

            async def one_after_the_other() -> None:
                for model in alone:
                    model.infer({INPUT_NAME: tensor})

            async def at_once() -> None:
                await asyncio.gather(
                    *(
                        loop.run_in_executor(threads, model.infer, {INPUT_NAME: tensor})
                        for model in together
                    )
                )

            async def calls() -> None:
                images = encode_images(tensor)
                await asyncio.gather(
                    *(client.predict(name, images, timeout_seconds=10) for name in MODEL_NAMES)
                )

            async def image_and_calls() -> None:
                preprocess(decode_image(content).pixels)
                await calls()

            # Nothing else is running meanwhile, so it may block the event loop.
            async def gateway() -> None:
                connection.request("POST", "/predict", body, headers)
                response = connection.getresponse()
                answer = response.read()
                if response.status != HTTPStatus.OK:
                    raise RuntimeError(answer.decode())

            layers = {
                "the engine, one model after the other": one_after_the_other,
                "the engine, as the model server runs it": at_once,
                "the model server around it: three calls": calls,
                "the image read before them": image_and_calls,
                "the gateway around both: `POST /predict`": gateway,
            }
            _print_table(await _in_turn(layers, arguments.rounds))


async def _in_turn(layers: dict[str, Layer], rounds: int) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in layers}
    for _ in range(rounds):
        for name, layer in layers.items():
            await layer()
            started = time.perf_counter()
            await layer()
            seconds[name].append(time.perf_counter() - started)
    return seconds


def _print_table(seconds: dict[str, list[float]]) -> None:
    sys.stdout.write("| layer | median | it adds | of the first |\n|---|---|---|---|\n")
    first = before = next(iter(seconds.values()))
    for name, taken in seconds.items():
        added = statistics.median(mine - others for mine, others in zip(taken, before, strict=True))
        share = statistics.median(taken) / statistics.median(first)
        sys.stdout.write(
            f"| {name} | {1000 * statistics.median(taken):.1f} ms | {1000 * added:+.1f} ms"
            f" | {share:.2f} |\n"
        )
        before = taken


def _load(models_dir: Path, engine: Engine) -> list[LoadedModel]:
    return [
        engine.load(volume.version_dir(models_dir, name, volume.versions(models_dir, name)[-1]))
        for name in MODEL_NAMES
    ]


if __name__ == "__main__":
    main()
