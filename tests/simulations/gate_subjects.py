"""Wrong verdicts of whole policies where faces share subjects, for every kind of rule: Monte Carlo simulation.

Each test of a group (of a pair of groups) is simulated with its share of the error. A wrong pass of a policy is no more likely
than that of its worst test; any wrong failure no more likely than the sum over all tests, whatever their dependence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from rows import Row, at_most, share, stream
from subjects import UNEQUAL, subject_rates

from fairfer.stats.binomial import clopper_pearson
from fairfer.stats.effective import cautious_trials
from fairfer.stats.exact import ArcLimits, gap_bound_below, paired_bounds

PASSES = "subjects, policy, {}: a wrong pass in at most 5 %"
FAILS = "subjects, policy, {}: any wrong failure in at most 5 %"
ERROR = 0.05
CHECKS = (1, 8, 64)
GROUPS = (2, 8)
SHAPES = {
    "10 subjects x 10": np.full(10, 10),
    "30 subjects x 10": np.full(30, 10),
    "100 subjects x 10": np.full(100, 10),
    "50 subjects x 1 to 40": np.tile(UNEQUAL, 5),
    "100 subjects, one with a tenth": np.array([55] + [5] * 99),
}
CORRELATIONS = (0.0, 0.6)
RATES = (0.5, 0.95)
PAIRS = ((0.8, 0.7), (0.95, 0.9))
CHANGES = ((0.0, 0.05), (0.05, 0.1))
"""Shares of faces gained and lost."""


@dataclass(frozen=True)
class Sample:
    """Hits of many repetitions of one group, with effective sizes from the variation between its subjects.

    Attributes
    ----------
    rate, spread, size
        (repetitions,) rate or change, variance of one face, and effective size.
    trials, largest_share
        Faces, and share of them that the subject with the most has.
    gained, lost
        (repetitions,) faces, for a change.
    """

    rate: np.ndarray
    spread: np.ndarray
    size: np.ndarray
    trials: int
    largest_share: float
    gained: np.ndarray
    lost: np.ndarray

    def effective(self, error: float) -> np.ndarray:
        """Effective trials for a limit with this error."""
        return cautious_trials(self.spread, self.size, self.largest_share, self.trials, error)

    def of(self, index: np.ndarray) -> Sample:
        """Some of the repetitions."""
        parts = (self.rate[index], self.spread[index], self.size[index])
        return Sample(*parts, self.trials, self.largest_share, self.gained[index], self.lost[index])


def rows(seed: int, *, short: bool) -> Iterator[Row]:
    """Every kind of rule, with equally and unequally large subjects."""
    repetitions = 500 if short else 20_000
    shapes = list(SHAPES)[1:4:2] if short else SHAPES
    for name in shapes:
        for correlation in CORRELATIONS[1:] if short else CORRELATIONS:
            yield from _of_shape(seed, name, correlation, repetitions)


def _of_shape(seed: int, name: str, correlation: float, repetitions: int) -> Iterator[Row]:
    trials, of_cell = SHAPES[name], f"{name}, correlation {correlation:g}"

    def drawn(rate: float, part: str) -> Sample:
        return hits(trials, rate, correlation, repetitions, stream(seed, "gate_subjects", of_cell, rate, part))

    for rate in RATES:
        group = drawn(rate, "worst")
        yield from _cells("min_worst", f"{of_cell}, rate {rate:g}", group, None, rate)
    for high, low in PAIRS:
        one, other = drawn(high, "high"), drawn(low, "low")
        at = f"{of_cell}, {high:g} vs. {low:g}"
        yield from _cells("max_gap", at, one, other, round(high - low, 9))
        yield from _cells("min_ratio", at, one, other, low / high)
        yield from _cells("max_regression, other faces", at, one, other, round(high - low, 9))
    for gained, lost in CHANGES:
        change = changes(trials, gained, lost, correlation, repetitions, stream(seed, "gate_subjects", of_cell, gained, lost))
        at = f"{of_cell}, {gained:g} gained and {lost:g} lost"
        yield from _cells("max_regression, same faces", at, change, None, round(lost - gained, 9))


def _cells(kind: str, setting: str, one: Sample, other: Sample | None, limit: float) -> Iterator[Row]:
    yield at_most(PASSES.format(kind), "all", setting, *share(passes(kind, one, other, limit, ERROR)))
    for checks in CHECKS:
        for groups in GROUPS:
            pairs = groups * (groups - 1) // 2
            tests = checks * {"max_gap": pairs, "min_ratio": 2 * pairs}.get(kind, groups)
            found, error, repetitions = share(fails(kind, one, other, limit, ERROR / tests))
            # No pair is at the limit in both orders, nor are two groups that are equal.
            at_limit = checks * {"max_gap": (groups // 2) ** 2, "min_ratio": (groups // 2) ** 2}.get(kind, groups)
            part = f"{checks} check{'s' * (checks > 1)}, {groups} groups"
            yield at_most(
                FAILS.format(kind), part, f"{part}, {setting}", min(at_limit * found, 1), at_limit * error, repetitions
            )


def passes(kind: str, one: Sample, other: Sample | None, limit: float, error: float) -> np.ndarray:
    """Whether a group, or the pair of a higher and a lower rate, passes."""
    if kind == "min_worst":
        n = one.effective(error)
        return clopper_pearson(one.rate * n, n, error)[0] >= limit
    if other is None:
        return -_loss_limits(one, error)[0] <= limit
    arc, first, second = _arc(one, other, error)
    if kind == "min_ratio":
        return arc.ratio(second, first)[0][..., 0] >= limit
    return arc.difference(first, second)[1][..., 0] <= limit


def fails(kind: str, one: Sample, other: Sample | None, limit: float, error: float) -> np.ndarray:
    """Whether a group, or the pair of a higher and a lower rate, fails."""
    if kind == "min_worst":
        n = one.effective(error)
        return clopper_pearson(one.rate * n, n, error)[1] < limit
    if other is None:
        return -_loss_limits(one, error)[1] > limit
    result = np.zeros(len(one.rate), bool)
    index = np.flatnonzero(_far_beyond(kind, one, other, limit, error))
    if not index.size:
        return result
    one, other = one.of(index), other.of(index)
    if kind == "max_gap":
        rates = np.stack([one.rate, other.rate], axis=-1)
        n = np.stack([one.effective(error / 2), other.effective(error / 2)], axis=-1)
        arc = ArcLimits.of_counts(rates * n, n, np.array([error, error / 2]).reshape(2, 1, 1))
        result[index] = gap_bound_below(rates, arc, error) > limit
        return result
    arc, first, second = _arc(one, other, error)
    if kind == "min_ratio":
        result[index] = arc.ratio(second, first)[1][..., 0] < limit
    else:
        result[index] = arc.difference(first, second)[0][..., 0] > limit
    return result


def _far_beyond(kind: str, one: Sample, other: Sample, limit: float, error: float) -> np.ndarray:
    """Outcomes that may fail: beyond the limit by half of the normal deviate of the error. Others need no limits."""
    scale, offset = (limit, 0.0) if kind == "min_ratio" else (1.0, limit)
    beyond = scale * one.rate - other.rate - offset
    variance = np.zeros(len(beyond))
    for sample, factor in ((one, scale), (other, 1.0)):
        n = sample.effective(error)
        rate = (sample.rate * n + 1) / (n + 2)
        variance += factor**2 * rate * (1 - rate) / n
    return beyond > 0.5 * NormalDist().inv_cdf(1 - error) * np.sqrt(variance)


def _arc(one: Sample, other: Sample, error: float) -> tuple[ArcLimits, np.ndarray, np.ndarray]:
    n = np.stack([one.effective(error), other.effective(error)], axis=-1)
    rates = np.stack([one.rate, other.rate], axis=-1)
    return ArcLimits.of_counts(rates * n, n, error), np.array([0]), np.array([1])


def _loss_limits(change: Sample, error: float) -> tuple[np.ndarray, np.ndarray]:
    n = change.effective(error)
    return paired_bounds(change.gained * n / change.trials, change.lost * n / change.trials, n, error)


def hits(trials: np.ndarray, rate: float, correlation: float, repetitions: int, generator: np.random.Generator) -> Sample:
    """Hits of subjects whose rates are beta distributed."""
    rates = subject_rates(rate, correlation, (repetitions, len(trials)), generator)
    of_subject = generator.binomial(trials, rates)
    found = of_subject.sum(axis=1) / trials.sum()
    spread = found * (1 - found)
    zero = np.zeros(repetitions)
    return Sample(found, spread, *_size(of_subject, found, spread, trials), zero, zero)


def changes(
    trials: np.ndarray, gained: float, lost: float, correlation: float, repetitions: int, generator: np.random.Generator
) -> Sample:
    """Changes of subjects whose shares of faces gained and lost are Dirichlet distributed."""
    size = (repetitions, len(trials))
    changed = subject_rates(gained + lost, correlation, size, generator)
    of_changed = subject_rates(lost / (gained + lost), correlation, size, generator) if gained else np.ones(size)
    number = generator.binomial(trials, changed)
    worse = generator.binomial(number, of_changed)
    better = number - worse
    total = trials.sum()
    found = (better - worse).sum(axis=1) / total
    spread = number.sum(axis=1) / total - found**2
    parts = _size(better - worse, found, spread, trials)
    return Sample(found, spread, *parts, better.sum(axis=1).astype(float), worse.sum(axis=1).astype(float))


def _size(values: np.ndarray, mean: np.ndarray, spread: np.ndarray, trials: np.ndarray) -> tuple[np.ndarray, int, float]:
    """Effective size as `fairfer.stats.estimate_by_subjects` has it, with the variance that its resamples estimate."""
    total, subjects = int(trials.sum()), len(trials)
    variance = ((values - mean[:, None] * trials) ** 2).sum(axis=1) / total**2 * subjects / (subjects - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        size = spread / variance
    size = np.where((variance > 0) & (spread > 0), np.clip(size, 1, total), subjects)
    return size, total, float(trials.max() / total)
