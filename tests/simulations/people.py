"""Several pictures of one person: resampling people against counting pictures as strangers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from rows import Row, at_most, covered_share, share, shown, stream

from fairfer.stats import Estimates, estimate_by_subjects, gap_bounds, wilson

PEOPLE = "people resampled: a rate's 95 % interval holds it"
STRANGERS = "pictures counted as strangers"
UNEQUAL = np.array([1, 2, 3, 4, 5, 6, 8, 12, 19, 40])
"""Pictures per person, ten on average."""

WITHIN = "people, gate: a gap at the limit passes in at most 5 %"
BEYOND = "people, gate: a gap at the limit fails in at most 5 %"
GATE = (((20, 20), (0.8, 0.7), 0.1), ((10, 50), (0.8, 0.7), 0.1), ((10, 50), (0.7, 0.8), 0.1), ((20, 20), (0.8, 0.8), 0.0))
"""People of two groups, ten pictures each; their rates, which differ by the limit."""

AGREEMENTS = (0.0, 0.1, 0.4)
RATES = (0.7, 0.9)
_COLUMNS = 20
"""Repetitions that share one set of resamples; batches of them are independent, and the error is that of batches."""


def rows(seed: int, *, short: bool) -> Iterator[Row]:
    """10 to 100 people of ten pictures each, and 50 of 1 to 40."""
    shapes = {f"{n} people x 10": np.full(n, 10) for n in (10, 20, 50, 100)}
    shapes["50 people x 1 to 40"] = np.tile(UNEQUAL, 5)
    for name, trials in shapes.items():
        for agreement in AGREEMENTS:
            for rate in RATES:
                setting = f"{name}, correlation {agreement:g}, rate {rate:g}"
                by_people, as_strangers = _coverage(
                    trials, rate, agreement, stream(seed, "people", setting), 15 if short else 300
                )
                yield covered_share(PEOPLE, f"correlation {agreement:g}", setting, *by_people)
                yield shown(STRANGERS, f"correlation {agreement:g}", setting, 0.95, *as_strangers)
    for sizes, rates, limit in GATE:
        for agreement in AGREEMENTS[1:]:
            at = f"{rates[0]:g} v {rates[1]:g}, correlation {agreement:g}, limit {limit:g}"
            setting = f"{sizes[0]} v {sizes[1]} people x 10 at {at}"
            low, high = _bounds(sizes, rates, agreement, stream(seed, "gate", setting), 15 if short else 300)
            if limit:
                yield at_most(WITHIN, "2 groups", setting, *share(high <= limit))
            yield at_most(BEYOND, "2 groups", setting, *share(low > limit))


def _bounds(
    sizes: tuple[int, int], rates: tuple[float, float], agreement: float, generator: np.random.Generator, batches: int
) -> tuple[np.ndarray, np.ndarray]:
    bounds = []
    for _ in range(batches):
        known = []
        for people, rate in zip(sizes, rates, strict=True):
            hits = generator.binomial(10, own_rates(rate, agreement, (people, _COLUMNS), generator))
            known.append(estimate_by_subjects(hits, np.full_like(hits, 10), generator=generator))
        stacked = (np.stack([getattr(k, part) for k in known], axis=-1) for part in ("rate", "size", "degrees_of_freedom"))
        bounds.append(gap_bounds(Estimates(*stacked)))
    low, high = (np.concatenate(b) for b in zip(*bounds, strict=True))
    return low, high


def own_rates(rate: float, agreement: float, size: int | tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    """Rates of people whose pictures' hits correlate as given: beta, so that hits are beta-binomial."""
    if not agreement:
        return np.full(size, rate)
    spread = 1 / agreement - 1
    return generator.beta(rate * spread, (1 - rate) * spread, size)


def _coverage(
    trials: np.ndarray, rate: float, agreement: float, generator: np.random.Generator, batches: int
) -> tuple[tuple[float, float, int], tuple[float, float, int]]:
    shape = (len(trials), _COLUMNS)
    n = np.broadcast_to(trials[:, None], shape)
    held: tuple[list[float], list[float]] = ([], [])
    for _ in range(batches):
        hits = generator.binomial(n, own_rates(rate, agreement, shape, generator))
        limits = (estimate_by_subjects(hits, n, generator=generator).limits(0.025), wilson(hits.sum(axis=0), n.sum(axis=0)))
        for kept, (low, high) in zip(held, limits, strict=True):
            kept.append(float(((low <= rate) & (rate <= high)).mean()))
    one, other = ((float(np.mean(h)), float(np.std(h, ddof=1) / np.sqrt(batches)), batches * _COLUMNS) for h in held)
    return one, other
