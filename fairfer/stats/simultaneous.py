"""Simultaneous confidence limits of several groups, from which limits of any summary of their rates are projected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fairfer.stats.intervals import normal_quantile

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fairfer.stats.intervals import Estimates, Floats


def simultaneous_limits(groups: Estimates, error: float) -> tuple[Floats, Floats]:
    """Limits that contain all of the rates with a probability of at least 1 - `error` times the number of groups.

    Parameters
    ----------
    groups
        Rates, each with at least one (effective) trial.
    error
        Error of each two-sided interval: Bonferroni's share of the whole.

    Returns
    -------
    low, high

    Notes
    -----
    Clopper and Pearson (1934), whose coverage is at least as stated at every rate. With subjects, Korn and Graubard (1998,
    Surv. Methodol. 24): effective trials, fewer by the squared ratio of the normal to Student's quantile.
    """
    from scipy import special  # slow to import

    tail = error / 2
    size = np.asarray(groups.size, float)
    finite = np.isfinite(groups.degrees_of_freedom)
    if finite.any():
        student = special.stdtrit(np.where(finite, groups.degrees_of_freedom, 1), 1 - tail)
        size = np.where(finite, size * (normal_quantile(1 - tail) / student) ** 2, size)
    hits = groups.rate * size
    misses = size - hits
    with np.errstate(invalid="ignore"):
        low = np.where(hits > 0, special.betaincinv(np.maximum(hits, 1e-300), misses + 1, tail), 0.0)
        high = np.where(misses > 0, special.betaincinv(hits + 1, np.maximum(misses, 1e-300), 1 - tail), 1.0)
    return np.minimum(low, groups.rate), np.maximum(high, groups.rate)


def upper_limit_of_zero(trials: ArrayLike, confidence: float = 0.95) -> Floats:
    """One-sided upper confidence limit of a rate with no hit: Clopper and Pearson's, 1 - (1 - confidence)^(1/trials)."""
    n = np.asarray(trials, float)
    return np.asarray(-np.expm1(np.log1p(-confidence) / n), float)
