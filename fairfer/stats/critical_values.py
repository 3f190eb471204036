"""Critical values of permutation tests, computed from margins instead of drawn.

Power refers to data that do not exist yet, so their permutations cannot be drawn: the critical value must follow from the sizes
of the groups, the total number of hits and the level.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from fairfer.stats.comparisons import Comparisons
from fairfer.stats.intervals import Floats, normal_quantile

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_EXACT_VARIANCE = 60.0
"""Variance of the hits above which their conditional distribution is taken as normal, with continuity correction."""

_REACH = 8.0
"""Standard deviations around the mean that are summed."""

_CLASSES = 12
"""Groups are represented by this many sizes, so that the cost does not grow with the square of their number."""

_POINTS = 9
"""Values that represent the total hits of a pair of groups."""

SMOOTH_VARIANCE = 12.0
"""Variance of the hits of every group above which the statistics take so many values that critical values are smooth. In
smaller groups a small error of a probability changes the critical value by a step, so there its upper limit counts."""

_PRECISION = 1e-4
_PAIR = 2
_TABLE = 1 << 16
_MOST = 38.0
"""Statistics beyond this have no probability."""


def conditional_p_values(hits: Floats, totals: Floats, trials: float, other_trials: float) -> Floats:
    """Two-sided p-values of equal proportions in two groups, given the margins, for many outcomes.

    Parameters
    ----------
    hits, totals
        (n,) hits of the first group, and of both.
    trials, other_trials
        Sizes of both groups.

    Notes
    -----
    As `fairfer.stats.conditional.conditional_p`; where the hits vary much, by the normal distribution with continuity
    correction.
    """
    distance = np.abs(hits - trials * totals / (trials + other_trials))
    size = np.full(hits.shape, float(trials)), np.full(hits.shape, float(other_trials))
    variance = _variance(*size, totals)
    from scipy import special

    p = np.asarray(special.erfc((distance - 0.5) / np.sqrt(np.maximum(2 * variance, 1e-12))), float).clip(0, 1)
    exact = np.flatnonzero(variance <= _EXACT_VARIANCE)
    if len(exact):
        t, row = np.unique(totals[exact], return_inverse=True)
        distances, probability = conditional_rows(np.full(t.shape, float(trials)), np.full(t.shape, float(other_trials)), t)
        beyond = distances[row] >= distance[exact, None] - 1e-9
        p[exact] = (probability[row] * beyond).sum(axis=1)
    return p


def conditional_rows(trials: Floats, other_trials: Floats, totals: Floats) -> tuple[Floats, Floats]:
    """Distances of the hits of the first group from their expected number, and their probabilities, given the margins.

    Parameters
    ----------
    trials, other_trials, totals
        (rows,) margins.

    Returns
    -------
    distances, probabilities
        (rows, values); values that cannot occur have distance -1 and probability 0.
    """
    mean = trials * totals / (trials + other_trials)
    lowest, highest = np.maximum(0, totals - other_trials), np.minimum(trials, totals)
    reach = _REACH * math.sqrt(float(_variance(trials, other_trials, totals).max(initial=0.0))) + 8
    start = np.maximum(lowest, np.floor(mean - reach))
    width = int((np.minimum(highest, np.ceil(mean + reach)) - start).max(initial=0)) + 1
    k = start[:, None] + np.arange(width, dtype=float)
    possible = k <= highest[:, None]
    k = np.where(possible, k, highest[:, None])
    n, o, t = trials[:, None], other_trials[:, None], totals[:, None]
    log = -_log_factorial(k) - _log_factorial(n - k) - _log_factorial(t - k) - _log_factorial(o - t + k)
    weight = np.where(possible, np.exp(log - log.max(axis=1, keepdims=True)), 0.0)
    distances = np.where(possible, np.abs(k - mean[:, None]), -1.0)
    return distances, weight / weight.sum(axis=1, keepdims=True)


def critical_value(trials: ArrayLike, total_hits: float, level: float) -> float:
    """Critical value of the largest score statistic of all pairs of groups and of each group vs. the rest.

    Parameters
    ----------
    trials
        (groups,) sizes of at least three groups.
    total_hits
        Hits of all groups together, which permutation keeps.
    level
        Level of the test.

    Returns
    -------
    float
        The largest statistic with a p-value of at least the level.

    Notes
    -----
    The probability that any statistic exceeds a value is at most the sum of the probabilities of each, and that times a factor
    for their dependence. The former are exact: hypergeometric hits of a group given those of the pair, for several totals of
    the pair.
    The factor is that of normal statistics, the expected value of 1 / (number of statistics beyond the value), given that one
    of them is (Naiman and Priebe 2001, J. Comput. Graph. Stat. 10).
    """
    n = np.asarray(trials, float)
    rows = _rows(n, float(total_hits))
    variance = _variance(*rows[:3])
    normal = float(rows[3][variance > _EXACT_VARIANCE].sum())
    statistics, tail = _exact_tail(*(r[variance <= _EXACT_VARIANCE] for r in rows))
    guess = normal_quantile(1 - level / len(Comparisons.of(len(n))) / 2)
    rate = float(total_hits) / float(n.sum())
    if float(n.min()) * rate * (1 - rate) > SMOOTH_VARIANCE:
        level /= dependence(n, guess)

    def probability(value: float) -> float:
        i = int(np.searchsorted(-statistics, -value + 1e-9, side="right"))
        return normal * math.erfc(value / math.sqrt(2)) + (float(tail[i - 1]) if i else 0.0)

    low, high = 0.0, _MOST
    while high - low > _PRECISION:
        middle = (low + high) / 2
        low, high = (middle, high) if probability(middle) >= level else (low, middle)
    return high


def _rows(n: Floats, total: float) -> tuple[Floats, Floats, Floats, Floats]:
    """Sizes of both sides, total hits, and expected number of such comparisons."""
    size = float(n.sum())
    rest = (n, size - n, np.full(len(n), total), np.ones(len(n)))
    value, count = _classes(n)
    i, j = np.triu_indices(len(value))
    number = np.where(i == j, count[i] * (count[i] - 1) / 2, count[i] * count[j])
    i, j, number = i[number > 0], j[number > 0], number[number > 0]
    pair = value[i] + value[j]
    outside = np.maximum(size - pair, 0)
    deviation = np.sqrt(_variance(pair, outside, np.full(len(pair), total)))
    mean = pair * total / size
    # A few totals of each pair, weighted as in a normal distribution.
    step = np.maximum(1.0, np.ceil(6 * deviation / (_POINTS - 1)))
    offset = np.arange(_POINTS) - _POINTS // 2
    t = np.rint(mean)[:, None] + step[:, None] * offset
    weight = np.exp(-0.5 * ((t - mean[:, None]) / np.maximum(deviation, 0.3)[:, None]) ** 2)
    weight[(t < 0) | (t > pair[:, None])] = 0.0
    weight *= (number / weight.sum(axis=1))[:, None]
    used = weight > 1e-6 * number[:, None]
    wide = [np.broadcast_to(x[:, None], t.shape)[used] for x in (value[i], value[j])]
    parts = ((wide[0], rest[0]), (wide[1], rest[1]), (t[used], rest[2]), (weight[used], rest[3]))
    a, b, c, d = (np.concatenate(p) for p in parts)
    return a, b, c, d


def _exact_tail(n: Floats, other: Floats, totals: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Statistics in decreasing order, and the expected number of comparisons that reach them."""
    if not len(n):
        return np.zeros(0), np.zeros(0)
    distances, probability = conditional_rows(n, other, totals)
    pooled = totals / (n + other)
    deviation = np.sqrt(pooled * (1 - pooled) * n * other / (n + other))
    statistics = distances / np.maximum(deviation, 1e-12)[:, None]
    relevant = (statistics > 1.0) & (deviation > 0)[:, None]
    statistics, mass = statistics[relevant], (probability * weight[:, None])[relevant]
    order = np.argsort(-statistics, kind="stable")
    return statistics[order], np.cumsum(mass[order])


def _classes(n: Floats) -> tuple[Floats, Floats]:
    """Sizes that represent all, and the number of groups that each stands for."""
    value, count = np.unique(n, return_counts=True)
    if len(value) <= _CLASSES:
        return value, count.astype(float)
    parts = np.array_split(np.sort(n), _CLASSES)
    return np.array([np.rint(np.exp(np.log(p).mean())) for p in parts]), np.array([float(len(p)) for p in parts])


def _representative(n: Floats) -> tuple[float, ...]:
    """Some of the groups, by size."""
    ordered = np.sort(n)
    chosen = np.unique(np.linspace(0, len(n) - 1, min(len(n), _CLASSES)).round().astype(int))
    return tuple(float(f"{x:.2g}") for x in ordered[chosen])


def dependence(trials: Floats, value: float) -> float:
    """Factor by which the dependence of the statistics lowers the probability that any exceeds a value.

    Parameters
    ----------
    trials
        (groups,) sizes, of which only the ratios matter.
    value
        Value of the statistics, which hardly matters.
    """
    return _dependence(_representative(np.asarray(trials, float)), round(value, 1)) if len(trials) > _PAIR else 1.0


@lru_cache(maxsize=256)
def _dependence(trials: tuple[float, ...], value: float) -> float:
    """Probability that any of the normal statistics exceeds a value, divided by the sum of the probabilities of each."""
    n = np.array(trials)
    comparisons = Comparisons.of(len(n))
    loading = np.zeros((len(comparisons), len(n)))
    for c, row in enumerate(loading):
        for sign, members in zip((1, -1), comparisons.members(c), strict=True):
            row[members] = sign * np.sqrt(n[members]) / n[members].sum()
    loading /= np.sqrt((loading**2).sum(axis=1, keepdims=True))
    generator = np.random.default_rng(0)
    chosen = np.arange(max(len(loading), 400)) % len(loading)
    y = generator.standard_normal((len(chosen), len(n)))
    tail = math.erfc(value / math.sqrt(2)) / 2
    z = np.array([normal_quantile(1 - tail * u) for u in generator.uniform(0.001, 1, len(chosen))])
    own = loading[chosen]
    y += own * (z - (y * own).sum(axis=1))[:, None]
    number = (np.abs(y @ loading.T) >= value - 1e-9).sum(axis=1)
    return float((1 / number).mean())


def _variance(n: Floats, other: Floats, totals: Floats) -> Floats:
    """Variances of the hits of the first group, given the margins."""
    size = n + other
    variance: Floats = n * other / size * (totals / size) * (size - totals) / np.maximum(size - 1, 1)
    return variance


def _log_factorial(x: Floats) -> Floats:
    """Logarithms of factorials of whole numbers."""
    if x.max(initial=0) < _TABLE:
        values: Floats = _table()[x.astype(np.intp)]
        return values
    from scipy import special

    return np.asarray(special.gammaln(x + 1), float)


@lru_cache(maxsize=1)
def _table() -> Floats:
    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, _TABLE)))])
