"""Several samples of one subject: subjects resampled, compared with samples taken as independent."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from rows import Row, at_most, covered_share, share, shown, stream

from fairfer.stats import Estimates, estimate_by_subjects, gap_bounds, wilson

SUBJECTS = "subjects resampled: the 95 % interval of a rate covers it"
INDEPENDENT = "samples of one subject taken as independent"
UNEQUAL = np.array([1, 2, 3, 4, 5, 6, 8, 12, 19, 40])
"""Samples per subject, ten on average."""

WITHIN = "subjects, bounds of a gap: the upper one is below a gap in at most 5 %"
BEYOND = "subjects, bounds of a gap: the lower one is above a gap in at most 5 %"
GATE = (((20, 20), (0.8, 0.7), 0.1), ((10, 50), (0.8, 0.7), 0.1), ((10, 50), (0.7, 0.8), 0.1), ((20, 20), (0.8, 0.8), 0.0))
"""Subjects in each of two groups, ten samples each; rates, which differ by the limit; and the limit."""

CORRELATIONS = (0.0, 0.1, 0.4)
RATES = (0.7, 0.9)
_COLUMNS = 20
"""Repetitions in a batch, which share one set of resamples. Batches are independent; the error is that of batches."""


def rows(seed: int, *, short: bool) -> Iterator[Row]:
    """10 to 100 subjects with ten samples each, and 50 with 1 to 40."""
    shapes = {f"{n} subjects x 10": np.full(n, 10) for n in (10, 20, 50, 100)}
    shapes["50 subjects x 1 to 40"] = np.tile(UNEQUAL, 5)
    for name, trials in shapes.items():
        for correlation in CORRELATIONS:
            for rate in RATES:
                setting = f"{name}, correlation {correlation:g}, rate {rate:g}"
                by_subject, independent = _coverage(
                    trials, rate, correlation, stream(seed, "subjects", setting), 15 if short else 300
                )
                yield covered_share(SUBJECTS, f"correlation {correlation:g}", setting, *by_subject)
                yield shown(INDEPENDENT, f"correlation {correlation:g}", setting, 0.95, *independent)
    for sizes, rates, limit in GATE:
        for correlation in CORRELATIONS[1:]:
            at = f"{rates[0]:g} vs. {rates[1]:g}, correlation {correlation:g}, limit {limit:g}"
            setting = f"{sizes[0]} vs. {sizes[1]} subjects x 10 at {at}"
            low, high = _bounds(sizes, rates, correlation, stream(seed, "gate", setting), 15 if short else 300)
            if limit:
                yield at_most(WITHIN, "2 groups", setting, *share(high <= limit))
            yield at_most(BEYOND, "2 groups", setting, *share(low > limit))


def _bounds(
    sizes: tuple[int, int], rates: tuple[float, float], correlation: float, generator: np.random.Generator, batches: int
) -> tuple[np.ndarray, np.ndarray]:
    bounds = []
    for _ in range(batches):
        estimates = []
        for subjects, rate in zip(sizes, rates, strict=True):
            hits = generator.binomial(10, subject_rates(rate, correlation, (subjects, _COLUMNS), generator))
            estimates.append(estimate_by_subjects(hits, np.full_like(hits, 10), generator=generator))
        stacked = (np.stack([getattr(e, part) for e in estimates], axis=-1) for part in ("rate", "size", "degrees_of_freedom"))
        bounds.append(gap_bounds(Estimates(*stacked)))
    low, high = (np.concatenate(b) for b in zip(*bounds, strict=True))
    return low, high


def subject_rates(rate: float, correlation: float, size: int | tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    """Rates of subjects, beta distributed, so that the hits of one subject have this correlation (beta-binomial)."""
    if not correlation:
        return np.full(size, rate)
    spread = 1 / correlation - 1
    return generator.beta(rate * spread, (1 - rate) * spread, size)


def _coverage(
    trials: np.ndarray, rate: float, correlation: float, generator: np.random.Generator, batches: int
) -> tuple[tuple[float, float, int], tuple[float, float, int]]:
    shape = (len(trials), _COLUMNS)
    n = np.broadcast_to(trials[:, None], shape)
    coverage: tuple[list[float], list[float]] = ([], [])
    for _ in range(batches):
        hits = generator.binomial(n, subject_rates(rate, correlation, shape, generator))
        limits = (estimate_by_subjects(hits, n, generator=generator).limits(0.025), wilson(hits.sum(axis=0), n.sum(axis=0)))
        for of_interval, (low, high) in zip(coverage, limits, strict=True):
            of_interval.append(float(((low <= rate) & (rate <= high)).mean()))
    one, other = ((float(np.mean(h)), float(np.std(h, ddof=1) / np.sqrt(batches)), batches * _COLUMNS) for h in coverage)
    return one, other
