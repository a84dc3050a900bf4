"""The report of a run: predictions for each image, metrics, plots, and one HTML file."""

import base64
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from serving.contract import CLASS_NAMES
from trainer.dataset.images import LabelledImages
from trainer.dataset.leakage import Baselines, LeakageReport
from trainer.errors import RunError
from trainer.evaluation import plots
from trainer.evaluation.evaluation import Evaluation
from trainer.evaluation.metrics import positive
from trainer.training.checkpoint import Epoch

REPORT_FILE: Final = "report.html"
METRICS_FILE: Final = "metrics.json"
PREDICTIONS_FILE: Final = "predictions.csv"
PLOTS_DIR: Final = "plots"

_DOTS_PER_INCH: Final = 110


def write_report(
    directory: Path,
    evaluations: Sequence[Evaluation],
    test: LabelledImages,
    *,
    dataset: Mapping[str, Any],
    leakage: Baselines | None = None,
    histories: Mapping[str, Sequence[Epoch]] | None = None,
    demo: bool = False,
) -> None:
    """Write the report of a test set.

    Args:
        directory: folder for the files.
        evaluations: of the models, with their ensemble last if there are several.
        test: the evaluated images.
        dataset: description of the dataset, for the record.
        leakage: baselines, and what is known about the split. Without it, the models were trained
            elsewhere.
        histories: training history of each model.
        demo: whether the models were trained on phantoms.

    Raises:
        RunError: the directory cannot be written.
    """
    histories = histories or {}
    figures = _draw(evaluations, test, histories)
    try:
        (directory / PLOTS_DIR).mkdir(parents=True, exist_ok=True)
        images = {
            name: _save(figure, directory / PLOTS_DIR / f"{name}.png")
            for name, figure in figures.items()
        }
        _write_predictions(directory, evaluations, test)
        _write_metrics(directory, evaluations, dataset, leakage, histories, demo=demo)
        page = _render(evaluations, dataset, leakage, histories, images, demo=demo)
        (directory / REPORT_FILE).write_text(page, encoding="utf-8")
    except OSError as error:
        raise RunError(f"cannot write the report to {directory}: {error.strerror}") from error


def _draw(
    evaluations: Sequence[Evaluation],
    test: LabelledImages,
    histories: Mapping[str, Sequence[Epoch]],
) -> dict[str, Figure]:
    return {
        "roc": plots.roc(evaluations),
        "precision_recall": plots.precision_recall(evaluations),
        "reliability": plots.reliability(evaluations),
        "confusion": plots.confusion(evaluations),
        "worst_errors": plots.worst_errors(evaluations[-1], test),
        **{
            f"training_{name}": plots.training_curves(name, history)
            for name, history in histories.items()
        },
    }


def _save(figure: Figure, path: Path) -> str:
    """Write a PNG, and return it base64-encoded for HTML."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DOTS_PER_INCH)
    path.write_bytes(buffer.getvalue())
    return base64.b64encode(buffer.getvalue()).decode()


def _write_predictions(
    directory: Path, evaluations: Sequence[Evaluation], test: LabelledImages
) -> None:
    """Write each image's class and each model's probability of COVID."""
    table = pd.DataFrame(
        {
            "file": test.files,
            "class": [CLASS_NAMES[label] for label in test.labels],
            **{each.name: positive(each.probabilities) for each in evaluations},
        }
    )
    table.to_csv(directory / PREDICTIONS_FILE, index=False)


def _write_metrics(
    directory: Path,
    evaluations: Sequence[Evaluation],
    dataset: Mapping[str, Any],
    leakage: Baselines | None,
    histories: Mapping[str, Sequence[Epoch]],
    *,
    demo: bool,
) -> None:
    best = _best_accuracy(evaluations)
    content = {
        "demo": demo,
        "dataset": dataset,
        "models": {each.name: each.describe() for each in evaluations},
        "training_seconds": _training_seconds(histories),
        "split_leaks": leakage and leakage.leaks(best),
        "grey_levels_suffice": leakage and leakage.grey_levels_suffice(best),
    }
    text = json.dumps(content, indent=2, sort_keys=True)
    (directory / METRICS_FILE).write_text(text + "\n")


def _render(
    evaluations: Sequence[Evaluation],
    dataset: Mapping[str, Any],
    leakage: Baselines | None,
    histories: Mapping[str, Sequence[Epoch]],
    images: Mapping[str, str],
    *,
    demo: bool,
) -> str:
    best = _best_accuracy(evaluations)
    environment = Environment(
        loader=PackageLoader("trainer.evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(
        evaluations=evaluations,
        metrics=list(evaluations[0].estimates),
        dataset=dataset,
        split=dataset.get("split"),
        runs=dataset.get("runs", []),
        learned_from=dataset.get("learned_from", {}),
        leakage=leakage,
        duplicates=leakage.duplicates if isinstance(leakage, LeakageReport) else [],
        leaks=leakage and leakage.leaks(best),
        grey_levels_suffice=leakage and leakage.grey_levels_suffice(best),
        training_seconds=_training_seconds(histories),
        images=images,
        demo=demo,
    )


def _training_seconds(histories: Mapping[str, Sequence[Epoch]]) -> dict[str, float]:
    return {
        name: sum(epoch["duration_seconds"] for epoch in history)
        for name, history in histories.items()
    }


def _best_accuracy(evaluations: Sequence[Evaluation]) -> float:
    return max(each.metrics["accuracy"] for each in evaluations)
