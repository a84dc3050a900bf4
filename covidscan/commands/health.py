"""``covidscan health``."""

from typing import Annotated, Any

import typer

from covidscan.command_line.output import fail, say, settings_faults


def health(
    ready: Annotated[
        bool, typer.Option("--ready", help="Check that predictions can be answered.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Every model must have an available version.")
    ] = False,
    model_server: Annotated[
        bool,
        typer.Option("--model-server", help="Check the model server given in the settings."),
    ] = False,
    host: Annotated[
        str | None, typer.Option(help="Address of the gateway.", show_default="COVIDSCAN_HOST")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Its port.", show_default="COVIDSCAN_PORT"),
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=0.1, max=60, help="Timeout for the answer, in seconds.")
    ] = 3.0,
) -> None:
    """Check whether the running gateway is alive. Exits with 0 or 1.

    Scheme, address and certificate come from the settings. No API key is needed, and no proxy is
    used.
    """
    from pydantic import ValidationError

    from api.settings import Settings
    from covidscan.health.gateway_check import GatewayAddress, UnhealthyError, check_gateway
    from serving.errors import TlsConfigError

    # Skips the check that API keys are set: the gateway may have got them as other options.
    options: dict[str, Any] = {"host": host, "port": port, "allow_anonymous": True}
    try:
        settings = Settings(**{name: value for name, value in options.items() if value is not None})
        if model_server:
            import asyncio

            from covidscan.health.model_server_check import check_model_server

            line = asyncio.run(check_model_server(settings, strict=strict, timeout_seconds=timeout))
        else:
            address = GatewayAddress(settings.host, settings.port, settings.tls_certificate_file)
            line = check_gateway(address, ready=ready, strict=strict, timeout_seconds=timeout)
    except ValidationError as error:
        # Exit code 1, not 2 as for bad use elsewhere: Docker health checks know only 0 and 1.
        fail(settings_faults(error))
    except (UnhealthyError, TlsConfigError) as error:
        fail(str(error))
    say(line)
