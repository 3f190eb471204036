"""Summary indices: intervals projected from simultaneous limits, and the values expected by chance."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from rows import Row, at_most, covered_share, share, sizes_name, stream
from subjects import subject_rates

from fairfer.metrics.rates_by_chance import by_chance
from fairfer.stats import Estimates, estimate_by_subjects
from fairfer.stats.chance import permuted_rates
from fairfer.stats.indices import INDICES
from fairfer.stats.simultaneous import simultaneous_limits

COVERS = "index {}: the 95 % interval covers it"
CHANCE = "index {}: equal groups exceed the value expected by chance in at most 5 %"
SHAPES = (
    ((50, 50), (0.1, 0.1)),
    ((30, 1000), (0.02, 0.1)),
    ((100, 100, 100, 100), (0.05, 0.1, 0.2, 0.4)),
    ((25, 50, 100, 200, 400, 800), (0.1,) * 6),
    ((40,) * 8, (0.02, 0.02, 0.02, 0.02, 0.05, 0.05, 0.3, 0.9)),
)
"""Sizes and true rates of the groups."""


def rows(seed: int, *, short: bool) -> Iterator[Row]:
    """Independent samples, subjects, and equal groups."""
    repetitions = 200 if short else 4000
    for sizes, rates in SHAPES:
        generator = stream(seed, "indices", sizes, rates)
        hits = generator.binomial(sizes, rates, size=(repetitions, len(sizes)))
        limits = [simultaneous_limits(Estimates.of_counts(k, np.array(sizes)), 0.05 / len(sizes)) for k in hits]
        yield from _coverage(f"{sizes_name(sizes)}, rates {min(rates):g} to {max(rates):g}", np.array(rates), limits)
    for correlation in (0.1, 0.4):
        rates = np.array((0.1, 0.2, 0.4))
        name = f"3 x 20 subjects x 10, correlation {correlation:g}, rates 0.1 to 0.4"
        generator = stream(seed, "indices", name)
        limits = [_of_subjects(rates, correlation, generator) for _ in range(60 if short else 1500)]
        yield from _coverage(name, rates, limits)
    for sizes in ((50, 50), (20, 500), (30, 30, 60, 1000)):
        generator = stream(seed, "indices by chance", sizes)
        yield from _chance(sizes, 0.3, generator, 100 if short else 3000)


def _coverage(setting: str, rates: np.ndarray, limits: list[tuple[np.ndarray, np.ndarray]]) -> Iterator[Row]:
    for name, index in INDICES.items():
        truth = float(index.of(rates))
        ranges = np.array([index.over(*box) for box in limits])
        covered = (ranges[:, 0] <= truth + 1e-9) & (truth - 1e-9 <= ranges[:, 1])
        yield covered_share(COVERS.format(name), f"index {name}", setting, *share(covered))


def _of_subjects(rates: np.ndarray, correlation: float, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    estimates = []
    for rate in rates:
        of_subjects = subject_rates(rate, correlation, 20, generator)
        hits = generator.binomial(10, of_subjects)[:, None]
        estimates.append(estimate_by_subjects(hits, np.full((20, 1), 10), generator=generator, resamples=300))
    rate, size, degrees = (np.concatenate([getattr(e, n) for e in estimates]) for n in ("rate", "size", "degrees_of_freedom"))
    return simultaneous_limits(Estimates(rate, size, degrees), 0.05 / len(rates))


def _chance(sizes: tuple[int, ...], rate: float, generator: np.random.Generator, repetitions: int) -> Iterator[Row]:
    beyond: dict[str, list[bool]] = {name: [] for name in INDICES}
    for hits in generator.binomial(sizes, rate, size=(repetitions, len(sizes))):
        if not 0 < hits.sum() < sum(sizes):
            continue
        null = permuted_rates(hits, sizes, 400, generator)
        for name, index in INDICES.items():
            limit = by_chance(index.of(null), 0.95, lower_is_unequal=False)[1]
            beyond[name].append(limit is not None and float(index.of(hits / np.array(sizes))) > limit + 1e-9)
    for name, hits in beyond.items():
        yield at_most(CHANCE.format(name), f"index {name}", f"{sizes_name(sizes)}, rate {rate:g}", *share(np.array(hits)))
