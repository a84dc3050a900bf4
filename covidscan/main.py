"""The ``covidscan`` command."""

import io
import sys

import typer

from covidscan.commands import (
    cross_validate,
    demo,
    evaluate,
    health,
    keys,
    model_server,
    models,
    predict,
    replay,
    score,
    serve,
    settings,
    train,
)


def prepare_output() -> None:
    """Print characters that the terminal's encoding lacks as escapes, as in odd file names."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


app = typer.Typer(
    callback=prepare_output,
    name="covidscan",
    help="COVID-19 likelihood from a chest CT or X-ray image. For research, not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("serve")(serve.serve)
app.command("health")(health.health)
app.command("model-server")(model_server.model_server)
app.command("demo")(demo.demo)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("cross-validate")(cross_validate.cross_validate)
app.add_typer(models.app, name="models")
app.add_typer(keys.app, name="keys")
app.command("predict")(predict.predict)
app.command("score")(score.score)
app.command("replay")(replay.replay)
app.command("settings")(settings.settings)
