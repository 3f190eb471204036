"""Power of the decision taken: the probability that a difference is reported in this audit's own family of tests.

A gap is reported when its p-value, adjusted for all comparisons of groups, is below its level in the family: 0.05 times the
share of significant gaps (Benjamini and Hochberg 1995), this one included.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from fairfer.stats.comparisons import Comparisons, with_rests
from fairfer.stats.critical_values import SMOOTH_VARIANCE, conditional_p_values, critical_value
from fairfer.stats.intervals import Floats, normal_quantile
from fairfer.stats.permutation import TIE

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

POWER = 0.8
"""Probability with which a detectable difference is reported."""

MAXIMUM_ADDITIONAL = 1_000_000
"""Additional samples beyond which no additional sample size is given."""

_POINTS = 512
"""Simulated data sets."""

_NORMAL_VARIANCE = 200.0
"""Variance of hits above which they are drawn as normal."""

_COMPARISONS = 6
"""Comparisons that can be significant with a relevant probability: at most this many, with a noncentrality that is lower than
the largest by at most `_LOWER`."""

_LOWER = 1.5
_PRECISION = 0.003
_FINE, _COARSE, _SMOOTH = 0.25, 0.75, 6.0
_FEW = 3.0
"""Standard deviation of the total hits up to which the critical value of every total is computed."""

_STEPS = 30
_LEAST = 1e-4
_NARROW = 1e-3
_NONCENTRALITY = 4.0
"""A usual noncentrality of differences with 80 % power, for steps towards them."""

_PAIR = 2


def power_of_groups(rates: ArrayLike, trials: ArrayLike, level: float, *, resolution: float = _FINE) -> float:
    """Probability that the differences between groups of independent samples are significant.

    Parameters
    ----------
    rates, trials
        (groups,) true rates and sizes of at least two groups.
    level
        Level of the test of all comparisons: 0.05 times (number of significant gaps, this one included) / number of gaps.
    resolution
        Distance, in standard deviations, of the totals for which critical values are computed.

    Returns
    -------
    float
        Probability that the p-value of `fairfer.stats.SampleTest` is below the level.

    Notes
    -----
    By quasi-Monte-Carlo integration over the hits of the groups, with exact conditional critical values: no random numbers vary
    between calls, so the result is a smooth function of the rates.
    """
    p, n = np.asarray(rates, float), np.rint(np.asarray(trials, float))
    comparisons = Comparisons.of(len(n))
    chosen = np.array([0]) if len(n) == _PAIR else _relevant(p, n, comparisons)
    hits, total = _hits(p, n, np.unique(np.concatenate([comparisons.one[chosen], comparisons.other[chosen] % len(n)])))
    size = with_rests(n)
    largest = np.zeros(_POINTS)
    for c in chosen:
        one, other = int(comparisons.one[c]), int(comparisons.other[c])
        t = total if other >= len(n) else hits[one] + hits[other]
        conditional = conditional_p_values(hits[one], t, size[one], size[other])
        if len(n) == _PAIR:
            return float((conditional < level).mean())
        largest = np.maximum(largest, _statistic(hits[one], t, size[one], size[other], conditional))
    return float((largest > _critical_values(n, total, level, resolution) + TIE).mean())


def _statistic(k: Floats, t: Floats, n: float, o: float, conditional: Floats) -> Floats:
    """Score statistics, at most the normal quantile of the conditional p-value (see `fairfer.stats.SampleTest`)."""
    from scipy import special

    pooled = t / (n + o)
    deviation = np.sqrt(np.maximum(pooled * (1 - pooled), 1e-15) * n * o / (n + o))
    limit = -special.ndtri(np.maximum(conditional, 1e-300) / 2)
    return np.asarray(np.minimum(np.abs(k - n * pooled) / deviation, limit), float)


def _critical_values(n: Floats, total: Floats, level: float, resolution: float) -> Floats:
    """Critical values for simulated total hits: of the totals of a grid, the larger one of both neighbors."""
    rate = float(total.mean() / n.sum())
    is_smooth = float(n.min()) * rate * (1 - rate) > SMOOTH_VARIANCE
    deviation = float(total.std())
    step = max(1.0, np.rint(deviation * (_SMOOTH if is_smooth else resolution))) if deviation > _FEW else 1.0
    first, last = math.floor(float(total.min()) / step), math.ceil(float(total.max()) / step)
    known = np.array(
        [_cached_critical(tuple(n), min(max(i * step, 1.0), float(n.sum()) - 1), level) for i in range(first, last + 1)]
    )
    position = total / step - first
    values: Floats = np.maximum(known[np.floor(position).astype(np.intp)], known[np.ceil(position).astype(np.intp)])
    return values


@lru_cache(maxsize=4096)
def _cached_critical(n: tuple[float, ...], total: float, level: float) -> float:
    return critical_value(n, total, level)


def _relevant(p: Floats, n: Floats, comparisons: Comparisons) -> np.ndarray:
    """Comparisons that are most likely significant."""
    size = with_rests(n)
    rate = with_rests(p * n) / size
    difference = np.abs(rate[comparisons.one] - rate[comparisons.other])
    pooled = (rate * size)[comparisons.one] + (rate * size)[comparisons.other]
    both = size[comparisons.one] + size[comparisons.other]
    pooled = pooled / both
    variance = pooled * (1 - pooled) * (1 / size[comparisons.one] + 1 / size[comparisons.other])
    noncentrality = difference / np.sqrt(np.maximum(variance, 1e-12))
    order = np.argsort(-noncentrality, kind="stable")[:_COMPARISONS]
    chosen: np.ndarray = order[noncentrality[order] >= noncentrality[order[0]] - _LOWER]
    return chosen


def _hits(p: Floats, n: Floats, groups: np.ndarray) -> tuple[dict[int, Floats], Floats]:
    """Simulated hits of some groups, and of all groups together."""
    points = _uniforms(len(groups) + 1)
    hits = {int(g): _binomial(p[g], n[g], points[i]) for i, g in enumerate(groups)}
    others = np.setdiff1d(np.arange(len(n)), groups)
    total = np.sum(list(hits.values()), axis=0)
    if len(others):
        size = float(n[others].sum())
        total = total + _binomial(float(p[others] @ n[others]) / size, size, points[-1])
    return hits, total


def _binomial(p: float, n: float, points: tuple[Floats, Floats]) -> Floats:
    """Quantiles of a binomial distribution at uniform points, given with their normal quantiles."""
    uniform, normal = points
    mean, variance = n * p, n * p * (1 - p)
    if variance <= 0:
        return np.full(len(uniform), mean)
    if variance > _NORMAL_VARIANCE:
        skewed = normal + (1 - 2 * p) * (normal**2 - 1) / 6 / math.sqrt(variance)  # Cornish and Fisher
        return np.clip(np.rint(mean + math.sqrt(variance) * skewed), 0, n)
    reach = 8 * math.sqrt(variance) + 8
    k = np.arange(max(0, math.floor(mean - reach)), min(n, math.ceil(mean + reach)) + 1)
    from scipy import special

    log = special.xlogy(k, p) + special.xlog1py(n - k, -p) - special.gammaln(k + 1) - special.gammaln(n - k + 1)
    cumulative = np.cumsum(np.exp(log - log.max()))
    values: Floats = k[np.minimum(np.searchsorted(cumulative / cumulative[-1], uniform), len(k) - 1)]
    return values


@lru_cache(maxsize=64)
def _uniforms(dimensions: int) -> list[tuple[Floats, Floats]]:
    """Evenly distributed points, an additive sequence of powers of a generalized golden ratio, and their normal quantiles."""
    from scipy import special

    ratio = 1.5
    for _ in range(60):
        ratio = (1 + ratio) ** (1 / (dimensions + 1))
    step = np.arange(1, _POINTS + 1)
    columns = [(0.5 + step * ratio ** -(d + 1)) % 1 for d in range(dimensions)]
    return [(u.astype(np.float64), np.asarray(special.ndtri(u), np.float64)) for u in columns]


def minimum_detectable_difference(rate: float, sizes: ArrayLike, level: float, target: float = POWER) -> float | None:
    """Smallest true difference between the two smallest groups that is reported with 80 % power.

    Parameters
    ----------
    rate
        Rate of all groups together.
    sizes
        (groups,) trials of each group.
    level
        As for `power_of_groups`.
    target
        The power.

    Returns
    -------
    float or None
        ``None`` when no difference has this power, or when the rate is 0 or 1, so that these data do not show how it varies.

    Notes
    -----
    The two smallest groups are the pair that is compared least precisely; a difference of this size between any other pair has
    more power. They differ around the rate of all, as far as 0 and 1 allow, and the other groups keep it (see `planted_rates`).
    Of both directions, that with less power counts.
    """
    n = np.asarray(sizes, float)
    if not 0 < rate < 1:
        return None
    largest = 0.0
    pair = least_precise_pair(n)
    for one, other in itertools.permutations(pair) if n[pair[0]] != n[pair[1]] else [pair]:

        def probability(difference: float, planted: tuple[int, int] = (one, other)) -> float:
            return power_of_groups(planted_rates(rate, n, planted, difference), n, level)

        if largest and probability(largest) >= target:
            continue
        gap = smallest_with_power(probability, max(largest, _guess(rate, n, pair, level)), target=target)
        if gap is None:
            return None
        largest = max(largest, gap)
    return largest


def least_precise_pair(sizes: ArrayLike) -> tuple[int, int]:
    """The two smallest groups, in order of size."""
    one, other = np.argsort(np.asarray(sizes, float), kind="stable")[:_PAIR]
    return int(one), int(other)


def planted_rates(rate: float, sizes: ArrayLike, pair: Sequence[int], difference: float) -> Floats:
    """Rates of which the first group of a pair has a higher one than the second, and the others the given one.

    Parameters
    ----------
    rate
        Rate of all groups together, which stays the same as far as 0 and 1 allow.
    sizes
        (groups,) trials of each group.
    pair
        Indices of the groups with the higher and the lower rate.
    difference
        Their difference.
    """
    n = np.asarray(sizes, float)
    high, low = pair
    rates = np.full(len(n), float(rate))
    rates[high] = min(max(rate + difference * n[low] / (n[high] + n[low]), difference), 1.0)
    rates[low] = max(rates[high] - difference, 0.0)
    return rates


def _guess(rate: float, n: Floats, pair: Sequence[int], level: float) -> float:
    z = normal_quantile(1 - level / len(Comparisons.of(len(n))) / 2) + normal_quantile(POWER)
    return z * math.sqrt(rate * (1 - rate) * sum(1 / n[g] for g in pair))


def smallest_with_power(
    probability: Callable[[float], float], guess: float, largest: float = 1.0, exponent: float = 1.0, target: float = POWER
) -> float | None:
    """Smallest argument, up to the largest, of an increasing function that reaches a power.

    Parameters
    ----------
    probability
        The function.
    guess, largest
        First and largest argument.
    exponent
        1 for a difference, 2 for a sample size, which grows with the square of the noncentrality.
    target
        The power.

    Returns
    -------
    float or None
        ``None`` where no argument reaches the power.
    """
    goal = normal_quantile(target)
    slack = _PRECISION / 0.28  # 0.28 is the normal density at the quantile of 0.8
    low: tuple[float, float] | None = None
    high: tuple[float, float] | None = None
    x = min(guess, largest)
    for _ in range(_STEPS):
        value = normal_quantile(min(max(probability(x), _LEAST), 1 - _LEAST)) - goal
        if 0 <= value < slack or (high and low and high[0] - low[0] < _NARROW * high[0]):
            return x if value >= 0 else (high or (x,))[0]
        if value < 0 and x >= largest:
            return None
        low, high = ((x, value), high) if value < 0 else (low, (x, value))
        if low and high:
            share = low[1] / (low[1] - high[1])
            x = low[0] + (high[0] - low[0]) * min(max(share + 0.02, 0.05), 0.95)
        else:
            x = min(x * (_NONCENTRALITY / max(_NONCENTRALITY + value - 0.03 * (value < 0), 1.0)) ** exponent * 1.01, largest)
            x = x if high is None else min(x, 0.97 * high[0])
    return None if high is None else high[0]


def additional_sample_size(
    hits: ArrayLike, sizes: ArrayLike, level: float, sides: tuple[Sequence[int], Sequence[int]] | None = None
) -> dict[int, int] | None:
    """Additional trials of which groups that make the observed differences, taken as the true ones, reported with 80 % power.

    Parameters
    ----------
    hits, sizes
        (groups,) counts of each group.
    level
        As for `power_of_groups`.
    sides
        Indices of the groups on either side of the leading difference; those with the lowest and the highest rate by default.

    Returns
    -------
    dict or None
        Additional trials by the number of the group: of the smaller side where that suffices, else of both sides equally, else
        of all groups. Empty when the data suffice; ``None`` when there is no difference, or when more than `MAXIMUM_ADDITIONAL`
        would be needed.
    """
    k, n = np.asarray(hits, float), np.asarray(sizes, float)
    rates = k / n
    if np.ptp(rates) <= 0:
        return None
    one, other = sides or ([int(rates.argmin())], [int(rates.argmax())])
    if power_of_groups(rates, n, level, resolution=_COARSE) >= POWER:
        return {}
    smaller = min((one, other), key=lambda side: float(n[list(side)].sum()))
    return smallest_addition(
        lambda size: power_of_groups(rates, size, level, resolution=_COARSE),  # there are many sizes to try
        n,
        tuple(dict.fromkeys(tuple(sorted(g)) for g in (smaller, [*one, *other], range(len(n))))),
    )


def smallest_addition(
    probability: Callable[[Floats], float], sizes: Floats, choices: Sequence[Sequence[int]], maximum: int = MAXIMUM_ADDITIONAL
) -> dict[int, int] | None:
    """Smallest number that, added to the sizes of the first choice of groups for which any does, reaches `POWER`."""
    for groups in choices:

        def enlarged(number: float, groups: Sequence[int] = groups) -> float:
            size = sizes.copy()
            size[list(groups)] += math.ceil(number)
            return probability(size)

        if enlarged(maximum) < POWER:
            continue
        number = smallest_with_power(enlarged, float(sizes[list(groups)].mean()), maximum, 2.0)
        if number is not None:
            return dict.fromkeys(groups, math.ceil(number))
    return None
