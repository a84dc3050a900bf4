"""Compares ways to make a saliency map: how well each finds what an image is known to show.

Uses COVID phantoms that the demo models have not learned from, or real images that are correctly
predicted as COVID. Measures for each way:

- pointing: how often the map's maximum lies in an opacity, if its place is known (Zhang 2018);
- energy: how much of the relevance for COVID lies in one (Wang 2020);
- deletion and insertion: the mean probability of COVID while the most relevant pixels are hidden,
  or shown, first (Petsiuk 2018). Low deletion and high insertion are good. A random map is measured
  for comparison;
- sanity: rank correlation with the map of the same networks with shuffled weights, which know
  nothing (Adebayo 2018); near zero is good;
- cost: the number of images to predict.

    python -m benchmarks.saliency --models-dir models --networks runs/…
    python -m benchmarks.saliency --models-dir models --dataset path/to/folder --files test.txt
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import cv2
import keras
import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from api.explanation.explainer import CELLS, DARKEST_OF, MASKS
from api.explanation.perturbation import Masks, darkened, perturbed, random_masks, relevance
from benchmarks.labelled_images import read_labelled
from benchmarks.precision import load, probabilities
from imaging.model_input import IMAGE_SIZE
from imaging.preprocess import preprocess
from serving.contract import DEFAULT_OPERATING_POINT, MODEL_NAMES
from serving.embedded.engine import Engine, LoadedModel
from serving.precision import Precision
from trainer.demo.phantoms import draw_phantom
from trainer.publication.export import save

_SEED: Final = 1_000_003
_STEPS: Final = 16

Image = NDArray[np.float32]
Map = NDArray[np.float64]
Asked = Callable[[NDArray[np.float32]], NDArray[np.float64]]
"""Maps images to the ensemble's probability of COVID."""


@dataclass(frozen=True)
class Way:
    """One way to make a map."""

    name: str
    masks: Masks
    hide: Callable[[Image], Image]

    def map(self, image: Image, ask: Asked) -> Map:
        """Return the map of one image."""
        hidden = self.hide(image)
        images = np.stack([perturbed(image, mask, hidden) for mask in self.masks])
        return relevance(self.masks, ask(images))


@dataclass(frozen=True)
class Sample:
    """An image as the models see it, and the position of its opacities if known."""

    image: Image
    finding: NDArray[np.bool_] | None


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models-dir", type=Path, default=Path("models"))
    parser.add_argument(
        "--networks", type=Path, help="folder of NAME/NAME.keras, for the sanity check"
    )
    parser.add_argument("--dataset", type=Path, help="real images instead of phantoms")
    parser.add_argument(
        "--files", type=Path, help="text file that lists the images to use; default: all"
    )
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--ways", help="only ways with this text in their name")
    arguments = parser.parse_args()
    ask = ensemble([load(arguments.models_dir, name, Precision.BF16) for name in MODEL_NAMES])
    if arguments.dataset:
        samples = _real(arguments.dataset, arguments.files, arguments.images, ask)
    else:
        samples = _phantoms(arguments.images, ask)
    shuffled = _shuffled(arguments.networks) if arguments.networks else None
    sys.stdout.write(
        f"{len(samples)} images that are predicted as COVID{_area(samples)}\n\n"
        "| way | images asked | pointing | energy | deletion | insertion | sanity |\n"
        "|---|---|---|---|---|---|---|\n"
    )
    rng = np.random.default_rng(_SEED)
    _print(
        "at random", 0, samples, [rng.random((IMAGE_SIZE, IMAGE_SIZE)) for _ in samples], ask=ask
    )
    for way in _ways():
        if arguments.ways and arguments.ways not in way.name:
            continue
        maps = [way.map(sample.image, ask) for sample in samples]
        alike = _alike(way, samples, maps, shuffled) if shuffled else ""
        _print(way.name, len(way.masks), samples, maps, ask=ask, alike=alike)


def ensemble(models: Sequence[LoadedModel]) -> Asked:
    """Return a function that averages the models' probabilities."""
    return lambda images: np.mean(
        [probabilities(model, images) for model in models], axis=0, dtype=float
    )


def _phantoms(count: int, ask: Asked) -> list[Sample]:
    size = (IMAGE_SIZE, IMAGE_SIZE)
    found = []
    for number in range(count):
        phantom = draw_phantom(np.random.default_rng([_SEED, number]), covid=True)
        image = preprocess(np.repeat(phantom.pixels[..., None], 3, 2))
        finding = phantom.finding.astype(np.float32)
        if ask(image[None])[0] >= DEFAULT_OPERATING_POINT:
            small = cv2.resize(finding, size, interpolation=cv2.INTER_AREA)
            found.append(Sample(image, small >= 0.5))
    return found


def _real(dataset: Path, listed: Path | None, count: int, ask: Asked) -> list[Sample]:
    given = read_labelled(dataset, listed)
    called = ask(given.images) >= DEFAULT_OPERATING_POINT
    right = np.nonzero(called & given.positive)[0]
    # Spread over the whole list: neighbours are often slices of one patient.
    chosen = right[np.linspace(0, len(right) - 1, min(count, len(right))).astype(int)]
    return [Sample(given.images[index], None) for index in chosen]


def _area(samples: Sequence[Sample]) -> str:
    known = [sample.finding.mean() for sample in samples if sample.finding is not None]
    return f"; opacities cover {np.mean(known):.2f} of them" if known else ""


def _ways() -> Iterator[Way]:
    def darkest(side: int) -> Callable[[Image], Image]:
        return partial(darkened, side=side)

    def blurred(image: Image) -> Image:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), 8), np.float32)

    for patch, stride in ((16, 8), (24, 8), (16, 4)):
        yield Way(
            f"squares of {patch}, every {stride}; darkest of 9",
            _squares(patch, stride),
            darkest(DARKEST_OF),
        )
    masks = random_masks(IMAGE_SIZE, count=MASKS, cells=CELLS, seed=0)
    for count in (64, 128, 192, 256, 512):
        yield Way(
            f"{count} random masks; darkest of 9",
            random_masks(IMAGE_SIZE, count=count, cells=CELLS, seed=0),
            darkest(DARKEST_OF),
        )
    for cells in (5, 9):
        yield Way(
            f"192 random masks, {cells} cells; darkest of 9",
            random_masks(IMAGE_SIZE, count=MASKS, cells=cells, seed=0),
            darkest(DARKEST_OF),
        )
    for side in (5, 13):
        yield Way(f"192 random masks; darkest of {side}", masks, darkest(side))
    yield Way("192 random masks; blurred", masks, blurred)
    yield Way("192 random masks; black", masks, np.zeros_like)
    yield Way("192 random masks; the mean", masks, lambda image: np.full_like(image, image.mean()))


def _squares(patch: int, stride: int) -> Masks:
    """Return masks that hide one square each, also across the edges (Zeiler and Fergus 2014)."""
    starts = range(stride - patch, IMAGE_SIZE, stride)
    masks = np.zeros((len(starts) ** 2, IMAGE_SIZE, IMAGE_SIZE), np.float32)
    for mask, (top, left) in zip(masks, ((y, x) for y in starts for x in starts), strict=True):
        mask[max(0, top) : top + patch, max(0, left) : left + patch] = 1
    return masks


def _shuffled(networks: Path) -> Asked:
    """Return the ensemble of the same networks with the values of each tensor shuffled."""
    rng = np.random.default_rng(_SEED)
    models = []
    with tempfile.TemporaryDirectory() as folder:
        for name in MODEL_NAMES:
            network = keras.models.load_model(networks / name / f"{name}.keras", compile=False)
            network.set_weights(
                [
                    rng.permutation(each.ravel()).reshape(each.shape)
                    for each in network.get_weights()
                ]
            )
            save(network, Path(folder) / name)
            models.append(Engine(Precision.F32).load(Path(folder) / name))
    return ensemble(models)


def _alike(way: Way, samples: Sequence[Sample], maps: Sequence[Map], shuffled: Asked) -> str:
    correlations = []
    for sample, found in zip(samples, maps, strict=True):
        other = way.map(sample.image, shuffled)
        # A network that always answers the same has no map to compare with.
        if np.ptp(other) > 0:
            correlations.append(spearmanr(found, other, axis=None).statistic)
    return f"{np.mean(correlations):.2f}" if correlations else "no map"


def _print(
    name: str,
    cost: int,
    samples: Sequence[Sample],
    maps: Sequence[Map],
    *,
    ask: Asked,
    alike: str = "",
) -> None:
    pairs = list(zip(samples, maps, strict=True))
    known = [(sample.finding, found) for sample, found in pairs if sample.finding is not None]
    pointing = (
        f"{np.mean([finding.flat[np.argmax(f)] for finding, f in known]):.2f}" if known else ""
    )
    energy = f"{np.mean([_energy(*each) for each in known]):.2f}" if known else ""
    deletion, insertion = np.mean([_curves(sample, found, ask) for sample, found in pairs], axis=0)
    curves = f"{deletion:.2f} | {insertion:.2f}"
    sys.stdout.write(f"| {name} | {cost} | {pointing} | {energy} | {curves} | {alike} |\n")
    sys.stdout.flush()


def _energy(finding: NDArray[np.bool_], found: Map) -> float:
    positive = np.clip(found, 0, None)
    return float(positive[finding].sum() / max(positive.sum(), 1e-9))


def _curves(sample: Sample, found: Map, ask: Asked) -> tuple[float, float]:
    order = np.argsort(-found, axis=None)
    bare = darkened(sample.image, side=DARKEST_OF)
    deleted, inserted = [], []
    for step in range(_STEPS + 1):
        chosen = np.zeros(found.size, np.float32)
        chosen[order[: step * found.size // _STEPS]] = 1
        mask = chosen.reshape(found.shape)
        deleted.append(perturbed(sample.image, mask, bare))
        inserted.append(perturbed(sample.image, 1 - mask, bare))
    asked = ask(np.stack([*deleted, *inserted]))
    return float(asked[: _STEPS + 1].mean()), float(asked[_STEPS + 1 :].mean())


if __name__ == "__main__":
    main()
