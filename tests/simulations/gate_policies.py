"""Wrong verdicts of whole policies on independent faces, for every kind of rule, number of checks and structure of groups.

All outcomes of a pair of groups (of a group and its baseline) are enumerated over the rates at which its true value is exactly
at the limit. The policy's errors follow without simulation, whatever the dependence between its checks: a policy passes only if
each pair passes, so a wrong pass is no more likely than that of its worst pair; a wrong failure is no more likely than the sum
over its checks and pairs (Holm's first step, at which all of them are at the limit).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from rows import Row, at_most, sizes_name
from scipy import special

from fairfer.stats.binomial import clopper_pearson
from fairfer.stats.exact import ArcLimits, gap_bound_below, paired_bounds

PASSES = "policy, {}: a wrong pass in at most 5 %"
FAILS = "policy, {}: any wrong failure in at most 5 %"
ERROR = 0.05
CHECKS = (1, 8, 64)
SIZES: tuple[tuple[int, ...], ...] = (
    (20, 20),
    (20, 5000),
    (37, 811),
    (200, 200),
    (5000, 5000),
    (25,) * 8,
    (400,) * 8,
    (20, 1000, 1000, 1000, 1000, 1000, 1000, 1000),
    (20, 50, 100, 200, 500, 500, 1000, 1000),
)
SHORT_SIZES = ((20, 20), (37, 300), (25,) * 8)
GAPS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.9, 0.98)
RATIOS = (0.2, 0.5, 0.8, 0.9, 0.95, 0.99)
RATES = (0.01, 0.05, 0.2, 0.5, 0.8, 0.9, 0.95, 0.99, 0.995)
LOSSES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.3, 0.9)
_NUISANCE = 41
"""Rates of one of two groups, closer together near 0 and 1, at which the error is computed."""

_FAR = 1e-13
"""Probability of an outcome that is not counted."""


def rows(seed: int, *, short: bool) -> Iterator[Row]:
    """Every kind of rule, by exact enumeration."""
    del seed  # nothing is drawn
    sizes = SHORT_SIZES if short else SIZES
    for structure in sizes:
        for limit in RATES[:: 2 if short else 1]:
            yield from _worst(structure, limit)
        for kind, limits in (("max_gap", GAPS), ("min_ratio", RATIOS), ("max_regression, other faces", LOSSES)):
            for limit in limits[:: 3 if short else 1]:
                yield from _pairs(kind, structure, limit)
        for limit in LOSSES[:: 3 if short else 1]:
            yield from _paired(structure, limit)


def _row(promise: str, kind: str, checks: int, structure: Sequence[int], limit: float, found: float) -> Row:
    many = "1 check" if checks == 1 else f"{checks} checks"
    groups = f"{len(structure)} groups" if len(structure) > 1 else "1 group"
    return at_most(promise.format(kind), f"{many}, {groups}", f"{many}, {sizes_name(structure)}, limit {limit:g}", found)


# ---- single rates


def _worst(structure: Sequence[int], limit: float) -> Iterator[Row]:
    """A wrong pass of the group at the limit, the others far above; failures with all groups at the limit."""
    passes = max(_single(n, limit, ERROR)[0] for n in set(structure))
    for checks in CHECKS:
        yield _row(PASSES, "min_worst", checks, structure, limit, passes)
        error = ERROR / checks / len(structure)
        fails = 1 - np.prod([1 - _single(n, limit, error)[1] for n in structure])
        yield _row(FAILS, "min_worst", checks, structure, limit, checks * float(fails))


@cache
def _single(n: int, limit: float, error: float) -> tuple[float, float]:
    hits = np.arange(n + 1)
    low, high = clopper_pearson(hits, np.full(n + 1, n), error)
    probability = _pmf(hits, n, np.array(limit))
    return float(probability[low >= limit].sum()), float(probability[high < limit].sum())


# ---- two independent groups


@dataclass(frozen=True)
class _Regions:
    """Outcomes of two groups that are decided, as numbers of hits of the second for each number of the first.

    Attributes
    ----------
    least, most
        (hits of the first,) the check passes from `least` to `most` hits of the second.
    below, above
        It fails up to `below` and from `above`.
    """

    least: np.ndarray
    most: np.ndarray
    below: np.ndarray
    above: np.ndarray


def _pairs(kind: str, structure: Sequence[int], limit: float) -> Iterator[Row]:
    if kind.startswith("max_regression"):
        pairs = [(n, n) for n in structure]
        tests = len(structure)
    else:
        pairs = [(min(p), max(p)) for p in itertools.combinations(structure, 2)]
        tests = len(pairs) * (2 if kind == "min_ratio" else 1)
    passes = max(_two(kind, *p, limit, ERROR)[0] for p in set(pairs))
    for checks in CHECKS:
        yield _row(PASSES, kind, checks, structure, limit, passes)
        fails = sum(_two(kind, *p, limit, ERROR / checks / tests)[1] for p in pairs)
        yield _row(FAILS, kind, checks, structure, limit, checks * fails)


@cache
def _two(kind: str, n: int, m: int, limit: float, error: float) -> tuple[float, float]:
    """Largest probability, over rates at the limit, that a pair of groups of n and m passes, and that it fails."""
    regions = _regions(kind, n, m, limit, error)
    return tuple(
        max(float(_probability(n, m, *rates, *spans).max(initial=0)) for rates in _at_limit(kind, limit))
        for spans in (
            ((regions.least, regions.most),),
            ((np.zeros_like(regions.below), regions.below), (regions.above, np.full_like(regions.above, m))),
        )
    )


def _at_limit(kind: str, limit: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    share = np.sin(np.linspace(0, np.pi / 2, _NUISANCE)) ** 2
    share = np.unique(np.concatenate([share, np.logspace(-4, -1, 20), 1 - np.logspace(-4, -1, 20)]))
    if kind == "min_ratio":
        yield share * limit, share
        yield share, share * limit
        return
    low = share * (1 - limit)
    yield low + limit, low
    if kind == "max_gap":
        yield low, low + limit


def _probability(n: int, m: int, one: np.ndarray, other: np.ndarray, *spans: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Probability that the hits of the second are in one of the spans, for each pair of rates."""
    one, other = np.clip(one, 0, 1), np.clip(other, 0, 1)
    hits = np.arange(n + 1)
    weight = _pmf(hits, n, one[:, None])
    point, k = np.nonzero(weight > _FAR)
    inside = np.zeros(len(k))
    for least, most in spans:
        inside += np.maximum(_cdf(most[k], m, other[point]) - _cdf(least[k] - 1, m, other[point]), 0)
    return np.bincount(point, weight[point, k] * inside, minlength=len(one))


def _pmf(hits: np.ndarray, n: int, rate: np.ndarray) -> np.ndarray:
    coefficient = special.gammaln(n + 1) - special.gammaln(hits + 1) - special.gammaln(n - hits + 1)
    return np.exp(coefficient + special.xlogy(hits, rate) + special.xlog1py(n - hits, -rate))


def _cdf(hits: np.ndarray, n: int, rate: np.ndarray) -> np.ndarray:
    inner = special.bdtr(np.clip(hits, 0, n), n, rate)
    return np.where(hits < 0, 0.0, np.where(hits >= n, 1.0, inner))


@cache
def _tables(n: int, error: float) -> ArcLimits:
    """Limits for every number of hits, at the error and at half of it."""
    hits = np.arange(n + 1)
    return ArcLimits.of_counts(hits, np.full(n + 1, n), [[error], [error / 2]])


def _arc(n: int, m: int, hits: np.ndarray, other: np.ndarray, error: float) -> ArcLimits:
    """Limits of two groups with these hits: (directions, 2, outcomes, 2)."""
    one, two = _tables(n, error), _tables(m, error)
    return ArcLimits(
        np.stack([one.low[..., hits], two.low[..., other]], axis=-1),
        np.stack([one.high[..., hits], two.high[..., other]], axis=-1),
    )


def _regions(kind: str, n: int, m: int, limit: float, error: float) -> _Regions:
    """By bisection: each limit rises or falls with the hits of the second group."""
    hits = np.arange(n + 1)
    first, second = np.array([0]), np.array([1])

    def whole(other: np.ndarray) -> ArcLimits:
        arc = _arc(n, m, hits, other, error)
        return ArcLimits(arc.low[:, 0], arc.high[:, 0])

    def difference(other: np.ndarray, side: int) -> np.ndarray:
        return whole(other).difference(first, second)[side][:, 0]

    def below(other: np.ndarray) -> np.ndarray:
        rates = np.stack([hits / n, other / m], axis=-1)
        return gap_bound_below(rates, _arc(n, m, hits, other, error), error)

    def ratio(other: np.ndarray, order: int, side: int) -> np.ndarray:
        return whole(other).ratio(*((first, second) if order == 0 else (second, first)))[side][:, 0]

    if kind == "min_ratio":
        return _Regions(
            _first(m, hits, lambda k: ratio(k, 1, 0) >= limit),
            _last(m, hits, lambda k: ratio(k, 0, 0) >= limit),
            _last(m, hits, lambda k: ratio(k, 1, 1) < limit),
            _first(m, hits, lambda k: ratio(k, 0, 1) < limit),
        )
    if kind == "max_gap":
        return _Regions(
            _first(m, hits, lambda k: difference(k, 1) <= limit),
            _last(m, hits, lambda k: -difference(k, 0) <= limit),
            _last(m, hits, lambda k: (k * n < hits * m) & (below(k) > limit)),
            _first(m, hits, lambda k: (k * n > hits * m) & (below(k) > limit)),
        )
    # The first group is the baseline, and the loss its rate minus that of the second.
    return _Regions(
        _first(m, hits, lambda k: difference(k, 1) <= limit),
        np.full(n + 1, m),
        _last(m, hits, lambda k: difference(k, 0) > limit),
        np.full(n + 1, m + 1),
    )


def _first(m: int, hits: np.ndarray, holds: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Smallest number of hits of the second group, of 0 to m, from which a condition holds; m + 1 where it never does."""
    low, high = np.full(len(hits), -1), np.full(len(hits), m + 1)
    while (high - low > 1).any():
        middle = np.clip((low + high) // 2, 0, m)
        found = holds(middle)
        high, low = np.where(found & (high - low > 1), middle, high), np.where(found | (high - low <= 1), low, middle)
    return high


def _last(m: int, hits: np.ndarray, holds: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Largest number of hits up to which a condition holds; -1 where it never does."""
    return m - _first(m, hits, lambda k: holds(m - k))


# ---- two models on the same faces


def _paired(structure: Sequence[int], limit: float) -> Iterator[Row]:
    passes = max(_of_change(n, limit, ERROR)[0] for n in set(structure))
    for checks in CHECKS:
        yield _row(PASSES, "max_regression, same faces", checks, structure, limit, passes)
        fails = sum(_of_change(n, limit, ERROR / checks / len(structure))[1] for n in structure)
        yield _row(FAILS, "max_regression, same faces", checks, structure, limit, checks * fails)


@cache
def _of_change(n: int, limit: float, error: float) -> tuple[float, float]:
    """Largest probability, over shares of gained faces, that a loss at the limit passes, and that it fails."""
    lost = np.arange(n + 1)

    def limits(gained: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        possible = np.minimum(gained, n - lost)
        return paired_bounds(lost, possible, np.full(n + 1, n), error)

    least = _first(n, lost, lambda k: (limits(k)[1] <= limit) | (k > n - lost))
    most = _last(n, lost, lambda k: (limits(k)[0] > limit) & (k <= n - lost))
    gained = (1 - limit) / 2 * np.concatenate([[0], np.logspace(-3.5, 0, 24)])
    gained_of_rest = gained / np.maximum(1 - limit - gained, 1e-12)
    weight = _pmf(lost, n, (gained + limit)[:, None])
    point, k = np.nonzero(weight > _FAR)
    rest, rate = n - k, np.clip(gained_of_rest, 0, 1)[point]
    upper = np.where(least[k] > rest, 0.0, 1 - _rest_cdf(least[k] - 1, rest, rate))
    lower = _rest_cdf(np.minimum(most[k], rest), rest, rate)
    passes, fails = (np.bincount(point, weight[point, k] * part) for part in (upper, lower))
    return float(passes.max()), float(fails.max())


def _rest_cdf(hits: np.ndarray, n: np.ndarray, rate: np.ndarray) -> np.ndarray:
    inner = special.bdtr(np.clip(hits, 0, n), np.maximum(n, 0), rate)
    return np.where(hits < 0, 0.0, np.where(hits >= n, 1.0, inner))
