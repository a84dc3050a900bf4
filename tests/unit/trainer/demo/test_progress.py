"""How far the demo models are, and how long it will take."""

import pytest

from tests.stand_ins import Clock
from trainer.demo.progress import DemoProgress, progress_of_all

NAMES = ("resnet50", "xception", "vgg16")


@pytest.fixture
def told() -> list[DemoProgress]:
    return []


def test_the_share_grows_to_one_over_all_models(told: list[DemoProgress]):
    clock = Clock()
    tell = progress_of_all(NAMES, told.append, clock)
    for name in NAMES:
        for share in (0.25, 0.5, 1.0):
            clock.now += 10
            tell(name, share)
    shares = [progress.share for progress in told]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    assert told[-1].remaining_seconds == pytest.approx(0)
    assert told[-1].next_model_seconds == pytest.approx(0)


def test_what_remains_is_as_slow_as_what_is_done(told: list[DemoProgress]):
    clock = Clock()
    tell = progress_of_all(["vgg16"], told.append, clock)
    clock.now += 30
    tell("vgg16", 0.25)
    assert told == [DemoProgress(0.25, pytest.approx(90), pytest.approx(90))]


def test_the_next_model_is_ready_before_all_are(told: list[DemoProgress]):
    clock = Clock()
    tell = progress_of_all(NAMES, told.append, clock)
    clock.now += 10
    tell("resnet50", 0.5)
    assert 0 < told[0].next_model_seconds < told[0].remaining_seconds


def test_before_anything_is_done_nothing_is_guessed(told: list[DemoProgress]):
    progress_of_all(NAMES, told.append, Clock())("resnet50", 0.0)
    assert told == []
