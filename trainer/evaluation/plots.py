"""The plots of a report, as matplotlib figures."""

import textwrap
from collections.abc import Sequence
from typing import Final

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.calibration import calibration_curve
from sklearn.metrics import precision_recall_curve, roc_curve

from serving.contract import CLASS_NAMES, NEGATIVE_CLASS, POSITIVE_CLASS
from trainer.dataset.images import LabelledImages
from trainer.evaluation.evaluation import Evaluation
from trainer.evaluation.metrics import CALIBRATION_BINS, is_positive, positive
from trainer.training.checkpoint import Epoch

_WORST_ERRORS: Final = 16
_TITLE_CHARACTERS: Final = 40


def training_curves(name: str, history: Sequence[Epoch]) -> Figure:
    """Plot loss and accuracy of every epoch, in training and in validation."""
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    epochs = np.arange(1, len(history) + 1)
    for axes, measured in ((left, "loss"), (right, "accuracy")):
        axes.plot(epochs, [epoch[measured] for epoch in history], label="training")
        axes.plot(epochs, [epoch[f"val_{measured}"] for epoch in history], label="validation")
        axes.set(xlabel="epoch", ylabel=measured)
        axes.legend()
    figure.suptitle(name)
    return figure


def roc(evaluations: Sequence[Evaluation]) -> Figure:
    """Plot ROC curves, with the operating points marked."""
    figure, axes = _square()
    for each in evaluations:
        false_alarms, found, _ = roc_curve(is_positive(each.labels), positive(each.probabilities))
        area = each.estimates["auroc"].value
        (line,) = axes.plot(false_alarms, found, label=f"{each.name}, AUROC {area:.3f}")
        point = each.at_operating_point
        axes.plot(1 - point["specificity"], point["sensitivity"], "o", color=line.get_color())
    axes.plot([0, 1], [0, 1], linestyle=":", color="grey")
    axes.set(xlabel="1 - specificity", ylabel="sensitivity", title="ROC")
    axes.legend(loc="lower right")
    return figure


def precision_recall(evaluations: Sequence[Evaluation]) -> Figure:
    """Plot precision over sensitivity."""
    figure, axes = _square()
    for each in evaluations:
        precision, found, _ = precision_recall_curve(
            is_positive(each.labels), positive(each.probabilities)
        )
        average = each.estimates["average_precision"].value
        axes.plot(found, precision, label=f"{each.name}, average {average:.3f}")
    axes.set(xlabel="sensitivity", ylabel="precision", title="Precision and recall")
    axes.legend(loc="lower left")
    return figure


def reliability(evaluations: Sequence[Evaluation]) -> Figure:
    """Plot the frequency of COVID against its predicted probability."""
    figure, axes = _square()
    for each in evaluations:
        frequency, mean = calibration_curve(
            is_positive(each.labels), positive(each.probabilities), n_bins=CALIBRATION_BINS
        )
        error = each.estimates["ece"].value
        axes.plot(mean, frequency, marker="o", label=f"{each.name}, ECE {error:.3f}")
    axes.plot([0, 1], [0, 1], linestyle=":", color="grey")
    axes.set(
        xlabel=f"probability of {POSITIVE_CLASS}",
        ylabel=f"share of {POSITIVE_CLASS}",
        title="Reliability",
    )
    axes.legend(loc="upper left")
    return figure


def confusion(evaluations: Sequence[Evaluation]) -> Figure:
    """Plot confusion matrices at each model's operating point."""
    figure = Figure(figsize=(3 * len(evaluations), 3.4), layout="constrained")
    for axes, each in zip(
        np.atleast_1d(figure.subplots(1, len(evaluations))), evaluations, strict=True
    ):
        counts = each.confusion
        table = np.array(
            [
                [counts.true_positives, counts.false_negatives],
                [counts.false_positives, counts.true_negatives],
            ]
        )
        sns.heatmap(
            table,
            annot=True,
            fmt="d",
            cmap="Blues",
            vmin=0,
            square=True,
            cbar=False,
            xticklabels=[POSITIVE_CLASS, NEGATIVE_CLASS],
            yticklabels=[POSITIVE_CLASS, NEGATIVE_CLASS],
            ax=axes,
        )
        axes.set(
            xlabel="predicted",
            ylabel="true",
            title=f"{each.name}, from {each.operating_point:.2f}",
        )
    return figure


def worst_errors(evaluation: Evaluation, test: LabelledImages) -> Figure:
    """Show the images with a model's largest errors, as the model sees them."""
    score = positive(evaluation.probabilities)
    truth = is_positive(evaluation.labels)
    wrongness = np.abs(score - truth)
    worst = [index for index in np.argsort(-wrongness, kind="stable") if wrongness[index] > 1 / 2][
        :_WORST_ERRORS
    ]
    rows = max(1, -(-len(worst) // 8))
    figure = Figure(figsize=(13, 2.1 * rows + 0.4), layout="constrained")
    figure.suptitle(f"{evaluation.name}: the worst of {int((wrongness > 1 / 2).sum())} errors")
    for place, index in enumerate(worst):
        axes = figure.add_subplot(rows, 8, place + 1)
        axes.imshow(test.images[index])
        axes.set_axis_off()
        name = CLASS_NAMES[test.labels[index]]
        file = "\n".join(textwrap.wrap(test.files[index], _TITLE_CHARACTERS))
        # Dollar signs in a file name do not start a formula.
        axes.set_title(
            f"{file}\n{name}, P({POSITIVE_CLASS}) {score[index]:.2f}", size=6, parse_math=False
        )
    return figure


def _square() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    return figure, axes
