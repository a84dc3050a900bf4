"""``covidscan evaluate`` measures published versions as they are served."""

import json
import os
import shutil
import unicodedata
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from covidscan.main import app
from serving import volume
from serving.contract import CLASS_NAMES, MODEL_NAMES
from serving.volume.model_card import ModelCard
from trainer.dataset.images import list_dataset, load_images
from trainer.dataset.training_images import write_training_images
from trainer.demo.dataset import write_phantoms


@pytest.fixture(scope="module")
def dataset_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("dataset")
    write_phantoms(directory, seed=0, per_class=20)
    return directory


@pytest.fixture
def models_dir(tiny_volume: Path) -> Path:
    for name in MODEL_NAMES:
        card = ModelCard(
            name=name, demo=True, created_at="2026-11-24", metrics={}, operating_point=0.25
        )
        card.write(volume.version_dir(tiny_volume, name, 1))
    return tiny_volume


def evaluate(dataset_dir: Path, models_dir: Path, *options: str) -> Result:
    return CliRunner().invoke(
        app,
        [
            "evaluate",
            f"--dataset={dataset_dir}",
            f"--models-dir={models_dir}",
            "--run-dir=run",
            *options,
        ],
    )


def metrics() -> dict:
    return json.loads(Path("run/metrics.json").read_text())


def test_every_published_model_and_the_ensemble_are_evaluated(dataset_dir: Path, models_dir: Path):
    result = evaluate(dataset_dir, models_dir)
    assert result.exit_code == 0, result.output
    measured = metrics()
    assert set(measured["models"]) == {*MODEL_NAMES, "ensemble"}
    assert measured["dataset"]["images"] == 40
    assert measured["demo"] is True
    assert [measured["models"][name]["operating_point"] for name in ("vgg16", "ensemble")] == [
        0.25,
        0.5,
    ]
    assert Path("run/report.html").is_file()


def test_the_newest_version_is_evaluated(dataset_dir: Path, models_dir: Path):
    for name in MODEL_NAMES:
        (models_dir / name / "1").rename(models_dir / name / "7")
    assert evaluate(dataset_dir, models_dir, "--model=xception").exit_code == 0
    assert {name: model["version"] for name, model in metrics()["models"].items()} == {
        "xception": 7
    }


def test_only_listed_images_are_evaluated(dataset_dir: Path, models_dir: Path, tmp_path: Path):
    names = [
        f"{folder.name}/{file.name}"
        for folder in sorted(dataset_dir.iterdir())
        for file in sorted(folder.iterdir())[:3]
    ]
    (tmp_path / "list.txt").write_text("\n".join(names))
    options = ("--files=list.txt", "--operating-point=0.000001")
    assert evaluate(dataset_dir, models_dir, *options).exit_code == 0
    confusion = metrics()["models"]["ensemble"]["at_operating_point"]["confusion"]
    assert confusion["true_positives"] == confusion["false_positives"] == 3


def test_training_images_of_a_model_are_counted(dataset_dir: Path, models_dir: Path):
    data = load_images(list_dataset(dataset_dir))
    write_training_images(volume.version_dir(models_dir, "vgg16", 1), data)
    assert evaluate(dataset_dir, models_dir).exit_code == 0
    assert metrics()["dataset"]["learned_from"] == {"vgg16 1": 40, "resnet50 1": 0, "xception 1": 0}
    assert "vgg16 1 learned from 40 of these images" in Path("run/report.html").read_text()


def test_unusual_file_names_are_read_and_contradictions_are_reported(
    dataset_dir: Path, models_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    odd = tmp_path / "odd"
    for name in CLASS_NAMES:
        shutil.copytree(dataset_dir / name, odd / name / "[hospital]$^$" / "Müller")
    first, second = sorted((odd / "COVID" / "[hospital]$^$" / "Müller").iterdir())[:2]
    first.rename(first.with_name(os.fsdecode(b"caf\xe9.png")))
    shutil.copy(second, odd / "non-COVID" / "same.png")
    data = load_images(list_dataset(odd))
    rows = [f"{unicodedata.normalize('NFD', file)},{n // 2}" for n, file in enumerate(data.files)]
    (tmp_path / "patients.csv").write_text("file,patient\n" + "\n".join(rows))
    result = evaluate(odd, models_dir, "--model=vgg16", f"--groups={tmp_path / 'patients.csv'}")
    assert result.exit_code == 0, result.output
    files = pd.read_csv("run/predictions.csv")["file"].tolist()
    assert r"COVID/[hospital]$^$/Müller/caf\xe9.png" in files
    assert len(files) == 41
    pair = [f"COVID/[hospital]$^$/Müller/{second.name}", "non-COVID/same.png"]
    assert metrics()["dataset"]["contradictions"] == {"exact": 1, "near": 0, "pairs": [pair]}
    assert "1 pairs of equal images have different classes" in caplog.text
    assert f"<code>{pair[0]}</code>" in Path("run/report.html").read_text(encoding="utf-8")


def test_a_volume_without_models_is_reported_in_one_line(dataset_dir: Path, tmp_path: Path):
    result = evaluate(dataset_dir, tmp_path / "empty")
    assert result.exit_code == 2
    assert "holds no models; train them first" in result.stderr


def test_a_missing_model_is_named(dataset_dir: Path, models_dir: Path):
    (models_dir / "vgg16" / "1").rename(models_dir / "elsewhere")
    result = evaluate(dataset_dir, models_dir, "--model=vgg16")
    assert result.exit_code == 2
    assert "holds no version of vgg16" in result.stderr


def test_a_damaged_version_is_reported_in_one_line(dataset_dir: Path, models_dir: Path):
    (models_dir / "vgg16" / "1" / "saved_model.pb").write_bytes(b"damaged")
    result = evaluate(dataset_dir, models_dir)
    assert result.exit_code == 2
    assert "as binary proto" in result.stderr
