"""The progress and the remaining time of training the demo models."""

import pytest

from serving.training_progress import TrainingProgress
from tests.stand_ins import Clock
from trainer.demo.progress import progress_of_all

NAMES = ("resnet50", "xception", "vgg16")


@pytest.fixture
def reported() -> list[TrainingProgress]:
    return []


def test_the_share_grows_to_1_over_all_models(reported: list[TrainingProgress]):
    clock = Clock()
    report = progress_of_all(NAMES, reported.append, clock)
    for name in NAMES:
        for share in (0.25, 0.5, 1.0):
            clock.now += 10
            report(name, share)
    shares = [progress.share for progress in reported]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    assert reported[-1].remaining_seconds == pytest.approx(0)
    assert reported[-1].next_model_seconds == pytest.approx(0)


def test_the_remaining_time_is_extrapolated_from_the_work_done(reported: list[TrainingProgress]):
    clock = Clock()
    report = progress_of_all(["vgg16"], reported.append, clock)
    clock.now += 30
    report("vgg16", 0.25)
    assert reported == [TrainingProgress(0.25, pytest.approx(90), pytest.approx(90))]


def test_the_next_model_is_expected_before_the_last(reported: list[TrainingProgress]):
    clock = Clock()
    report = progress_of_all(NAMES, reported.append, clock)
    clock.now += 10
    report("resnet50", 0.5)
    assert 0 < reported[0].next_model_seconds < reported[0].remaining_seconds


def test_nothing_is_reported_before_any_work_is_done(reported: list[TrainingProgress]):
    progress_of_all(NAMES, reported.append, Clock())("resnet50", 0.0)
    assert reported == []
