"""``covidscan model-server``. Options that TensorFlow Serving also has keep its names."""

import asyncio
import dataclasses
import enum
import logging
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.observability.log_format import LogFormat
from covidscan.command_line.channel_arguments import BOUNDED_AGE, parse_channel_arguments
from covidscan.command_line.output import fail
from covidscan.exit_codes import BAD_USE
from serving.precision import Precision
from serving.volume import DEFAULT_MODELS_DIR

if TYPE_CHECKING:
    from serving.batching_parameters import BatchingParameters
    from serving.volume.model_config import ModelConfig

_MICROSECONDS = 1e-6


class Switch(enum.StrEnum):
    """A boolean option with an explicit value, as in TensorFlow Serving: --enable_batching=true."""

    TRUE = "true"
    FALSE = "false"

    def __bool__(self) -> bool:
        """Return whether the switch is on."""
        return self is Switch.TRUE


def model_server(
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "--model_config_file",
            help="A models.config file. Without it, the three CNNs are served.",
        ),
    ] = None,
    model_config_file_poll_wait_seconds: Annotated[
        float,
        typer.Option(
            "--model_config_file_poll_wait_seconds",
            min=0,
            help="Interval for checking that file for changes, in seconds; 0 never checks.",
        ),
    ] = 0,
    model_name: Annotated[
        str | None,
        typer.Option("--model_name", help="Serve only this model; use instead of --config."),
    ] = None,
    model_base_path: Annotated[
        Path | None,
        typer.Option("--model_base_path", help="Folder that holds the versions of that model."),
    ] = None,
    models_dir: Annotated[
        Path | None,
        typer.Option(help="Folder of the models. Overrides the paths in models.config."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8500,
    socket: Annotated[
        Path | None,
        typer.Option(
            "--socket",
            "--grpc_socket_path",
            help="A Unix socket to listen on instead of host and port.",
        ),
    ] = None,
    ssl_config_file: Annotated[
        Path | None,
        typer.Option("--ssl_config_file", help="An SSLConfig in text format. Enables TLS."),
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port for Prometheus metrics, on the same host."),
    ] = None,
    precision: Annotated[
        Precision, typer.Option(help="bf16 is faster; probabilities differ by hundredths.")
    ] = Precision.F32,
    enable_batching: Annotated[
        Switch,
        typer.Option(
            "--enable_batching",
            help="Combine requests into batches.",
        ),
    ] = Switch.FALSE,
    batching_parameters_file: Annotated[
        Path | None,
        typer.Option("--batching_parameters_file", help="BatchingParameters in text format."),
    ] = None,
    file_system_poll_wait_seconds: Annotated[
        float,
        typer.Option(
            "--file_system_poll_wait_seconds",
            min=0.01,
            help="Interval for checking for new versions, in seconds.",
        ),
    ] = 1.0,
    num_load_threads: Annotated[
        int, typer.Option("--num_load_threads", min=1, help="Versions loaded concurrently.")
    ] = 4,
    max_num_load_retries: Annotated[
        int, typer.Option("--max_num_load_retries", min=0, help="Retries of a failed load.")
    ] = 1,
    load_retry_interval_micros: Annotated[
        int,
        typer.Option(
            "--load_retry_interval_micros", min=0, help="Pause between attempts, in microseconds."
        ),
    ] = 2_000_000,
    allow_version_labels_for_unavailable_models: Annotated[
        Switch,
        typer.Option(
            "--allow_version_labels_for_unavailable_models",
            help="Allow labels for versions that are not loaded.",
        ),
    ] = Switch.FALSE,
    enable_serialization_as_tensor_content: Annotated[
        Switch,
        typer.Option(
            "--enable_serialization_as_tensor_content",
            help="Send tensors in the compact form, tensor_content.",
        ),
    ] = Switch.FALSE,
    grpc_max_threads: Annotated[
        int,
        typer.Option("--grpc_max_threads", min=1, help="Largest number of concurrent predictions."),
    ] = 100,
    grpc_channel_arguments: Annotated[
        str,
        typer.Option(
            "--grpc_channel_arguments",
            help="gRPC channel options, name=value,name=value. By default, connections end after"
            " 30 s, so that clients find new replicas.",
        ),
    ] = BOUNDED_AGE,
    grace_seconds: Annotated[
        float,
        typer.Option(min=0, help="Seconds that calls in flight may take when the server stops."),
    ] = 2.0,
    log_format: Annotated[
        LogFormat, typer.Option(envvar="COVIDSCAN_LOG_FORMAT", help="Format of log lines.")
    ] = LogFormat.AUTO,
    exit_with_stdin: Annotated[
        bool, typer.Option(hidden=True, help="Stop when standard input is closed.")
    ] = False,
) -> None:
    """Serve models over TensorFlow Serving's gRPC protocol, without TensorFlow."""
    try:
        from covidscan.service.model_server.standalone import ProcessOptions, run_model_server
    except ModuleNotFoundError as error:
        fail(f"{error.name} is not installed; run: pip install 'covidscan[embedded]'", BAD_USE)
    from covidscan.service.service_logs import configure_service_logging
    from serving.embedded.options import ModelServerOptions
    from serving.errors import BatchingParametersError, ModelConfigError, TlsConfigError
    from serving.tls import read_server_credentials

    configure_service_logging(log_format)
    read_configs = partial(_model_configs, config, models_dir, model_name, model_base_path)
    try:
        configs = read_configs()
        options = ModelServerOptions(
            precision=precision,
            batching=_batching(bool(enable_batching), batching_parameters_file),
            poll_seconds=file_system_poll_wait_seconds,
            load_threads=num_load_threads,
            load_retries=max_num_load_retries,
            load_retry_interval_seconds=load_retry_interval_micros * _MICROSECONDS,
            allow_labels_for_unavailable=bool(allow_version_labels_for_unavailable_models),
            answer_as_content=bool(enable_serialization_as_tensor_content),
            max_concurrent_requests=grpc_max_threads,
            channel_arguments=_channel_arguments(grpc_channel_arguments),
            credentials=read_server_credentials(ssl_config_file) if ssl_config_file else None,
            grace_seconds=grace_seconds,
        )
    except (ModelConfigError, BatchingParametersError, TlsConfigError) as error:
        fail(str(error), BAD_USE)
    process_options = ProcessOptions(
        metrics_address=None if metrics_port is None else (host, metrics_port),
        read_configs=read_configs if config and model_config_file_poll_wait_seconds else None,
        config_poll_seconds=model_config_file_poll_wait_seconds,
        exit_with_stdin=exit_with_stdin,
    )
    address = f"unix:{socket.resolve()}" if socket else f"{host}:{port}"
    try:
        asyncio.run(run_model_server(configs, address, options, process_options))
    except ModelConfigError as error:
        fail(
            f"{error}; --allow_version_labels_for_unavailable_models=true lets labels wait for"
            " their version",
            BAD_USE,
        )
    except RuntimeError as error:
        fail(f"cannot listen on {address}: {error}")
    except OSError as error:
        fail(f"cannot listen on {host}:{metrics_port} for metrics: {error.strerror}")
    # A normal exit would wait for a model that is being loaded, which cannot be interrupted.
    logging.shutdown()
    os._exit(0)


def _model_configs(
    config: Path | None, models_dir: Path | None, name: str | None, base_path: Path | None
) -> "list[ModelConfig]":
    from serving.volume.model_config import ModelConfig, default_model_configs, read_model_configs

    if name is not None or base_path is not None:
        if name is None or base_path is None or config is not None or models_dir is not None:
            fail(
                "--model_name and --model_base_path must be given together, without --config and"
                " --models-dir",
                BAD_USE,
            )
        return [ModelConfig(name, base_path.resolve())]
    if config is None:
        return default_model_configs(models_dir or DEFAULT_MODELS_DIR)
    configs = read_model_configs(config)
    if models_dir is None:
        return configs
    root = models_dir.resolve()
    return [dataclasses.replace(entry, base_path=root / entry.name) for entry in configs]


def _batching(enabled: bool, parameters_file: Path | None) -> "BatchingParameters | None":
    from serving.batching_parameters import BatchingParameters, read_batching_parameters

    if parameters_file is not None and not enabled:
        fail(
            "server_options.batching_parameters_file is set without setting"
            " server_options.enable_batching to true.",
            BAD_USE,
        )
    if not enabled:
        return None
    if parameters_file is None:
        return BatchingParameters()
    return read_batching_parameters(parameters_file)


def _channel_arguments(text: str) -> tuple[tuple[str, int | str], ...]:
    try:
        return tuple(parse_channel_arguments(text).items())
    except ValueError as error:
        fail(f"--grpc_channel_arguments: {error}", BAD_USE)
