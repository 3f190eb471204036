"""Score limits of the difference and of the ratio of two proportions: inverted score tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fairfer.stats.intervals import Estimates, Floats

_STEPS = 60
"""Bisections, which halve the interval from -1 to 1 below the precision of a double."""


def score_difference_limits(one: Estimates, other: Estimates, quantile: float) -> tuple[Floats, Floats]:
    """Lower and upper limit of ``one.rate - other.rate``.

    Parameters
    ----------
    one, other
        Estimates of one shape.
    quantile
        Critical value of the score statistic.

    Returns
    -------
    low, high
        The differences whose score statistic equals the critical value; NaN where there are no trials.

    Notes
    -----
    Mee (1984, Biometrics 40) and Farrington and Manning (1990, Stat. Med. 9): the variance is that of the maximum-likelihood
    rates with the given difference. At a difference of 0 it is that of the pooled rate, so the limits exclude 0 exactly where
    `fairfer.stats.comparisons.score_statistics` exceeds the critical value.
    """
    difference = np.asarray(one.rate - other.rate, float)
    limits = []
    for side in (-1.0, 1.0):
        inner, outer = difference.copy(), np.full(difference.shape, side)
        for _ in range(_STEPS):
            middle = (inner + outer) / 2
            inside = np.abs(difference - middle) <= quantile * _restricted_error(one, other, middle)
            inner, outer = np.where(inside, middle, inner), np.where(inside, outer, middle)
        limits.append(np.where((one.size > 0) & (other.size > 0), inner, np.nan))
    return limits[0], limits[1]


def score_ratio_limits(one: Estimates, other: Estimates, quantile: float) -> tuple[Floats, Floats]:
    """Lower and upper limit of ``one.rate / other.rate``.

    Parameters
    ----------
    one, other
        Estimates of one shape.
    quantile
        Critical value of the score statistic.

    Returns
    -------
    low, high
        The ratios whose score statistic equals the critical value. *High* is infinite where the other rate is 0, *low* is 0
        where the first is.

    Notes
    -----
    Koopman (1984, Biometrics 40): the variance is that of the maximum-likelihood rates with the given ratio. At a ratio of 1 it
    is that of the pooled rate, so the limits exclude 1 exactly where the statistic of `fairfer.stats.groups_vs_rest` exceeds
    the critical value.
    """
    p, q = np.asarray(one.rate, float), np.asarray(other.rate, float)
    # The ratio is t / (1 - t), so that an infinite one is an ordinary number.
    estimate = np.divide(p, p + q, out=np.full(np.shape(p + q), 0.5), where=p + q > 0)
    limits = []
    for side in (0.0, 1.0):
        inner, outer = estimate.copy(), np.full(estimate.shape, side)
        for _ in range(_STEPS):
            middle = (inner + outer) / 2
            inside = np.abs(p * (1 - middle) - q * middle) <= quantile * _restricted_ratio_error(one, other, middle)
            inner, outer = np.where(inside, middle, inner), np.where(inside, outer, middle)
        limits.append(inner)
    low, high = limits
    with np.errstate(divide="ignore"):
        return np.where(p > 0, low / (1 - low), 0.0), np.where(q > 0, high / (1 - high), np.inf)


def _restricted_ratio_error(one: Estimates, other: Estimates, t: Floats) -> Floats:
    """Standard error of ``one.rate (1 - t) - other.rate t`` at the maximum-likelihood rates with the ratio ``t / (1 - t)``."""
    n, m = np.maximum(one.size, 1e-300), np.maximum(other.size, 1e-300)
    x, y = n * one.rate, m * other.rate
    a, b, c = (n + m) * t, n * t + x * (1 - t) + m * (1 - t) + y * t, (x + y) * (1 - t)
    root = b + np.sqrt(np.maximum(b * b - 4 * a * c, 0))
    one_rate, other_rate = np.clip(2 * (x + y) * t / root, 0, 1), np.clip(2 * c / root, 0, 1)
    variance = (1 - t) ** 2 * one_rate * (1 - one_rate) / n + t**2 * other_rate * (1 - other_rate) / m
    error: Floats = np.sqrt(variance)
    return error


def _restricted_error(one: Estimates, other: Estimates, difference: Floats) -> Floats:
    """Standard error of the difference of two rates at the maximum-likelihood rates that differ by `difference`."""
    n, m = np.maximum(one.size, 1e-300), np.maximum(other.size, 1e-300)
    ratio = m / n
    a = 1 + ratio
    b = -(1 + ratio + one.rate + ratio * other.rate + difference * (ratio + 2))
    c = difference * difference + difference * (2 * one.rate + ratio + 1) + one.rate + ratio * other.rate
    d = -one.rate * difference * (1 + difference)
    v = b**3 / (3 * a) ** 3 - b * c / (6 * a * a) + d / (2 * a)
    u = np.where(v >= 0, 1.0, -1.0) * np.sqrt(np.maximum(b * b / (3 * a) ** 2 - c / (3 * a), 0))
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine = np.where(u != 0, v / u**3, 0.0)
    angle = (np.pi + np.arccos(np.clip(cosine, -1, 1))) / 3
    rate = np.clip(2 * u * np.cos(angle) - b / (3 * a), np.maximum(difference, 0), np.minimum(1 + difference, 1))
    lower = np.clip(rate - difference, 0, 1)
    error: Floats = np.sqrt(np.maximum(rate * (1 - rate) / n + lower * (1 - lower) / m, 0))
    return error
