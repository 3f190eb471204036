"""Confidence intervals of a rate, of the difference of two rates and of their ratio.

All are built on the score interval of a proportion (Wilson), which needs a rate, a number of trials and a quantile. Samples
that are weighted or that share subjects have an *effective* number of trials and, where that number is itself estimated from
few subjects, Student's quantile instead of the normal one.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimates:
    """Rates of several groups and their precision; arrays of one shape.

    Attributes
    ----------
    rate
        NaN where there are no trials.
    size
        Trials, or the effective number of trials: the number of independent trials that gives the same variance.
    degrees_of_freedom
        Degrees of freedom of `size`; infinite where it is a plain count.
    """

    rate: Floats
    size: Floats
    degrees_of_freedom: Floats

    @classmethod
    def of_counts(cls, hits: ArrayLike, trials: ArrayLike) -> Estimates:
        """Rates of independent samples."""
        k, n = np.asarray(hits, float), np.asarray(trials, float)
        with np.errstate(invalid="ignore", divide="ignore"):
            return cls(k / n, n, np.full(n.shape, np.inf))

    @classmethod
    def of_weights(cls, hits: ArrayLike, weights: ArrayLike, squares: ArrayLike) -> Estimates:
        """Rates of weighted samples, from Σ w·hit, Σ w and Σ w²; the effective size is (Σ w)² / Σ w² (Kish 1965)."""
        k, w, q = (np.asarray(a, float) for a in (hits, weights, squares))
        with np.errstate(invalid="ignore", divide="ignore"):
            return cls(np.clip(k / w, 0, 1), np.where(q > 0, w * w / np.where(q > 0, q, 1), 0.0), np.full(w.shape, np.inf))

    def limits(self, tail: float, *, continuity: bool = False) -> tuple[Floats, Floats]:
        """Lower and upper confidence limit, each with error `tail`: the inverted score test (Wilson 1927).

        Parameters
        ----------
        tail
            Error of each limit: 0.025 for a two-sided 95 % interval.
        continuity
            Whether to correct for counts being integers (Blyth and Still 1983, J. Am. Stat. Assoc. 78), for limits that decide.

        Returns
        -------
        low, high
            NaN where there are no trials.
        """
        p, n = self.rate, self.size
        z: float | Floats = normal_quantile(1 - tail)
        finite = np.isfinite(self.degrees_of_freedom)
        if finite.any():
            from scipy import special  # slow to import, and the gate seldom needs it

            student = special.stdtrit(np.where(finite, self.degrees_of_freedom, 1), 1 - tail)
            z = np.where(finite, student, z)
        with np.errstate(invalid="ignore", divide="ignore"):
            low, high = (_score_limit(p, n, z, 0.5 * side * continuity, side) for side in (-1, 1))
        # At 0 and 1 one limit is exactly that. Rounding must not put a rate outside its own interval.
        low = np.where(p == 0, 0.0, np.clip(low, 0, p))
        high = np.where(p == 1, 1.0, np.clip(high, p, 1))
        return np.where(n > 0, low, np.nan), np.where(n > 0, high, np.nan)

    def of_groups(self, index: ArrayLike) -> Estimates:
        """Estimates of some of the groups, by their index on the last axis."""
        i = np.asarray(index)
        return Estimates(self.rate[..., i], self.size[..., i], self.degrees_of_freedom[..., i])


def _score_limit(p: Floats, n: Floats, z: float | Floats, shift: float, side: int) -> Floats:
    """Rate whose score statistic at `p`, moved by `shift` hits, is `z`: below `p` for side -1, above it for side 1."""
    moved = p + shift / n
    center = moved + z * z / (2 * n)
    half = z * np.sqrt(np.maximum(moved * (1 - moved) / n + z * z / (4 * n * n), 0))
    limit: Floats = (center + side * half) / (1 + z * z / n)
    return limit


def normal_quantile(probability: float) -> float:
    """Quantile of the standard normal distribution."""
    return NormalDist().inv_cdf(probability)


def wilson(hits: ArrayLike, trials: ArrayLike, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """Wilson score interval of a proportion.

    Parameters
    ----------
    hits, trials
        Counts, of any one shape.
    confidence
        Confidence of the two-sided interval.

    Returns
    -------
    low, high
        NaN where there are no trials.

    Notes
    -----
    Wilson (1927), J. Am. Stat. Assoc. 22: the inverted score test. For 3 hits in 3 trials it is [0.44, 1], where a bootstrap
    gives [1, 1].
    """
    return Estimates.of_counts(hits, trials).limits((1 - confidence) / 2)


def difference_limits(one: Estimates, other: Estimates, tail: float, *, continuity: bool = False) -> tuple[Floats, Floats]:
    """Lower and upper confidence limit of ``one.rate - other.rate``, each with error `tail`.

    Notes
    -----
    Newcombe (1998), Stat. Med. 17, method 10 (with `continuity`, method 11): the distances of both rates to their own score
    limits are added in squares. Groups that share subjects are positively correlated, which makes these limits conservative.
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
        Confidence of the two-sided interval.

    Returns
    -------
    low, high
        Limits of ``hits / trials - other_hits / other_trials``; NaN where either has no trials.

    Notes
    -----
    See `difference_limits`. statsmodels has it as ``confint_proportions_2indep(method="newcomb")``.
    """
    one, other = Estimates.of_counts(hits, trials), Estimates.of_counts(other_hits, other_trials)
    return difference_limits(one, other, (1 - confidence) / 2)


def ratio_limits(one: Estimates, other: Estimates, tail: float) -> tuple[Floats, Floats]:
    """Lower and upper confidence limit of ``one.rate / other.rate``, each with error `tail`.

    Notes
    -----
    Donner and Zou (2012, Stat. Methods Med. Res. 21): the method of variance estimates recovery for ratios, on score limits
    with continuity correction. Where the other rate may be 0 the upper limit is infinite.
    """
    p, q = one.rate, other.rate
    low, high = one.limits(tail, continuity=True)
    other_low, other_high = other.limits(tail, continuity=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        below = other_high * (2 * q - other_high)
        lower = (p * q - np.sqrt(np.maximum((p * q) ** 2 - low * (2 * p - low) * below, 0))) / below
        above = other_low * (2 * q - other_low)
        upper = (p * q + np.sqrt(np.maximum((p * q) ** 2 - high * (2 * p - high) * above, 0))) / above
        plain = low / other_high
    # The root does not exist where a limit is more than twice the rate. The ratio of the limits is then conservative.
    lower = np.where((below > 0) & np.isfinite(lower) & (lower >= 0), lower, plain)
    upper = np.where((above > 0) & np.isfinite(upper), upper, np.inf)
    return lower, upper
