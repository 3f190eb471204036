"""Clopper–Pearson limits of a rate, without scipy, whose import is too slow for the gate."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fairfer.stats.intervals import Floats

_ERFC = np.frompyfunc(math.erfc, 1, 1)
_LGAMMA = np.frompyfunc(math.lgamma, 1, 1)
_FEW = 50
"""Hits or misses up to which the incomplete beta function is computed; beyond, the tail of its expansion is exact to 0.03 %."""

_TERMS = 30
"""Terms of the continued fraction; with few hits or misses 20 suffice for 10 digits."""

_EXACT = 1e-6
"""Relative precision of the continued fraction."""

_LEAST_HITS = 0.5
"""Effective hits below which the lower limit is 0."""

_NEAR = 0.02
"""Deviates below which r* is replaced by its limit, because the logarithm in it loses its digits."""

_PRECISION = 1e-5
"""Of the expansion, on the logit scale. The last step of Newton's method is more precise than it is long."""

_STEPS = 20
"""Steps of Newton's method at most; it needs about four, in far tails of few hits more."""


def clopper_pearson(hits: ArrayLike, trials: ArrayLike, tail: ArrayLike) -> tuple[Floats, Floats]:
    """Lower and upper confidence limit of a rate, each with error of at most `tail`, at every true rate and size.

    Parameters
    ----------
    hits, trials
        Counts, which need not be whole numbers (effective counts of weighted samples and of samples that share subjects).
    tail
        Error of each limit, at most 0.5. The arrays are broadcast against each other.

    Returns
    -------
    low, high
        NaN where there are no trials.

    Notes
    -----
    Clopper and Pearson (1934, Biometrika 26): the rates at which as many hits or more, as few or fewer, have a probability of
    `tail`. Scipy has them as ``binomtest(k, n).proportion_ci(method="exact")``.
    """
    k, n, error = np.broadcast_arrays(*(np.asarray(a, float) for a in (hits, trials, tail)))
    limits = _lower(np.stack([k, n - k]), np.stack([n, n]), np.stack([error, error]))
    return np.where(n > 0, limits[0], np.nan), np.where(n > 0, 1 - limits[1], np.nan)


def normal_tail(z: ArrayLike) -> Floats:
    """Probability that a standard normal variable exceeds `z`."""
    return np.asarray(0.5 * _ERFC(np.asarray(z, float) / math.sqrt(2)), np.float64)


def normal_quantiles(probability: Floats) -> Floats:
    """Quantiles of the standard normal distribution."""
    values, index = np.unique(probability, return_inverse=True)
    return np.array([NormalDist().inv_cdf(float(p)) for p in values])[index.reshape(probability.shape)]


def _lower(k: Floats, n: Floats, error: Floats) -> Floats:
    """Rate at which `k` hits or more have this probability; 0 with fewer than `_LEAST_HITS`."""
    limit = np.zeros(k.shape)
    some = (k >= _LEAST_HITS) & (n > 0)
    if not some.any():
        return limit
    # As many hits or more in n trials is the distribution function of Beta(k, n - k + 1).
    a, b, error = k[some], np.maximum(n - k, 0)[some] + 1, error[some]
    x = _expansion_quantile(a, b, -normal_quantiles(error))
    few = np.minimum(a, b) <= _FEW
    x[few] = _refined(x[few], a[few], b[few], error[few])
    limit[some] = x
    return limit


def _expansion_quantile(a: Floats, b: Floats, z: Floats) -> Floats:
    """Quantile of Beta(a, b) that a standard normal variable would have at `-z`.

    The signed root of the deviance with its correction r* (Barndorff-Nielsen 1986, Biometrika 73) is standard normal up to a
    relative error of the tail probability of 6 % for one hit, 0.3 % for ten and 0.03 % for fifty.
    """
    size = a + b
    mean = a / size
    spread = np.sqrt(size * mean * (1 - mean))
    skew = (1 - 2 * mean) / (3 * spread)
    y = np.log(a / b) - z / spread
    for _ in range(_STEPS):
        x = 1 / (1 + np.exp(-y))
        deviance = a * np.log(mean / x) + b * np.log((1 - mean) / (1 - x))
        r = np.where(x < mean, -1.0, 1.0) * np.sqrt(np.maximum(2 * deviance, 1e-12))
        u = (x - mean) * size / spread
        near = np.abs(r) < _NEAR
        ratio = np.where(near, 1.0, u / r)
        corrected = r + np.where(near, skew, np.log(ratio) / np.where(near, 1.0, r))
        step = (corrected + z) / (spread * ratio)
        y = y - np.clip(step, -3, 3)
        if np.abs(step).max() < _PRECISION:
            break
    return 1 / (1 + np.exp(-y))


def _refined(x: Floats, a: Floats, b: Floats, error: Floats) -> Floats:
    """One step of Newton's method for the logarithm of the incomplete beta function, which is nearly straight here."""
    if not x.size:
        return x
    constant = np.asarray(_LGAMMA(a + b) - _LGAMMA(a + 1) - _LGAMMA(b), np.float64)
    y, target = np.log(x / (1 - x)), np.log(error)
    fraction = _continued_fraction(a, b, x)
    log_tail = constant + a * np.log(x) - b * np.log1p(np.exp(y)) + np.log(fraction)
    y = y - (log_tail - target) * fraction / a
    return 1 / (1 + np.exp(-y))


def _continued_fraction(a: Floats, b: Floats, x: Floats) -> Floats:
    """Continued fraction of the incomplete beta function (Press et al. 2007, Numerical Recipes, 6.4), by Lentz's method."""
    c, d = np.ones(x.shape), 1 / (1 - (a + b) * x / (a + 1))
    value = d.copy()
    for m in range(1, _TERMS + 1):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        previous = value
        for term in (even, odd):
            d, c = 1 / (1 + term * d), 1 + term / c
            value = value * d * c
        if np.abs(value / previous - 1).max() < _EXACT:
            break
    return value
