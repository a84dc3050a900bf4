"""The gateway reads each model card once, and a hanging volume delays it only briefly."""

import asyncio
import threading
from pathlib import Path

import pytest

from api.prediction.model_cards import ModelCards
from serving.volume.model_card import CARD_PATH, ModelCard
from system.deadlines import DeadlineThreads
from tests.service_process import wait_until
from tests.special_files import SPECIAL_FILES, replace_by
from tests.stand_ins import Clock

pytestmark = pytest.mark.timeout(60)

CARD = ModelCard(name="vgg16", demo=True, created_at="2026-01-01T00:00:00+00:00", metrics={})


class CountedReads:
    """Counts the reads of cards; while the gate is closed, no read returns."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.gate = threading.Event()
        self.gate.set()
        self._read = ModelCard.read
        monkeypatch.setattr(ModelCard, "read", self)

    def __call__(self, version_dir: Path) -> ModelCard:
        self.count += 1
        self.gate.wait()
        return self._read(version_dir)


@pytest.fixture
def version_dir(tmp_path: Path) -> Path:
    version_dir = tmp_path / "vgg16" / "1"
    version_dir.mkdir(parents=True)
    return version_dir


async def test_concurrent_requests_read_a_card_only_once(
    tmp_path: Path, version_dir: Path, monkeypatch: pytest.MonkeyPatch
):
    CARD.write(version_dir)
    reads = CountedReads(monkeypatch)
    cards = ModelCards(tmp_path)
    first, *others = [asyncio.create_task(cards.get("vgg16", 1)) for _ in range(20)]
    await asyncio.sleep(0)
    first.cancel()
    assert await asyncio.gather(*others) == [CARD] * 19
    assert await cards.get("vgg16", 1) == CARD
    assert reads.count == 1


async def test_a_missing_card_is_looked_for_only_once_a_second(
    tmp_path: Path, version_dir: Path, monkeypatch: pytest.MonkeyPatch
):
    reads, clock = CountedReads(monkeypatch), Clock()
    cards = ModelCards(tmp_path, clock=clock)
    for _ in range(5):
        assert await cards.get("vgg16", 1) is None
    assert reads.count == 1
    CARD.write(version_dir)
    clock.now = 1.0
    assert await cards.get("vgg16", 1) == CARD


@pytest.mark.parametrize("kind", SPECIAL_FILES)
async def test_a_special_file_is_not_a_card(tmp_path: Path, version_dir: Path, kind: str):
    (version_dir / CARD_PATH).parent.mkdir()
    replace_by(kind, version_dir / CARD_PATH)
    assert await ModelCards(tmp_path).get("vgg16", 1) is None


async def test_after_a_timeout_the_volume_is_not_read_again_for_a_while(
    tmp_path: Path, version_dir: Path, monkeypatch: pytest.MonkeyPatch
):
    CARD.write(version_dir)
    reads, clock = CountedReads(monkeypatch), Clock()
    cards = ModelCards(tmp_path, clock=clock)
    try:
        reads.gate.clear()
        cards._threads = DeadlineThreads("card", threads=4, seconds=0.05)
        for clock.now in (0.0, 1.0, 9.0):
            assert await cards.get("vgg16", 1) is None
        wait_until(lambda: reads.count > 0)
        assert reads.count == 1
        reads.gate.set()
        cards._threads = DeadlineThreads("card", threads=4, seconds=30)
        clock.now = 11.0
        assert await cards.get("vgg16", 1) == CARD
    finally:
        reads.gate.set()
