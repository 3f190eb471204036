"""Two models on the same samples: tests and intervals of the change of a rate and of a gap."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from fairfer.stats.clustered import resampled_sums
from fairfer.stats.intervals import Floats, normal_quantile

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

RESAMPLES = 2000


def mcnemar(more: ArrayLike, less: ArrayLike) -> Floats:
    """Mid-p McNemar test of equal numbers of discordant samples in either direction.

    Parameters
    ----------
    more, less
        Number of samples that are hits of the second model only, and of the first only.

    Returns
    -------
    ndarray
        Two-sided mid-p-value; 1 where both numbers are equal.

    Notes
    -----
    Fagerland, Lydersen and Laake (2013, BMC Med. Res. Methodol. 13:91): less conservative than the exact test where few samples
    are discordant, and rarely above its nominal size.
    """
    from scipy import stats  # takes a second to import, and the gate does not need it

    b, c = np.asarray(more, np.int64), np.asarray(less, np.int64)
    fewer, both = np.minimum(b, c), b + c
    p = 2 * stats.binom.cdf(fewer, both, 0.5) - stats.binom.pmf(fewer, both, 0.5)
    return np.asarray(np.where(b == c, 1.0, np.minimum(p, 1)), float)


def paired_difference(more: ArrayLike, less: ArrayLike, trials: ArrayLike, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """Confidence interval of the difference of two proportions of the same samples.

    Parameters
    ----------
    more, less
        Number of samples that are hits of the second model only, and of the first only.
    trials
        Number of samples.
    confidence
        Confidence of the two-sided interval.

    Returns
    -------
    low, high
        Limits of ``(more - less) / trials``; NaN where there are no samples. See `paired_limits`.
    """
    b, c, n = (np.asarray(a, float) for a in (more, less, trials))
    low, high = paired_limits(b, c, n, (1 - confidence) / 2)
    # The adjusted center is not the observed difference, which must still lie in its own interval.
    with np.errstate(invalid="ignore", divide="ignore"):
        observed = (b - c) / n
    return np.where(n > 0, np.minimum(low, observed), np.nan), np.where(n > 0, np.maximum(high, observed), np.nan)


def paired_limits(more: ArrayLike, less: ArrayLike, trials: ArrayLike, tail: float) -> tuple[Floats, Floats]:
    """One-sided confidence limits, each with error `tail`, of the change ``(more - less) / trials``, for reading.

    Notes
    -----
    Bonett and Price (2012, J. Educ. Behav. Stat. 37): Wald's limits with one discordant sample added to each side. Where all
    discordant samples are on one side these limits are too narrow towards more of it: by exact enumeration the true change is
    beyond a limit with an error of 5 % in up to 10.7 %. Decisions use `fairfer.stats.exact.paired_bounds`.
    """
    b, c, n = (np.asarray(a, float) for a in (more, less, trials))
    p, q = (b + 1) / (n + 2), (c + 1) / (n + 2)
    half = normal_quantile(1 - tail) * np.sqrt(np.maximum(p + q - (p - q) ** 2, 0) / (n + 2))
    return np.maximum(p - q - half, -1), np.minimum(p - q + half, 1)


def change_of_gap(
    cells: ArrayLike, *, generator: np.random.Generator, confidence: float = 0.95, subjects: Floats | None = None
) -> tuple[float, float]:
    """Confidence interval of the gap of the second model minus the gap of the first.

    Parameters
    ----------
    cells
        (groups, 4) number of samples that are hits of both models, of the second only, of the first only, of neither.
    generator
        Source of randomness.
    confidence
        Confidence of the two-sided interval.
    subjects
        (subjects, groups, 4) the same by subject, where samples share subjects; then subjects are resampled.

    Returns
    -------
    low, high
        Limits that contain the observed change.

    Notes
    -----
    Which pair of groups has the largest difference is itself uncertain, the more so the smaller the gap, and then no percentile
    interval of the change covers it. So all pairs that may have the largest difference for the first model are combined with
    all that may have it for the second. The change between two fixed pairs is a plain difference of rates, for which the
    percentile bootstrap of the joint counts is valid; the interval extends from the lowest to the highest of them.
    """
    counts = np.asarray(cells, float)
    resampled = _resampled_cells(counts, generator) if subjects is None else _resampled_subjects(counts, subjects, generator)
    i, j = (np.array(x) for x in zip(*itertools.permutations(range(len(counts)), 2), strict=True))
    observed = _rates(counts)
    base, candidate = (r[..., i] - r[..., j] for r in _rates(resampled))
    first, second = (_largest(rate[i] - rate[j], d) for rate, d in zip(observed, (base, candidate), strict=True))
    changes = candidate[:, None, second] - base[:, first, None]
    low, high = np.quantile(changes, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    change = float(np.ptp(observed[1]) - np.ptp(observed[0]))
    return float(min(low.min(), change)), float(max(high.max(), change))


def _resampled_cells(counts: Floats, generator: np.random.Generator) -> Floats:
    """(resamples, groups, 4) counts of independent samples.

    Half a sample is added to each count: a kind of change that did not occur among these samples is not impossible.
    """
    parts = [generator.multinomial(int(c.sum()), (c + 0.5) / (c.sum() + 2), size=RESAMPLES) for c in counts]
    return np.stack(parts, axis=1).astype(float)


def _resampled_subjects(counts: Floats, subjects: Floats, generator: np.random.Generator) -> Floats:
    """(resamples, groups, 4) counts of resampled subjects, with half a subject of the usual size added to each count."""
    usual = subjects.sum(axis=(0, 2)) / np.maximum((subjects.sum(axis=2) > 0).sum(axis=0), 1)
    added = np.diag(np.repeat(usual, 4)).reshape(-1, *counts.shape)
    rows = np.concatenate([subjects, added]).reshape(len(subjects) + len(added), -1)
    weights = np.concatenate([np.ones(len(subjects)), np.full(len(added), 0.5)])
    sums = resampled_sums(rows, RESAMPLES, generator, weights, len(subjects)).reshape(RESAMPLES, *counts.shape)
    complete: Floats = sums[(sums.sum(axis=2) > 0).all(axis=1)]
    return complete


def _largest(observed: Floats, resampled: Floats) -> NDArray[np.intp]:
    """Indices of the signed differences that may be the largest: those that sampling error can have put below it."""
    largest = int(observed.argmax())
    error = np.std(resampled[:, [largest]] - resampled, axis=0)
    return np.flatnonzero(observed + normal_quantile(0.975) * error >= observed[largest] - 1e-12)


def _rates(cells: Floats) -> tuple[Floats, Floats]:
    """Rates of the first and of the second model."""
    both, more, less, _ = np.moveaxis(cells, -1, 0)
    trials = cells.sum(axis=-1)
    return (both + less) / trials, (both + more) / trials
