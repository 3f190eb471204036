"""A true gap exactly at the limit of a gate: how often the check passes, and how often it fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from coverage_of_intervals import outcomes
from documented import MARGIN
from rows import Row, at_most, known, share, shown, sizes_name, stream

from fairfer.stats.exact import ArcLimits, gap_bound_above, gap_bound_below, pairs_of

WITHIN = "gate: a gap at the limit passes in at most 5 %"
BEYOND = "gate: a gap at the limit fails in at most 5 %"
WORST_WITHIN = "gate, the worst of all rates: passes in at most 5 %"
WORST_BEYOND = "gate, the worst of all rates: fails in at most 5 %"
EQUAL = "gate: equal groups fail a limit of 0 in at most 5 %"
POWER = "gate: power of the bounds"
TWO = (
    ((200, 200), (0.8, 0.7), 0.1),
    ((20, 20), (0.5, 0.49), 0.01),
    ((30, 500), (0.02, 0.0), 0.02),
    ((20, 200), (0.2, 0.0), 0.2),
    ((20, 200), (0.1, 0.5), 0.4),
    ((20, 1000), (0.9, 0.8), 0.1),
    ((20, 1000), (0.8, 0.9), 0.1),
    ((20, 1000), (0.95, 0.9), 0.05),
    ((1000, 1000), (0.95, 0.9), 0.05),
)
PAIRS = ((20, 20), (20, 200), (20, 1000), (30, 500), (50, 50), (100, 100), (200, 200), (500, 500), (100, 1000))
_ROUNDED = 0.005
"""Expected values are known to two digits."""

LIMITS = (0.02, 0.05, 0.1, 0.2, 0.3)
_RATES = np.arange(201) / 200
"""Rates over which the worst case is sought."""


def rows(seed: int, *, short: bool) -> Iterator[Row]:
    """Two groups by exact enumeration, eight by Monte Carlo simulation."""
    for sizes, rates, limit in [t for t in TWO if not short or max(t[0]) <= 500]:
        low, high = _all_bounds(sizes)
        setting = f"{sizes_name(sizes)} at {rates[0]:g} vs. {rates[1]:g}, limit {limit:g}"
        yield at_most(WITHIN, "2 groups", setting, _probability(high <= limit, sizes, *rates))
        yield at_most(BEYOND, "2 groups", setting, _probability(low > limit, sizes, *rates))
    for sizes in [p for p in PAIRS if not short or max(p) <= 200]:
        yield from _worst(sizes)
    yield from _eight(seed, 2000 if short else 40_000)


def _all_bounds(sizes: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Bounds for every possible outcome of two groups."""
    hits = np.stack(np.meshgrid(*(np.arange(n + 1) for n in sizes), indexing="ij"), axis=-1)
    return _bounds(hits.reshape(-1, len(sizes)), sizes, tuple(n + 1 for n in sizes))


def _bounds(hits: np.ndarray, sizes: Sequence[int], shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of a gap as the gate has them for a single check, for (outcomes, groups) hits, 20,000 outcomes at a time."""
    error = 0.05 / len(pairs_of(len(sizes))[0])
    tables = {n: ArcLimits.of_counts(np.arange(n + 1), np.full(n + 1, n), [[error], [error / 2]]) for n in set(sizes)}
    full = {n: ArcLimits.of_counts(np.arange(n + 1), np.full(n + 1, n), 0.05) for n in set(sizes)}
    low, high = np.zeros(len(hits)), np.zeros(len(hits))
    for start in range(0, len(hits), 20_000):
        part = hits[start : start + 20_000]
        above, below = (_gathered([t[n] for n in sizes], part) for t in (full, tables))
        high[start : start + len(part)] = gap_bound_above(above)
        low[start : start + len(part)] = gap_bound_below(part / np.array(sizes), below, error)
    return low.reshape(shape), high.reshape(shape)


def _gathered(tables: Sequence[ArcLimits], hits: np.ndarray) -> ArcLimits:
    parts = [(t.low[..., k], t.high[..., k]) for t, k in zip(tables, hits.T, strict=True)]
    low, high = (np.stack(p, axis=-1) for p in zip(*parts, strict=True))
    return ArcLimits(low, high)


def _probability(event: np.ndarray, sizes: Sequence[int], one: float, other: float) -> float:
    return float((outcomes(sizes[0], np.array([one])) @ event @ outcomes(sizes[1], np.array([other])).T).item())


def _worst(sizes: Sequence[int]) -> Iterator[Row]:
    low, high = _all_bounds(sizes)
    name = sizes_name(sizes)
    for limit in LIMITS:
        one = np.concatenate([_RATES[_RATES + limit <= 1 + 1e-9], _RATES[_RATES - limit >= -1e-9]])
        other = np.concatenate([_RATES[_RATES + limit <= 1 + 1e-9] + limit, _RATES[_RATES - limit >= -1e-9] - limit])
        one, other = np.clip(one, 0, 1), np.clip(other, 0, 1)
        for promise, event in ((WORST_WITHIN, high <= limit), (WORST_BEYOND, low > limit)):
            probability = ((outcomes(sizes[0], one) @ event) * outcomes(sizes[1], other)).sum(axis=1)
            at = int(probability.argmax())
            setting = f"{name}, limit {limit:g}: worst at {one[at]:.3f} vs. {other[at]:.3f}"
            kind = "2 groups of one size" if sizes[0] == sizes[1] else "a small group and a large one"
            yield at_most(promise, kind, setting, float(probability[at]))
    probability = ((outcomes(sizes[0], _RATES) @ (low > 0)) * outcomes(sizes[1], _RATES)).sum(axis=1)
    at = int(probability.argmax())
    yield at_most(EQUAL, "2 groups, worst of all rates", f"{name}: worst at {_RATES[at]:.3f}", float(probability[at]))


def _eight(seed: int, repetitions: int) -> Iterator[Row]:
    limit = 0.1

    def sample(size: int, last: float, name: str) -> np.ndarray:
        return stream(seed, "eight", name, size).binomial(size, [0.8] * 7 + [last], size=(repetitions, 8))

    def bounds(hits: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
        return _bounds(hits, [size] * 8, (repetitions,))

    low, high = bounds(sample(400, 0.7, "at the limit"), 400)
    setting = "8 x 400 at 7 times 0.8 and 0.7, limit 0.1"
    yield at_most(WITHIN, "8 groups", setting, *share(high <= limit))
    yield at_most(BEYOND, "8 groups", setting, *share(low > limit))
    for size in (400, 1000):
        equal = sample(size, 0.8, "equal")
        low, high = bounds(equal, size)
        if size == 400:
            yield at_most(EQUAL, "8 groups", "8 x 400 at 0.8", *share(low > 0))
        yield _expected("8 groups", f"8 x {size} at 0.8, limit 0.1: passes", {400: 0.45, 1000: 1.0}[size], share(high <= limit))
        yield shown(
            "a gate with a Bonferroni-adjusted upper bound",
            "8 groups",
            f"8 x {size} at 0.8, limit 0.1: passes",
            {400: 0.45, 1000: 1.0}[size],
            *share(_bonferroni_bound(equal, size) <= limit),
        )
    low, _ = bounds(sample(400, 0.6, "doubled"), 400)
    yield _expected("8 groups", "8 x 400 at 7 times 0.8 and 0.6, limit 0.1: fails", 0.9, share(low > limit))


def _expected(part: str, setting: str, nominal: float, result: tuple[float, float, int]) -> Row:
    """Power, compared with that of plain score bounds."""
    deficit = nominal - result[0] - MARGIN * result[1]
    kept = "yes" if deficit <= _ROUNDED else "by design" if deficit <= 0.06 else "no"
    why = "limits whose error holds at every rate, also for a small and a large group, cost power"
    return known(Row(POWER, part, setting, nominal, *result, kept, why if kept == "by design" else ""))


def _bonferroni_bound(hits: np.ndarray, size: int) -> np.ndarray:
    error = 0.05 / len(pairs_of(8)[0])
    table = ArcLimits.of_counts(np.arange(size + 1), np.full(size + 1, size), error)
    return np.concatenate([gap_bound_above(_gathered([table] * 8, hits[i : i + 20_000])) for i in range(0, len(hits), 20_000)])
