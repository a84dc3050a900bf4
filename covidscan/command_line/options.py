"""Options that several commands share, each declared once."""

from pathlib import Path
from typing import Annotated

import typer

from imaging.dicom.description import WindowChoice
from serving.volume import DEFAULT_MODELS_DIR

ModelsDir = Annotated[
    Path, typer.Option(envvar="COVIDSCAN_MODELS_DIR", help="The versioned volume.")
]

ModelsDirSetting = Annotated[
    Path | None, typer.Option(help="The versioned volume.", show_default=str(DEFAULT_MODELS_DIR))
]
"""For commands that read the gateway's settings, which hold the default."""

ModelServerSetting = Annotated[
    str | None,
    typer.Option(help="Address of a model server. Without it, the embedded one is started."),
]

LabelledDataset = Annotated[
    Path, typer.Option(help="Folder of images, with the subfolders COVID/ and non-COVID/.")
]

PatientGroups = Annotated[
    Path | None,
    typer.Option(help="CSV with the columns file and patient. Intervals are then over patients."),
]

ReportDir = Annotated[
    Path | None, typer.Option(help="Folder for the report.", show_default="a new one in runs/")
]

DicomWindow = Annotated[
    WindowChoice, typer.Option(help="Which window maps the values of DICOM files to grey.")
]
