"""Intervals of a rate and of a difference of two rates.

Everything is built on one idea, the score interval of a proportion (Wilson): it needs a rate, a number of trials and a
quantile. Samples that are weighted, or that share a person, come with fewer *effective* trials and, where their number is
itself estimated from few people, with Student's quantile instead of the normal one.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimates:
    """Rates of several groups and how well each is known; arrays of one shape.

    Attributes
    ----------
    rate
        NaN where there is nothing to estimate it from.
    size
        Trials, or the number of independent trials that would know the rate as well.
    freedom
        Degrees of freedom of `size`; infinite where it is a plain count.
    """

    rate: Floats
    size: Floats
    degrees_of_freedom: Floats

    @classmethod
    def of_counts(cls, hits: ArrayLike, trials: ArrayLike) -> Estimates:
        """Of independent samples."""
        k, n = np.asarray(hits, float), np.asarray(trials, float)
        with np.errstate(invalid="ignore", divide="ignore"):
            return cls(k / n, n, np.full(n.shape, np.inf))

    @classmethod
    def of_weights(cls, hits: ArrayLike, weights: ArrayLike, squares: ArrayLike) -> Estimates:
        """Of weighted samples: Σ w·hit, Σ w and Σ w²; the effective size is Kish's (1965), (Σ w)² / Σ w²."""
        k, w, q = (np.asarray(a, float) for a in (hits, weights, squares))
        with np.errstate(invalid="ignore", divide="ignore"):
            return cls(np.clip(k / w, 0, 1), np.where(q > 0, w * w / np.where(q > 0, q, 1), 0.0), np.full(w.shape, np.inf))

    def limits(self, tail: float, *, continuity: bool = False) -> tuple[Floats, Floats]:
        """Lower and upper limits, each with error `tail`: the score test inverted (Wilson 1927).

        With `continuity`, the correction for counts being whole numbers (Blyth and Still 1983), for limits that decide.
        """
        p, n = self.rate, self.size
        z: float | Floats = normal_quantile(1 - tail)
        if np.isfinite(self.degrees_of_freedom).any():
            from scipy import special  # noqa: PLC0415 - a gate seldom needs it, and it takes longer than all the rest

            student = special.stdtrit(np.where(np.isinf(self.degrees_of_freedom), 1, self.degrees_of_freedom), 1 - tail)
            z = np.where(np.isinf(self.degrees_of_freedom), z, student)
        with np.errstate(invalid="ignore", divide="ignore"):
            low, high = (_score_limit(p, n, z, 0.5 * side * continuity, side) for side in (-1, 1))
        # At 0 and 1 one limit is exactly that; rounding must not put a rate outside of its own interval.
        low = np.where(p == 0, 0.0, np.clip(low, 0, p))
        high = np.where(p == 1, 1.0, np.clip(high, p, 1))
        return np.where(n > 0, low, np.nan), np.where(n > 0, high, np.nan)

    def of_groups(self, which: ArrayLike) -> Estimates:
        """Some of the groups, which are the last axis."""
        index = np.asarray(which)
        return Estimates(self.rate[..., index], self.size[..., index], self.degrees_of_freedom[..., index])


def _score_limit(p: Floats, n: Floats, z: float | Floats, shift: float, side: int) -> Floats:
    """The rate at which so many hits, moved by `shift`, are just as rare as `z` says, below or above as `side` says."""
    moved = p + shift / n
    centre = moved + z * z / (2 * n)
    half = z * np.sqrt(np.maximum(moved * (1 - moved) / n + z * z / (4 * n * n), 0))
    limit: Floats = (centre + side * half) / (1 + z * z / n)
    return limit


def normal_quantile(probability: float) -> float:
    """Of the standard normal distribution."""
    return NormalDist().inv_cdf(probability)


def wilson(hits: ArrayLike, trials: ArrayLike, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """Wilson score interval of a proportion.

    Parameters
    ----------
    hits, trials
        Counts, of any one shape.
    confidence
        Of the two-sided interval.

    Returns
    -------
    low, high
        NaN where there were no trials.

    Notes
    -----
    Wilson (1927), J. Am. Stat. Assoc. 22: the score test inverted. Unlike the bootstrap's, the interval of 3 right out of 3 is
    [0.44, 1], not [1, 1]. scipy has it for one pair of counts at a time; a test holds this against scipy's.
    """
    return Estimates.of_counts(hits, trials).limits((1 - confidence) / 2)


def difference_limits(one: Estimates, other: Estimates, tail: float, *, continuity: bool = False) -> tuple[Floats, Floats]:
    """Lower and upper limits of ``one.rate - other.rate``, each with error `tail`.

    Notes
    -----
    Newcombe (1998), Stat. Med. 17, method 10 (with `continuity`, method 11): the squared distances of both rates to their own
    score limits are added. Groups that share people are positively correlated, which makes these limits wider than they need
    to be, never narrower.
    """
    low, high = one.limits(tail, continuity=continuity), other.limits(tail, continuity=continuity)
    difference = one.rate - other.rate
    below = np.sqrt((one.rate - low[0]) ** 2 + (high[1] - other.rate) ** 2)
    above = np.sqrt((low[1] - one.rate) ** 2 + (other.rate - high[0]) ** 2)
    return np.maximum(difference - below, -1), np.minimum(difference + above, 1)


def newcombe(
    hits: ArrayLike, trials: ArrayLike, other_hits: ArrayLike, other_trials: ArrayLike, confidence: float = 0.95
) -> tuple[Floats, Floats]:
    """Newcombe's hybrid score interval of the difference of two independent proportions.

    Parameters
    ----------
    hits, trials, other_hits, other_trials
        Counts, of any one shape.
    confidence
        Of the two-sided interval.

    Returns
    -------
    low, high
        Of ``hits / trials - other_hits / other_trials``; NaN where either has no trials.

    Notes
    -----
    See `difference_limits`; statsmodels has the same as ``confint_proportions_2indep(method="newcomb")``.
    """
    one, other = Estimates.of_counts(hits, trials), Estimates.of_counts(other_hits, other_trials)
    return difference_limits(one, other, (1 - confidence) / 2)
