"""``covidscan serve``."""

import asyncio
from typing import Annotated, Any

import typer

from covidscan.command_line.options import ModelsDirSetting, ModelServerSetting
from covidscan.command_line.output import fail, settings_faults
from covidscan.exit_codes import BAD_USE


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port to listen on.", show_default="8000")
    ] = None,
    models_dir: ModelsDirSetting = None,
    model_server: ModelServerSetting = None,
    demo: Annotated[
        bool | None,
        typer.Option(
            "--demo",
            help="Train demo models in the background for models that have no version yet.",
            show_default="no",
        ),
    ] = None,
) -> None:
    """Start the gateway, and the embedded model server if no other one is set.

    Every option can also be set as COVIDSCAN_<NAME> in the environment or in .env.
    """
    from pydantic import ValidationError

    from api.http.access.api_keys import ApiKeysError
    from api.settings import Settings
    from api.start_errors import AuditTrailError, NoTemporaryFolderError
    from covidscan.service.service import PartMissingError, run_service
    from serving.errors import TlsConfigError

    options: dict[str, Any] = {
        "host": host,
        "port": port,
        "models_dir": models_dir,
        "model_server": model_server,
        "demo": demo,
    }
    try:
        settings = Settings(**{name: value for name, value in options.items() if value is not None})
        asyncio.run(run_service(settings))
    except ValidationError as error:
        fail(settings_faults(error), BAD_USE)
    except (
        PartMissingError,
        TlsConfigError,
        ApiKeysError,
        AuditTrailError,
        NoTemporaryFolderError,
    ) as error:
        fail(str(error), BAD_USE)
