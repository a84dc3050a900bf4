"""``covidscan model-server``."""

import asyncio
import dataclasses
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from covidscan.commands.failure import BAD_USE, fail

if TYPE_CHECKING:
    from serving.model_config import ModelConfig


def model_server(
    config: Annotated[
        Path | None,
        typer.Option(help="A models.config; without it the three CNNs are served."),
    ] = None,
    models_dir: Annotated[
        Path | None,
        typer.Option(help="Where the models lie, in place of the paths in models.config."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8500,
    socket: Annotated[
        Path | None, typer.Option(help="A Unix socket to listen on instead of host and port.")
    ] = None,
    precision: Annotated[
        str, typer.Option(help="f32, or bf16: faster, not the same to the last digit.")
    ] = "f32",
    poll_seconds: Annotated[
        float, typer.Option(min=0.01, help="Pause between two looks for new versions.")
    ] = 1.0,
    exit_with_stdin: Annotated[
        bool, typer.Option(hidden=True, help="Stop when standard input is closed.")
    ] = False,
) -> None:
    """Serve the models over TensorFlow Serving's gRPC protocol, without TensorFlow."""
    try:
        from serving.embedded.engine import PRECISIONS
    except ModuleNotFoundError as error:
        fail(f"{error.name} is not installed; run: pip install 'covidscan[embedded]'", BAD_USE)
    from covidscan.logs import configure_logging
    from covidscan.model_server import run_model_server
    from serving.errors import ModelConfigError

    if precision not in PRECISIONS:
        fail(f"--precision is one of {', '.join(PRECISIONS)}", BAD_USE)
    configure_logging()
    try:
        configs = _model_configs(config, models_dir)
    except ModelConfigError as error:
        fail(str(error), BAD_USE)
    address = f"unix:{socket.resolve()}" if socket else f"{host}:{port}"
    try:
        asyncio.run(
            run_model_server(
                configs,
                address,
                precision=precision,
                poll_seconds=poll_seconds,
                exit_with_stdin=exit_with_stdin,
            )
        )
    except RuntimeError as error:
        fail(f"cannot listen on {address}: {error}")
    # Ending the usual way would wait for a model that is being loaded, which nothing interrupts.
    logging.shutdown()
    os._exit(0)


def _model_configs(config: Path | None, models_dir: Path | None) -> "list[ModelConfig]":
    from serving.model_config import default_model_configs, read_model_configs

    if config is None:
        return default_model_configs(models_dir or Path("models"))
    configs = read_model_configs(config)
    if models_dir is None:
        return configs
    root = models_dir.resolve()
    return [dataclasses.replace(entry, base_path=root / entry.name) for entry in configs]
