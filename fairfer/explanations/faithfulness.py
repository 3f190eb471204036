"""Checks of attribution maps: whether the pixels matter, whether the weights matter, and whether methods agree.

* `perturbation`: deletion and insertion curves (Petsiuk et al. 2018), beside a random order of the pixels;
* `randomization`: how similar maps stay when the weights of the network are random (Adebayo et al. 2018, Sanity checks for
  saliency maps);
* `agreement`: rank correlation of the maps of two methods.

None of them proves that a map is correct. Do not interpret maps whose pixels matter no more than random ones, or that stay
similar with random weights.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fairfer.errors import ModelError, UsageError
from fairfer.explanations.attribution import check_targets
from fairfer.explanations.methods import FACTORIES, make_method
from fairfer.explanations.methods.black_box import Asked, blended, filled
from fairfer.explanations.placing import on_grid, place
from fairfer.models.differentiable import HasGradients

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairfer.explanations.attribution import Maps, Method

CONFIDENCE = 0.95

GRID = 24
"""Rows and columns of the grid over the image on which maps of different resolutions are compared."""

ENOUGH = 2
"""Fewest values for an interval."""


@dataclass(frozen=True)
class Mean:
    """A mean over faces with its 95 % confidence interval (Student's t; faces count as independent).

    Attributes
    ----------
    value, low, high
        ``None`` where there are too few faces.
    n
        Faces with a value.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Mean:
        """Of an array; NaN is left out."""
        from scipy.special import stdtrit

        known = values[np.isfinite(values)]
        n = len(known)
        if not n:
            return cls(None, None, None, 0)
        mean = float(known.mean())
        if n < ENOUGH:
            return cls(mean, None, None, n)
        half = float(stdtrit(n - 1, (1 + CONFIDENCE) / 2) * known.std(ddof=1) / np.sqrt(n))
        return cls(mean, mean - half, mean + half, n)


@dataclass(frozen=True, eq=False)
class Perturbation:
    """Deletion and insertion curves.

    Attributes
    ----------
    shares
        (points,): shares of the pixels that are covered (deletion) or uncovered (insertion), from 0 to 1.
    deletion, insertion
        (n, points): score of the label when the most relevant pixels are covered, or uncovered, first.
    random_deletion, random_insertion
        Likewise in a random order.
    """

    shares: NDArray[np.float64]
    deletion: NDArray[np.float64]
    insertion: NDArray[np.float64]
    random_deletion: NDArray[np.float64]
    random_insertion: NDArray[np.float64]

    def area(self, curve: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n,): area under each curve, by the trapezoidal rule."""
        return np.asarray(np.trapezoid(curve, self.shares, axis=1))

    @property
    def deletion_gain(self) -> Mean:
        """How much smaller the area under the deletion curve is than in random order: positive is better than random."""
        return Mean.of(self.area(self.random_deletion) - self.area(self.deletion))

    @property
    def insertion_gain(self) -> Mean:
        """How much larger the area under the insertion curve is than in random order: positive is better than random."""
        return Mean.of(self.area(self.insertion) - self.area(self.random_insertion))


def perturbation(
    method: Method,
    images: Sequence[NDArray[np.uint8]],
    targets: Sequence[int],
    *,
    maps: Maps | None = None,
    steps: int = 10,
    fill: str = "mean",
    seed: int = 0,
) -> Perturbation:
    """Cover and uncover the pixels of each image in the order of its map, and in a random order.

    Parameters
    ----------
    method, images, targets
        What is checked.
    maps
        The method's maps of these images and targets, where they are known already.
    steps
        Steps from nothing to everything covered.
    fill
        One of `fairfer.explanations.methods.black_box.FILLS`.
    seed
        Of the random orders, and of the order of pixels with equal relevance.

    Raises
    ------
    UsageError
        When `maps` has another number of images, or there are no steps.
    """
    if steps < 1:
        message = f"{steps} steps make no curve; give at least 1"
        raise UsageError(message)
    asked = Asked(method.model)
    positions = check_targets(images, targets, asked.labels)
    found = method.maps(images, targets) if maps is None else maps
    if len(found) != len(images):
        message = f"there are {len(found)} maps for {len(images)} images; give one for each"
        raise UsageError(message)
    rng = np.random.default_rng(seed)
    shares = np.linspace(0, 1, steps + 1)
    curves = np.empty((2, 2, len(images), len(shares)))
    for i, image in enumerate(images):
        random = rng.permutation(image.shape[0] * image.shape[1])
        relevance = place(found.values[i], found.frames[i], (image.shape[0], image.shape[1]), (image.shape[0], image.shape[1]))
        # Random among equals; pixels that the map does not cover come last.
        order = random[np.argsort(-np.nan_to_num(relevance.ravel()[random], nan=-np.inf), kind="stable")]
        for j, pixels in enumerate((order, random)):
            for k, changed in enumerate((_covered, _uncovered)):
                curves[j, k, i] = asked.scores(changed(image, fill, pixels, shares), np.full(len(shares), positions[i]))
        if not np.isfinite(found.values[i]).all():
            curves[:, :, i] = np.nan
    return Perturbation(shares, curves[0, 0], curves[0, 1], curves[1, 0], curves[1, 1])


def _covered(
    image: NDArray[np.uint8], fill: str, order: NDArray[np.intp], shares: NDArray[np.float64]
) -> Iterator[NDArray[np.uint8]]:
    """The image with a growing share of its pixels covered."""
    cover = filled(image, fill)
    for share in shares:
        visible = np.ones(len(order), bool)
        visible[order[: round(share * len(order))]] = False
        yield blended(image, cover, visible.reshape(image.shape[:2]))


def _uncovered(
    image: NDArray[np.uint8], fill: str, order: NDArray[np.intp], shares: NDArray[np.float64]
) -> Iterator[NDArray[np.uint8]]:
    """The covered image with a growing share of its pixels uncovered."""
    yield from _covered(image, fill, order[::-1], 1 - shares)


@dataclass(frozen=True, eq=False)
class Randomization:
    """Similarity of maps before and after the weights were made random.

    Attributes
    ----------
    stages
        Layers whose weights were made random, from the output to the input, each in addition to those before it; ``("all",)``
        when all were at once.
    signed, absolute
        (stages, n): Spearman's rank correlation over the pixels of the maps, and of their absolute values. Near 0: the map
        depends on the weights. Near 1 (or -1: a random logit may have the other sign): it does not. Where a method multiplies
        by the input, as integrated gradients do, the absolute values follow the input whatever the weights are.
    """

    stages: tuple[str, ...]
    signed: NDArray[np.float64]
    absolute: NDArray[np.float64]

    @property
    def final(self) -> Mean:
        """Mean size of the correlation, up to its sign, when all weights are random."""
        return Mean.of(np.abs(self.signed[-1]))

    @property
    def final_absolute(self) -> Mean:
        """Mean correlation of the absolute values when all weights are random."""
        return Mean.of(self.absolute[-1])


def randomization(
    method: Method,
    images: Sequence[NDArray[np.uint8]],
    targets: Sequence[int],
    *,
    maps: Maps | None = None,
    cascading: bool = False,
    seed: int = 0,
) -> Randomization:
    """Compare the maps of a model with those of the same network with random weights.

    Parameters
    ----------
    method, images, targets, maps
        As of `perturbation`.
    cascading
        Make one layer after the other random, from the output to the input, instead of all at once.
    seed
        Of the weights.

    Raises
    ------
    ModelError
        When the model does not offer its network.
    UsageError
        When the method is not one of `fairfer.explanations.methods`.
    """
    model = method.model
    if not isinstance(model, HasGradients):
        message = (
            f"the model {model.name} does not offer its network, so its weights cannot be made random; leave out this check"
        )
        raise ModelError(message)
    if method.name not in FACTORIES:
        message = f"the method {method.name} cannot be made for another network; use one of {', '.join(FACTORIES)}"
        raise UsageError(message)
    network = model.differentiable()
    from fairfer.explanations.methods.pytorch.randomized import RandomModel, randomize, weight_layers

    before = (method.maps(images, targets) if maps is None else maps).values
    layers = weight_layers(network.module)
    stages = [layers[: i + 1] for i in range(len(layers))] if cascading else [layers]
    signed, absolute = [], []
    for stage in stages:
        other = make_method(method.name, RandomModel(model, randomize(network, stage, seed)), **method.options)
        after = other.maps(images, targets).values
        signed.append(rank_correlations(before, after))
        absolute.append(rank_correlations(np.abs(before), np.abs(after)))
    names = tuple(stage[-1] for stage in stages) if cascading else ("all",)
    return Randomization(names, np.stack(signed), np.stack(absolute))


@dataclass(frozen=True, eq=False)
class Agreement:
    """Agreement of two methods.

    Attributes
    ----------
    methods
        Their names.
    correlations
        (n,): Spearman's rank correlation of the positive parts of the two maps of a face; NaN where one is constant.
    """

    methods: tuple[str, str]
    correlations: NDArray[np.float64]

    @property
    def mean(self) -> Mean:
        """Mean over the faces."""
        return Mean.of(self.correlations)


def agreement(maps: Mapping[str, Maps], images: Sequence[NDArray[np.uint8]], *, side: int = GRID) -> list[Agreement]:
    """Compare the maps of every two methods, on one grid over each image.

    Parameters
    ----------
    maps
        Maps of the same images and targets, by the name of the method.
    images
        The images.
    side
        Rows and columns of the grid. Cells outside of the frame of a map count as without relevance.
    """
    placed = {name: np.nan_to_num(on_grid(each, images, side)).clip(min=0) for name, each in maps.items()}
    undefined = {name: ~np.isfinite(each.values).all(axis=(1, 2)) for name, each in maps.items()}
    results = []
    for one, other in itertools.combinations(maps, 2):
        correlations = rank_correlations(placed[one], placed[other])
        correlations[undefined[one] | undefined[other]] = np.nan
        results.append(Agreement((one, other), correlations))
    return results


def rank_correlations(one: NDArray[np.floating], other: NDArray[np.floating]) -> NDArray[np.float64]:
    """(n,): Spearman's rank correlation of the pixels of each pair of maps, with mean ranks for ties.

    Parameters
    ----------
    one, other
        (n, height, width).

    Returns
    -------
    array
        NaN where a map is constant or has NaN.
    """
    from scipy.stats import rankdata

    ranks = []
    for maps in (one, other):
        flat = np.reshape(maps, (len(maps), -1))
        rank = rankdata(np.nan_to_num(flat), axis=1)
        rank[~np.isfinite(flat).all(axis=1)] = np.nan
        ranks.append(rank - rank.mean(axis=1, keepdims=True))
    a, b = ranks
    scale = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    correlations = np.full(len(a), np.nan)
    np.divide((a * b).sum(axis=1), scale, out=correlations, where=scale > 0)
    return correlations
