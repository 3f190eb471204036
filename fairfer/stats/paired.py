"""The same samples, read by two models: what changed, and whether by more than chance."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from fairfer.stats.clustered import resampled_sums
from fairfer.stats.intervals import Floats, normal_quantile

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

RESAMPLES = 2000
_CORRECTION = 1.5
"""Samples; one is not quite enough (5.5 % at 700 samples and a loss of .1)."""


def mcnemar(more: ArrayLike, less: ArrayLike) -> Floats:
    """Mid-p McNemar test of whether as many samples changed one way as the other.

    Parameters
    ----------
    more, less
        How many samples are hits of the second model only, and of the first only.

    Returns
    -------
    ndarray
        Two-sided mid-p; 1 where nothing changed.

    Notes
    -----
    Fagerland, Lydersen and Laake (2013, BMC Med. Res. Methodol. 13:91): half as cautious as the exact test where few samples
    changed, and still of the size it says in nearly all cases.
    """
    from scipy import stats  # noqa: PLC0415 - takes a second to import, and a gate needs none of it

    b, c = np.asarray(more, np.int64), np.asarray(less, np.int64)
    fewer, both = np.minimum(b, c), b + c
    p = 2 * stats.binom.cdf(fewer, both, 0.5) - stats.binom.pmf(fewer, both, 0.5)
    return np.asarray(np.where(b == c, 1.0, np.minimum(p, 1)), float)


def paired_difference(more: ArrayLike, less: ArrayLike, trials: ArrayLike, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """Interval of a difference of two proportions of the same samples.

    Parameters
    ----------
    more, less
        How many samples are hits of the second only, and of the first only.
    trials
        All samples.
    confidence
        Of the two-sided interval.

    Returns
    -------
    low, high
        Of ``(more - less) / trials``; NaN where there are none. See `paired_limits`.
    """
    b, c, n = (np.asarray(a, float) for a in (more, less, trials))
    low, high = paired_limits(b, c, n, (1 - confidence) / 2)
    # The adjusted centre is not the observed difference, which must lie in its own interval all the same.
    with np.errstate(invalid="ignore", divide="ignore"):
        seen = (b - c) / n
    return np.where(n > 0, np.minimum(low, seen), np.nan), np.where(n > 0, np.maximum(high, seen), np.nan)


def paired_limits(
    more: ArrayLike, less: ArrayLike, trials: ArrayLike, tail: float, *, continuity: bool = False
) -> tuple[Floats, Floats]:
    """One-sided limits, each with error `tail`, of the change ``(more - less) / trials``.

    Notes
    -----
    Bonett and Price (2012, J. Educ. Behav. Stat. 37): Wald's limits after one changed sample was added to each side. Where all
    that changed did so the same way these are too narrow towards more of it: by exact enumeration a loss at the limit would
    pass in up to 10.7 %. With `continuity` they are wider by one and a half samples, and it passes in at most 4.9 %.
    """
    b, c, n = (np.asarray(a, float) for a in (more, less, trials))
    p, q = (b + 1) / (n + 2), (c + 1) / (n + 2)
    half = normal_quantile(1 - tail) * np.sqrt(np.maximum(p + q - (p - q) ** 2, 0) / (n + 2))
    half = half + (_CORRECTION / n if continuity else 0.0)
    return np.maximum(p - q - half, -1), np.minimum(p - q + half, 1)


def change_of_gap(
    cells: ArrayLike, *, generator: np.random.Generator, confidence: float = 0.95, people: Floats | None = None
) -> tuple[float, float]:
    """Interval of how much wider the second model's gap is than the first's.

    Parameters
    ----------
    cells
        (groups, 4) samples that are hits of both models, of the second only, of the first only, of none.
    generator
        Source of randomness.
    confidence
        Of the two-sided interval.
    people
        (people, groups, 4) the same by person, where several samples show one: then people are resampled.

    Returns
    -------
    low, high
        Which pair of groups is farthest apart is itself uncertain, the more so the narrower a gap is, and then no percentile of
        the change covers it. So all pairs that may well be the widest of the first model are held against all that may be of
        the second; the change between two given pairs is a plain difference of rates, for which percentiles of the bootstrap
        of the joint counts are valid, and the interval reaches from the lowest to the highest of them.
    """
    counts = np.asarray(cells, float)
    if people is None:
        # Half a sample beside those seen: that nothing changed does not make it certain that nothing would.
        parts = [generator.multinomial(int(c.sum()), (c + 0.5) / (c.sum() + 2), size=RESAMPLES) for c in counts]
        drawn = np.stack(parts, axis=1).astype(float)
    else:
        usual = people.sum(axis=(0, 2)) / np.maximum((people.sum(axis=2) > 0).sum(axis=0), 1)
        imagined = np.diag(np.repeat(usual, 4)).reshape(-1, *counts.shape)
        rows = np.concatenate([people, imagined]).reshape(len(people) + len(imagined), -1)
        weights = np.concatenate([np.ones(len(people)), np.full(len(imagined), 0.5)])
        drawn = resampled_sums(rows, RESAMPLES, generator, weights, len(people)).reshape(RESAMPLES, *counts.shape)
        drawn = drawn[(drawn.sum(axis=2) > 0).all(axis=1)]
    i, j = (np.array(x) for x in zip(*itertools.permutations(range(len(counts)), 2), strict=True))
    base, candidate = (r[..., i] - r[..., j] for r in _rates(drawn))
    ends = [_widest(seen[i] - seen[j], of_draws) for seen, of_draws in zip(_rates(counts), (base, candidate), strict=True)]
    changes = candidate[:, None, ends[1]] - base[:, ends[0], None]
    low, high = np.quantile(changes, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    seen = float(np.ptp(_rates(counts)[1]) - np.ptp(_rates(counts)[0]))
    return float(min(low.min(), seen)), float(max(high.max(), seen))


def _widest(seen: Floats, drawn: Floats) -> NDArray[np.intp]:
    """Which signed differences may well be the largest: those no farther below it than noise may have put them."""
    most = int(seen.argmax())
    error = np.std(drawn[:, [most]] - drawn, axis=0)
    return np.flatnonzero(seen + normal_quantile(0.975) * error >= seen[most] - 1e-12)


def _rates(cells: Floats) -> tuple[Floats, Floats]:
    """Rates of the first and of the second model."""
    both, more, less, _ = np.moveaxis(cells, -1, 0)
    trials = cells.sum(axis=-1)
    return (both + less) / trials, (both + more) / trials
