"""Rates of samples that share people: people are resampled, never pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fairfer.stats.intervals import Estimates, Floats

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

RESAMPLES = 1000
_CHUNK = 4_000_000
"""Weights held at a time (numbers), so that memory does not grow with the number of people."""


def estimate_by_subjects(
    hits: ArrayLike, trials: ArrayLike, *, generator: np.random.Generator, resamples: int = RESAMPLES
) -> Estimates:
    """Rates of one group of people, known as well as resampling those people says.

    Parameters
    ----------
    hits, trials
        (people, rates) counts of each person.
    generator
        Source of randomness.
    resamples
        Bootstrap resamples of the people.

    Returns
    -------
    Estimates
        (rates,): Σ hits / Σ trials, the number of independent trials that would know it as well, and one degree of freedom less
        than people with any trial; where some have many more than others, than as many people as count alike (Kish 1965).

    Notes
    -----
    The bootstrap gives the variance of the ratio, and that an effective size, rate (1 - rate) / variance, for Wilson's interval
    with Student's quantile (Korn and Graubard 1998, Surv. Methodol. 24, who have Clopper and Pearson's interval). The
    bootstrap's own percentiles are too narrow with few people, and of nobody ever wrong they make [1, 1]; there, each person
    counts as one trial. Samples of one person may agree less than those of different people; then the interval is as if they
    were independent, not narrower.
    """
    k, n = np.asarray(hits, float), np.asarray(trials, float)
    total = n.sum(axis=0)
    people = (n > 0).sum(axis=0).astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = k.sum(axis=0) / total
    variance = _variance(k, n, resamples, generator)
    with np.errstate(invalid="ignore", divide="ignore"):
        # The bootstrap's variance is (people - 1) / people of the unbiased one.
        variance = variance * people / (people - 1)
        size = rate * (1 - rate) / variance
        alike = total * total / (n * n).sum(axis=0)
    # Nobody varies: all that is known is that so many people were alike.
    size = np.where(np.isfinite(size) & (size > 0), np.clip(size, np.minimum(1, total), total), people)
    return Estimates(rate, np.where(total > 0, size, 0.0), np.where(total > 0, np.maximum(alike - 1, 1), 1.0))


def resampled_sums(
    rows: Floats, resamples: int, generator: np.random.Generator, weights: Floats | None = None, size: int | None = None
) -> Floats:
    """(resamples, columns) sums of rows drawn with replacement.

    Parameters
    ----------
    rows
        (rows, columns).
    resamples
        How many.
    generator
        Source of randomness.
    weights
        (rows,) how often each stands for itself; once when not given.
    size
        Rows drawn each time; as many as there are when not given.
    """
    expected_by_chance = np.full(len(rows), 1 / len(rows)) if weights is None else weights / weights.sum()
    drawn = len(rows) if size is None else size
    step = max(1, _CHUNK // len(rows))
    sums = [
        generator.multinomial(drawn, expected_by_chance, size=min(step, resamples - start)).astype(float) @ rows
        for start in range(0, resamples, step)
    ]
    found: Floats = np.concatenate(sums)
    return found


def variance_by_subjects(residuals: Floats, person: NDArray[np.int64]) -> tuple[float, int]:
    """Variance of a sum of residuals that hang together within people, and how many people there are.

    The sandwich estimator of survey statistics: Σ over people of (their sum)², times people / (people - 1) (Cochran 1977,
    Sampling Techniques, 11.7).
    """
    sums = np.bincount(np.unique(person, return_inverse=True)[1], residuals)
    people = len(sums)
    return float((sums**2).sum() * people / max(people - 1, 1)), people


def estimate_ratio(hits: Floats, trials: Floats, person: NDArray[np.int64], most: float) -> Estimates:
    """A ratio of weighted sums whose parts hang together within people.

    Parameters
    ----------
    hits, trials
        (parts,) weighted counts.
    person
        (parts,) whose they are.
    most
        The effective size if every sample were another person's; people never tell more.

    Returns
    -------
    Estimates
        Of shape ().
    """
    total = float(trials.sum())
    if total <= 0:
        return Estimates(np.array(np.nan), np.array(0.0), np.array(1.0))
    rate = min(max(float(hits.sum()) / total, 0.0), 1.0)
    variance, people = variance_by_subjects((hits - rate * trials) / total, person)
    each = np.bincount(np.unique(person, return_inverse=True)[1], trials)
    alike = total * total / float((each**2).sum())
    # Nobody varies: all that is known is that so many people were alike.
    size = rate * (1 - rate) / variance if variance > 0 and 0 < rate < 1 else float(people)
    return Estimates(np.array(rate), np.array(min(max(size, 1.0), most)), np.array(max(alike - 1, 1.0)))


def _variance(k: Floats, n: Floats, resamples: int, generator: np.random.Generator) -> Floats:
    """Variance of Σ k / Σ n over resamples of the rows; resamples without any trial say nothing."""
    if not len(k):
        return np.full(k.shape[1], np.nan)
    split = k.shape[1]
    sums = resampled_sums(np.concatenate([k, n], axis=1), resamples, generator)
    with np.errstate(invalid="ignore", divide="ignore"):
        drawn = sums[:, :split] / sums[:, split:]
    known = np.isfinite(drawn)
    count = known.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, drawn, 0).sum(axis=0) / count
        variance: Floats = np.where(known, (drawn - mean) ** 2, 0).sum(axis=0) / count
    return variance
