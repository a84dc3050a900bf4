"""``covidscan cross-validate`` evaluates the test sets of several runs together."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from covidscan.main import app
from trainer.dataset.description import describe_dataset
from trainer.dataset.images import list_dataset, load_images
from trainer.dataset.leakage import report_leakage
from trainer.dataset.split import split_dataset
from trainer.dataset.split_options import SplitOptions
from trainer.demo.dataset import write_phantoms
from trainer.evaluation.evaluation import evaluate
from trainer.evaluation.report import write_report

FOLDS = 5


@pytest.fixture(scope="module")
def dataset_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("dataset")
    write_phantoms(directory, seed=0, per_class=20)
    return directory


@pytest.fixture(scope="module")
def finished_runs(dataset_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one training run per fold, of models that answer at random."""
    root = tmp_path_factory.mktemp("runs")
    data = load_images(list_dataset(dataset_dir))
    rng = np.random.default_rng(0)
    for fold in range(FOLDS):
        options = SplitOptions(kind="blocks", fold=fold)
        split = split_dataset(data, options)
        leakage = report_leakage(split)
        dataset = describe_dataset(data, options, split, leakage)
        covid = rng.random((2, len(split.test)))
        evaluations = [
            evaluate(name, np.stack([each, 1 - each], axis=1), split.test.labels)
            for name, each in zip(("vgg16", "ensemble"), covid, strict=True)
        ]
        directory = root / f"fold-{fold}"
        write_report(directory, evaluations, split.test, dataset=dataset, leakage=leakage)
    return root


@pytest.fixture
def runs(finished_runs: Path, tmp_path: Path) -> list[Path]:
    """The runs, in a copy that a test may change."""
    shutil.copytree(finished_runs, tmp_path, dirs_exist_ok=True)
    return [tmp_path / f"fold-{fold}" for fold in range(FOLDS)]


def pool(dataset_dir: Path, runs: list[Path], *options: str) -> Result:
    arguments = [
        "cross-validate",
        *map(str, runs),
        f"--dataset={dataset_dir}",
        "--run-dir=pooled",
        *options,
    ]
    return CliRunner().invoke(app, arguments)


def test_every_image_of_the_dataset_is_evaluated_once(dataset_dir: Path, runs: list[Path]):
    result = pool(dataset_dir, runs)
    assert result.exit_code == 0, result.output
    metrics = json.loads(Path("pooled/metrics.json").read_text())
    tables = [pd.read_csv(run / "predictions.csv") for run in runs]
    together = pd.concat(tables)
    assert len(together) == metrics["dataset"]["images"] == 40
    for name in ("vgg16", "ensemble"):
        right = (together[name] >= 0.5) == (together["class"] == "COVID")
        assert metrics["models"][name]["metrics"]["accuracy"]["value"] == pytest.approx(
            right.mean()
        )
    assert [fold["split"]["fold"] for fold in metrics["dataset"]["runs"]] == list(range(FOLDS))


def test_baselines_are_averaged_over_all_test_sets(dataset_dir: Path, runs: list[Path]):
    assert pool(dataset_dir, runs).exit_code == 0
    metrics = json.loads(Path("pooled/metrics.json").read_text())
    folds = [json.loads((run / "metrics.json").read_text())["dataset"]["leakage"] for run in runs]
    nearest = np.mean([fold["nearest_neighbour_accuracy"] for fold in folds])
    best = max(model["metrics"]["accuracy"]["value"] for model in metrics["models"].values())
    assert metrics["split_leaks"] == (best < nearest + 0.05)
    assert (
        f"right on\n{100 * nearest:.1f} % of the test images"
        in Path("pooled/report.html").read_text()
    )


def test_known_patients_change_the_intervals(dataset_dir: Path, runs: list[Path]):
    files = load_images(list_dataset(dataset_dir)).files
    rows = [f"{file},{index // 10}" for index, file in enumerate(files)]
    Path("patients.csv").write_text("\n".join(["file,patient", *rows]))
    assert pool(dataset_dir, runs).exit_code == 0
    by_image = json.loads(Path("pooled/metrics.json").read_text())
    result = pool(dataset_dir, runs, "--groups=patients.csv", "--run-dir=by-patient")
    assert result.exit_code == 0, result.output
    by_patient = json.loads(Path("by-patient/metrics.json").read_text())
    one, other = (
        found["models"]["ensemble"]["metrics"]["accuracy"] for found in (by_image, by_patient)
    )
    assert one["value"] == other["value"]
    assert (one["low"], one["high"]) != (other["low"], other["high"])


def test_an_image_in_two_test_sets_is_named(dataset_dir: Path, runs: list[Path]):
    result = pool(dataset_dir, [runs[0], runs[0]])
    assert result.exit_code == 2
    assert "was tested in two of the runs; give each a different --fold" in result.stderr


def test_runs_of_different_models_are_rejected(dataset_dir: Path, runs: list[Path]):
    path = runs[1] / "predictions.csv"
    path.write_text(path.read_text().replace("vgg16", "xception", 1))
    result = pool(dataset_dir, runs)
    assert result.exit_code == 2
    assert "has other models than" in result.stderr


def test_runs_of_another_dataset_are_rejected(runs: list[Path], tmp_path: Path):
    write_phantoms(tmp_path / "other", seed=1, per_class=20)
    result = pool(tmp_path / "other", runs)
    assert result.exit_code == 2
    assert "was trained on another dataset" in result.stderr


def test_a_folder_without_a_finished_run_is_named(dataset_dir: Path, runs: list[Path]):
    (runs[2] / "predictions.csv").unlink()
    result = pool(dataset_dir, runs)
    assert result.exit_code == 2
    assert "fold-2 holds no finished run" in result.stderr


def test_a_report_of_published_models_is_not_a_fold(dataset_dir: Path, runs: list[Path]):
    path = runs[3] / "metrics.json"
    metrics = json.loads(path.read_text())
    del metrics["dataset"]["leakage"]
    path.write_text(json.dumps(metrics))
    result = pool(dataset_dir, runs)
    assert result.exit_code == 2
    assert "fold-3 holds no training run" in result.stderr
