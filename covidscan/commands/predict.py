"""``covidscan predict``."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from covidscan.command_line.options import DicomWindow
from covidscan.command_line.output import fail
from covidscan.command_line.tables import add_text_row
from covidscan.exit_codes import FAILURE
from imaging.dicom.description import WindowChoice

if TYPE_CHECKING:
    import httpx

_TIMEOUT_SECONDS: Final = 60.0


def predict(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...", exists=True, dir_okay=False, readable=True, help="Images to send."
        ),
    ],
    url: Annotated[
        str, typer.Option(envvar="COVIDSCAN_URL", help="URL of the running gateway.")
    ] = "http://127.0.0.1:8000",
    api_key: Annotated[
        str | None,
        typer.Option(envvar="COVIDSCAN_API_KEY", help="API key, if the gateway requires one."),
    ] = None,
    window: DicomWindow = WindowChoice.AUTO,
    frame: Annotated[
        int | None,
        typer.Option(min=1, help="Frame of DICOM files.", show_default="the middle one"),
    ] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Predict even images that do not look like chest scans."),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print each answer as a line of JSON.")
    ] = False,
) -> None:
    """Send images to a running gateway and print what the models say.

    The exit code is 1 if any file got no prediction.
    """
    import httpx

    try:
        headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
        with httpx.Client(base_url=url, headers=headers, timeout=_TIMEOUT_SECONDS) as client:
            query = {"window": str(window), "force": str(force).lower()} | (
                {} if frame is None else {"frame": str(frame)}
            )
            answers = [(file, _post(client, file, query)) for file in files]
    except httpx.HTTPError as error:
        fail(f"the gateway at {url} cannot be reached: {error}")
    if as_json:
        for _, answer in answers:
            typer.echo(json.dumps(answer))
    else:
        _print_table(answers)
    if any("prediction" not in answer for _, answer in answers):
        raise typer.Exit(FAILURE)


def _post(client: "httpx.Client", file: Path, query: dict[str, str]) -> dict[str, Any]:
    from system.names import readable_name
    from system.regular_files import open_regular_reader

    # Multipart file names must be valid Unicode.
    name = readable_name(file.name)
    try:
        with open_regular_reader(file) as content:
            response = client.post("/predict", files={"file": (name, content)}, params=query)
    except OSError as error:
        return {"title": "Unreadable file", "detail": error.strerror or str(error), "file": name}
    try:
        answer: dict[str, Any] = response.json()
    except ValueError:
        fail(f"{client.base_url} answered {response.status_code} without JSON: is it covidscan?")
    return answer


def _print_table(answers: list[tuple[Path, dict[str, Any]]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("File", "Model", "Version", "Prediction", "Confidence", "Seconds")
    for file, answer in answers:
        if "prediction" not in answer:
            problem = f"{answer['title']}: {answer['detail']}"
            add_text_row(table, file.name, "", "", problem, "", "")
            continue
        for model in answer["models"]:
            add_text_row(table, "", model["name"], *_model_cells(model))
        total_seconds = answer["timing"]["total_seconds"]
        add_text_row(
            table,
            file.name,
            "ensemble",
            "",
            answer["prediction"] + (" (review)" if answer["review"] else ""),
            f"{answer['confidence']:.1%}",
            f"{total_seconds:.4f}",
            end_section=True,
        )
    console = Console()
    console.print(table)
    if any(answer.get("demo") for _, answer in answers):
        console.print("Demo models: trained on phantoms. They say nothing about patients.")


def _model_cells(model: dict[str, Any]) -> list[str]:
    if model["status"] != "ok":
        return ["", model["status"], "", f"{model['duration_seconds']:.4f}"]
    return [
        str(model["version"]),
        model["prediction"],
        f"{model['confidence']:.1%}",
        f"{model['duration_seconds']:.4f}",
    ]
