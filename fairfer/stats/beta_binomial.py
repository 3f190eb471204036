"""Partial pooling of the rates of many small groups: a hierarchical beta-binomial model.

The rates of the groups come from one beta distribution, whose mean and spread are estimated from all groups. The estimate of a
group with few trials then depends mostly on the other groups, that of a group with many trials mostly on its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fairfer.stats.intervals import Floats

_FINE = 24
_NEGLIGIBLE = 1e-5
_BISECTIONS = 30


@dataclass(frozen=True)
class PooledRates:
    """Result of `partial_pooling`.

    Attributes
    ----------
    rate, low, high
        (groups,) posterior means and limits.
    common
        Posterior mean of the mean of all groups' rates.
    own_weight
        (groups,) share of a group's own rate in its estimate; the common rate has the rest.
    """

    rate: Floats
    low: Floats
    high: Floats
    common: float
    own_weight: Floats


def partial_pooling(hits: ArrayLike, trials: ArrayLike, confidence: float = 0.95) -> PooledRates:
    """Pooled rates of several groups, with intervals.

    Parameters
    ----------
    hits, trials
        (groups,) counts, or effective numbers of them; at least two groups with trials.
    confidence
        Of each interval.

    Notes
    -----
    Gelman, Hill and Yajima (2012, J. Res. Educ. Eff. 5): comparisons between partially pooled estimates need no correction for
    multiple comparisons. The beta distribution has mean m and intraclass correlation r. Its parameters are not set to their
    most likely values, as empirical Bayes does, because intervals would then be too short when few groups determine them
    (Morris 1983, J. Am. Stat. Assoc. 78): the posterior is summed over a grid. The priors are Jeffreys' for m, and uniform for
    the square root of r, the relative standard deviation (Gelman 2006, Bayesian Anal. 1). Intervals cover as stated on average
    over the groups. Those of a group that is unlike all others cover less often: pooling moves its rate toward theirs.
    """
    k, n = np.asarray(hits, float), np.asarray(trials, float)
    center = np.log((k.sum() + 0.5) / (n.sum() - k.sum() + 0.5))
    away = np.geomspace(1e-4, 12, 40)
    logits = np.concatenate([center - away[::-1], [center], center + away])
    spreads = np.geomspace(1e-3, 0.995, 48)
    weight = _posterior(k, n, logits, spreads)
    kept = weight > _NEGLIGIBLE * weight.max()
    logits, spreads = (_refined(g, kept.any(axis=axis)) for g, axis in ((logits, 1), (spreads, 0)))
    weight = _posterior(k, n, logits, spreads)
    row, column = np.nonzero(weight > _NEGLIGIBLE * weight.max())
    weights = weight[row, column] / weight[row, column].sum()
    mean = 1 / (1 + np.exp(-logits[row]))
    size = 1 / spreads[column] ** 2 - 1
    alpha, beta = k[:, None] + mean * size, (n - k)[:, None] + (1 - mean) * size
    tail = (1 - confidence) / 2
    return PooledRates(
        (alpha / (alpha + beta)) @ weights,
        _quantile(alpha, beta, weights, tail),
        _quantile(alpha, beta, weights, 1 - tail),
        float(mean @ weights),
        (n[:, None] / (n[:, None] + size)) @ weights,
    )


def _posterior(k: Floats, n: Floats, logits: Floats, spreads: Floats) -> Floats:
    """(logits, spreads) weights of the grid's cells, up to a factor."""
    from scipy import special  # slow to import

    mean = 1 / (1 + np.exp(-logits))[:, None]
    size = (1 / spreads**2 - 1)[None, :]
    a, b = mean * size, (1 - mean) * size
    likelihood = np.zeros(a.shape)
    for hits, trials in zip(k, n, strict=True):
        likelihood += special.betaln(hits + a, trials - hits + b) - special.betaln(a, b)
    # Jeffreys' prior of the mean, 1 / sqrt(m (1 - m)), times dm = m (1 - m) d logit.
    logarithm = likelihood + 0.5 * np.log(mean * (1 - mean))
    weight: Floats = np.exp(logarithm - logarithm.max()) * np.gradient(logits)[:, None] * np.gradient(spreads)
    return weight


def _refined(grid: Floats, kept: np.ndarray) -> Floats:
    """Evenly spaced values over the part of a grid that matters."""
    index = np.flatnonzero(kept)
    low, high = grid[max(index[0] - 1, 0)], grid[min(index[-1] + 1, len(grid) - 1)]
    return np.linspace(low, high, _FINE)


def _quantile(alpha: Floats, beta: Floats, weights: Floats, probability: float) -> Floats:
    """(groups,) quantile of a mixture of beta distributions, by bisection."""
    from scipy import special  # slow to import

    low, high = np.zeros(len(alpha)), np.ones(len(alpha))
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        below = special.betainc(alpha, beta, middle[:, None]) @ weights < probability
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2
