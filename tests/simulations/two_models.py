"""Two models on the same samples: changes, the regression gate, and the power of pairing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from rows import Row, at_most, covered_share, share, shown, sizes_name, stream
from scipy import stats

from fairfer.stats import change_of_gap, mcnemar, paired_difference
from fairfer.stats.exact import difference_bounds, paired_bounds

CHANGE = "paired: the 95 % interval of a change covers it"
TEST = "paired: equal models are significantly different in at most 5 %"
GAP = "paired: the 95 % interval of the change of a gap covers it"
WITHIN = "regression gate: a loss at the limit passes in at most 5 %"
BEYOND = "regression gate: a loss at the limit fails in at most 5 %"
POWER = "power of a regression gate"
AGREE = 0.85
"""Share of samples on which the two models agree as far as their rates allow; on the others they are independent."""


def rows(seed: int, *, short: bool) -> Iterator[Row]:
    """Changes of rates and gaps, and losses exactly at the limit, for several sizes."""
    repetitions = 600 if short else 20_000
    for n in (20, 50, 200, 1000):
        for base, candidate in ((0.8, 0.8), (0.9, 0.85), (0.6, 0.5)):
            setting = f"{n} samples, {base:g} to {candidate:g}"
            generator = stream(seed, "change", setting)
            more, less = _flips(generator, n, base, candidate, repetitions)
            low, high = paired_difference(more, less, np.full(repetitions, n))
            true = candidate - base
            yield covered_share(CHANGE, f"n = {n}", setting, *share((low <= true) & (true <= high)))
            if base == candidate:
                yield at_most(TEST, "one group", setting, *share(mcnemar(more, less) <= 0.05))
    yield from _gate(seed, repetitions)
    gap_repetitions = 60 if short else 1500
    for rates in (((0.8, 0.7), (0.8, 0.7)), ((0.8, 0.7), (0.75, 0.75)), ((0.8, 0.75, 0.7), (0.8, 0.8, 0.7))):
        setting = f"{len(rates[0])} groups of 200, {rates[0]} to {rates[1]}"
        generator = stream(seed, "gap", setting)
        true = float(np.ptp(rates[1]) - np.ptp(rates[0]))
        covered = []
        for _ in range(gap_repetitions):
            cells = np.array([_cells(generator, 200, p, q) for p, q in zip(*rates, strict=True)])
            low, high = change_of_gap(cells, generator=generator)
            covered.append(low <= true <= high)
        yield covered_share(GAP, f"{len(rates[0])} groups", setting, *share(np.array(covered)))


def _gate(seed: int, repetitions: int) -> Iterator[Row]:
    """Losses exactly at the limit, and how often equal models pass."""
    for sizes in ((100, 100), (50, 400), (200, 200, 200)):
        for loss in (0.02, 0.05, 0.1):
            setting = f"{sizes_name(sizes)}, every group loses {loss:g}"
            generator = stream(seed, "gate", setting)
            parts = [_flips(generator, n, 0.8, 0.8 - loss, repetitions) for n in sizes]
            limits = [
                [paired_bounds(k, m, np.full(len(k), n), error) for (m, k), n in zip(parts, sizes, strict=True)]
                for error in (0.05 / len(sizes), 0.05)
            ]
            low, high = np.max([x[0] for x in limits[0]], axis=0), np.max([x[1] for x in limits[1]], axis=0)
            yield at_most(WITHIN, f"{len(sizes)} groups", setting, *share(high <= loss))
            yield at_most(BEYOND, f"{len(sizes)} groups", setting, *share(low > loss))
    for n in (20, 75, 191, 383, 1000):
        lost = np.arange(n + 1)
        high = paired_bounds(lost, np.zeros(n + 1), np.full(n + 1, n), 0.05)[1]
        for loss in (0.01, 0.05, 0.1):
            setting = f"{n} samples of one group, no gains, {loss:g} lost"
            yield at_most(WITHIN, "1 group, no gains", setting, float(stats.binom.pmf(lost, n, loss)[high <= loss].sum()))
    for n in (200, 1000):
        generator = stream(seed, "power", n)
        more, less, hits = _flips(generator, n, 0.8, 0.8, repetitions, with_hits=True)
        size = np.full(repetitions, n)
        paired = paired_bounds(less, more, size, 0.05)[1]
        unpaired = difference_bounds(hits, size, hits + more - less, size, 0.05)[1]
        for name, loss in (("paired", paired), ("as independent samples", unpaired)):
            setting = f"{n} samples, equal models, limit 0.05: passes, {name}"
            yield shown(f"{POWER}, {name}", "equal models pass", setting, 1.0, *share(loss <= 0.05))


def _joint(base: float, candidate: float) -> tuple[float, float, float, float]:
    """Shares of hits of both, of the candidate only, of the base only, of none."""
    both = AGREE * min(base, candidate) + (1 - AGREE) * base * candidate
    return both, candidate - both, base - both, 1 - base - candidate + both


def _flips(
    generator: np.random.Generator, n: int, base: float, candidate: float, repetitions: int, *, with_hits: bool = False
) -> tuple[np.ndarray, ...]:
    samples = generator.multinomial(n, _joint(base, candidate), size=repetitions)
    flips = (samples[:, 1], samples[:, 2])
    return (*flips, samples[:, 0] + samples[:, 2]) if with_hits else flips


def _cells(generator: np.random.Generator, n: int, base: float, candidate: float) -> np.ndarray:
    return generator.multinomial(n, _joint(base, candidate))
