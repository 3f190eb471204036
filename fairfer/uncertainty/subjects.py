"""Rates of samples that share people: people are resampled, never pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fairfer.uncertainty.intervals import Estimates, Floats

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

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
        than people with any trial.

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
    # Nobody varies: all that is known is that so many people were alike.
    size = np.where(np.isfinite(size) & (size > 0), np.clip(size, np.minimum(1, total), total), people)
    return Estimates(rate, np.where(total > 0, size, 0.0), np.maximum(people - 1, 1))


def _variance(k: Floats, n: Floats, resamples: int, generator: np.random.Generator) -> Floats:
    """Variance of Σ k / Σ n over resamples of the rows; resamples without any trial say nothing."""
    people = len(k)
    if not people:
        return np.full(k.shape[1], np.nan)
    step = max(1, _CHUNK // people)
    ratios = []
    for start in range(0, resamples, step):
        times = generator.multinomial(people, np.full(people, 1 / people), size=min(step, resamples - start)).astype(float)
        with np.errstate(invalid="ignore", divide="ignore"):
            ratios.append((times @ k) / (times @ n))
    drawn: Floats = np.concatenate(ratios)
    known = np.isfinite(drawn)
    count = known.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, drawn, 0).sum(axis=0) / count
        variance: Floats = np.where(known, (drawn - mean) ** 2, 0).sum(axis=0) / count
    return variance
