"""``covidscan replay``."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from covidscan.command_line.options import ModelsDir
from covidscan.command_line.output import fail, say
from covidscan.exit_codes import BAD_USE, FAILURE
from serving.precision import Precision
from serving.volume import DEFAULT_MODELS_DIR


def replay(
    audit_file: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, help="The audit file (COVIDSCAN_AUDIT_FILE)."),
    ],
    images: Annotated[
        list[Path],
        typer.Argument(metavar="IMAGE...", exists=True, help="The images, or folders of images."),
    ],
    models_dir: ModelsDir = DEFAULT_MODELS_DIR,
    precision: Annotated[
        Precision,
        typer.Option(
            envvar="COVIDSCAN_PRECISION",
            help="Precision that the service used; bf16 needs a tolerance of about 0.02.",
        ),
    ] = Precision.F32,
    tolerance: Annotated[
        float,
        typer.Option(min=0, help="Largest difference of a probability that counts as the same."),
    ] = 1e-5,
) -> None:
    """Repeat audited predictions and report which of them come out the same.

    The exit code is 1 if any prediction differs, or if none could be repeated.
    """
    from covidscan.replay.replayer import Outcome, Replayer, find_images
    from imaging.fingerprint import preprocess_fingerprint
    from serving.embedded.errors import ModelLoadError

    found = find_images(images)
    for name in found.unreadable:
        say(f"covidscan: {name} cannot be read", err=True)
    replayer = Replayer(models_dir, found.by_sha256, precision=precision, tolerance=tolerance)
    outcomes: Counter[Outcome] = Counter()
    largest = 0.0
    try:
        with audit_file.open(errors="replace") as lines:
            for line in lines:
                replayed = replayer.replay(line)
                outcomes[replayed.outcome] += 1
                largest = max(largest, replayed.largest_difference or 0.0)
                if replayed.record is not None and replayed.outcome is Outcome.DIFFERENT:
                    changed = replayed.record.preprocessing != preprocess_fingerprint()
                    why = " (preprocessing has changed)" if changed else ""
                    say(
                        f"{replayed.record.request_id}: differs by"
                        f" {replayed.largest_difference:.2e}{why}"
                    )
    except ModelLoadError as error:
        fail(str(error), BAD_USE)
    for outcome in Outcome:
        say(f"{outcome}: {outcomes[outcome]}")
    say(f"largest difference: {largest:.2e}")
    if outcomes[Outcome.DIFFERENT] or not outcomes[Outcome.SAME]:
        raise typer.Exit(FAILURE)
