"""Power where samples share subjects: hits of a subject are correlated, and subjects are permuted, not samples."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fairfer.stats.comparisons import Comparisons, with_rests
from fairfer.stats.critical_values import dependence
from fairfer.stats.intervals import Floats, normal_quantile
from fairfer.stats.power import POWER, least_precise_pair, planted_rates, smallest_addition, smallest_with_power

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from fairfer.stats.permutation_of_subjects import SubjectTest

_DRAWS = 400
"""Simulated data sets; an even number."""

_DRAWN_UNITS = 150
"""Subjects of a group above which the sum of their hits is drawn as normal."""

_KINDS = 16
"""Numbers of trials that represent those of all subjects of a group."""

MAXIMUM_SUBJECTS = 100_000
"""Additional subjects beyond which no additional sample size is given."""

_INDEPENDENT = 1e-6
_PAIR = 2


@dataclass(frozen=True)
class SubjectDesign:
    """Groups of subjects, without their hits.

    Attributes
    ----------
    trials
        For each group, the number of trials of each of its subjects.
    correlation
        Correlation of two hits of one subject.
    critical
        Critical value of the studentized differences, where subjects have samples in several groups; else ``None``, and the
        critical value follows from the simulated data.
    """

    trials: tuple[NDArray[np.int64], ...]
    correlation: float
    critical: float | None = None

    @classmethod
    def of(cls, test: SubjectTest, critical: float) -> tuple[SubjectDesign, Floats]:
        """The design of a test, and the rates of its groups.

        Notes
        -----
        The correlation is estimated by moments within groups, 0 where it would be negative, so that differences between groups
        do not count as correlation.
        """
        units = test.units
        of_group = [units.group == g for g in range(int(units.group.max()) + 1)]
        rates = np.array([units.hits[g].sum() / units.trials[g].sum() for g in of_group])
        excess = pairs = 0.0
        for g, rate in zip(of_group, rates, strict=True):
            n = units.trials[g].astype(float)
            spread, number = rate * (1 - rate), len(n)
            squares = float(((units.hits[g] - rate * n) ** 2).sum()) * number / max(number - 1, 1)
            excess += squares - spread * float(n.sum())
            pairs += spread * float((n * (n - 1)).sum())
        correlation = min(max(excess / pairs, 0.0), 1.0) if pairs > 0 else 0.0
        trials = tuple(units.trials[g] for g in of_group)
        return cls(trials, correlation, critical if units.shared else None), rates

    @property
    def subjects(self) -> Floats:
        """(groups,) numbers of subjects."""
        return np.array([float(len(t)) for t in self.trials])

    @property
    def sizes(self) -> Floats:
        """(groups,) effective numbers of trials: those of independent samples with the same variance."""
        return np.array([t.sum() ** 2 / (t.sum() + self.correlation * float((t * (t - 1.0)).sum())) for t in self.trials])

    def enlarged(self, subjects: Floats) -> SubjectDesign:
        """More subjects, with as many trials each as those that are present."""
        trials = tuple(
            np.concatenate([t, _quantiles(t, int(number) - len(t))]) for t, number in zip(self.trials, subjects, strict=True)
        )
        return SubjectDesign(trials, self.correlation, self.critical)


def _quantiles(trials: NDArray[np.int64], number: int) -> NDArray[np.int64]:
    """Numbers of trials that are distributed as the given ones."""
    position = (np.arange(number) + 0.5) / max(number, 1) * len(trials)
    return np.sort(trials)[position.astype(np.intp)]


def power_of_subjects(design: SubjectDesign, rates: ArrayLike, level: float) -> float:
    """Probability that the differences between groups of subjects are significant.

    Parameters
    ----------
    design
        Numbers of subjects and trials, and their correlation.
    rates
        (groups,) true rates. Those of subjects vary around them (beta distribution).
    level
        As for `fairfer.stats.power_of_groups`.

    Returns
    -------
    float
        Probability that the p-value of `fairfer.stats.SubjectTest` is below the level.

    Notes
    -----
    Data sets are simulated with fixed random numbers. For each, the p-value of the permutation test is approximated: a permuted
    difference, divided by its own standard error or by its standard deviation under permutation, has Student's distribution.
    """
    p = np.asarray(rates, float)
    sums = np.stack(
        [_drawn_sums(t, rate, design.correlation, g) for g, (t, rate) in enumerate(zip(design.trials, p, strict=True))], axis=2
    )
    statistics = _Statistics.of(sums, design.subjects)
    if design.critical is not None:
        return float((statistics.observed.max(axis=1) >= design.critical).mean())
    return float((statistics.p_values(design.subjects) < level).mean())


@dataclass(frozen=True)
class _Statistics:
    """Statistics of simulated data sets.

    Attributes
    ----------
    observed, errors, least_errors, deviations
        (draws, comparisons) studentized differences, standard errors, their lower limits, and standard deviations of permuted
        differences.
    """

    comparisons: Comparisons
    observed: Floats
    errors: Floats
    least_errors: Floats
    deviations: Floats

    @classmethod
    def of(cls, sums: Floats, subjects: Floats) -> _Statistics:
        """From (5, draws, groups) sums of hits, trials, hits², hits x trials and trials²."""
        comparisons = Comparisons.of(len(subjects))
        one, other = comparisons.one, comparisons.other
        hits, trials, hits2, both, trials2 = with_rests(sums)
        units = with_rests(subjects)
        rate = np.clip(hits / trials, 0, 1)
        squares = np.maximum(hits2 - 2 * rate * both + rate * rate * trials2, 0)
        totals = sums.sum(axis=2)
        pooled = totals[0] / totals[1]
        spread = pooled * (1 - pooled)
        total_squares = np.maximum(totals[2] - 2 * pooled * totals[3] + pooled**2 * totals[4], 0)
        pairs = np.maximum(totals[4] - totals[1], 1e-9)
        correlation = np.clip((total_squares / np.maximum(spread, 1e-12) - totals[1]) / pairs, 0, 1)
        least = spread[:, None] * (trials + correlation[:, None] * (trials2 - trials))
        error = np.sqrt(np.maximum(squares * units / np.maximum(units - 1, 1), least)) / trials
        errors = np.hypot(error[:, one], error[:, other])
        least_error = np.sqrt(least) / trials
        least_errors = np.hypot(least_error[:, one], least_error[:, other])
        observed = np.abs(rate[:, one] - rate[:, other]) / np.maximum(errors, 1e-12)
        step = (1 / trials[:, one] + 1 / trials[:, other]) / 2
        observed = np.where(spread[:, None] > 0, np.maximum(observed - step / np.maximum(errors, 1e-12), 0), 0.0)
        variance = total_squares / max(float(subjects.sum()) - 1, 1)
        deviation = np.sqrt(variance)[:, None] * np.sqrt(units) / trials
        return cls(comparisons, observed, errors, least_errors, np.hypot(deviation[:, one], deviation[:, other]))

    def p_values(self, subjects: Floats) -> Floats:
        """(draws,) approximate p-values of the largest statistic."""
        from scipy import special

        units = with_rests(subjects)
        total = float(subjects.sum())
        freedom = np.maximum(units[self.comparisons.one] + units[self.comparisons.other] - _PAIR, 1)
        leading = self.observed.argmax(axis=1)
        largest = np.take_along_axis(self.observed, leading[:, None], axis=1)

        def permuted(difference: Floats) -> Floats:
            """Probability of a permuted difference: as a correlation coefficient, its range is limited."""
            relative = difference / np.maximum(self.deviations, 1e-12)
            left = np.maximum(total - 1 - relative**2, 1e-9)
            freedom = max(total - _PAIR, 1)
            return np.asarray(2 * special.stdtr(freedom, -relative * np.sqrt(freedom / left)), float)

        own = np.minimum(2 * special.stdtr(freedom, -largest), permuted(largest * self.least_errors))
        each = np.maximum(own, permuted(largest * self.errors))
        single = np.take_along_axis(own, leading[:, None], axis=1)[:, 0]
        p: Floats = np.maximum(each.sum(axis=1) * dependence(subjects, 3.5), single)
        return p


def _drawn_sums(trials: NDArray[np.int64], rate: float, correlation: float, stream: int) -> Floats:
    """(5, draws) sums over the simulated subjects of one group."""
    generator = np.random.default_rng([1, stream])
    n = trials.astype(float)
    constant = [np.full(_DRAWS, n.sum()), np.full(_DRAWS, float((n * n).sum()))]
    variance = rate * (1 - rate) * n * (1 + correlation * (n - 1))
    if len(n) > _DRAWN_UNITS:
        half = generator.standard_normal(_DRAWS // 2)
        noise = np.concatenate([half, -half]) * math.sqrt(float(variance.sum()))
        hits = np.clip(rate * n.sum() + noise, 0, n.sum())
        squares = np.full(_DRAWS, float((variance + (rate * n) ** 2).sum()))
        both = np.full(_DRAWS, float((rate * n * n).sum()))
        # Squares around the drawn rate are those around the true one.
        shift = hits / n.sum() - rate
        squares = squares + 2 * shift * both - 0 * shift + shift**2 * constant[1]
        both = both + shift * constant[1]
        return np.stack([hits, constant[0], squares, both, constant[1]])
    sums = np.zeros((3, _DRAWS))
    for kind, number in _kinds(trials):
        half = generator.random((_DRAWS // 2, number))
        uniform = np.concatenate([half, 1 - half])
        k = np.searchsorted(_cumulative(kind, rate, correlation), uniform).clip(max=kind)
        sums += np.stack([k.sum(axis=1), (k * k).sum(axis=1), kind * k.sum(axis=1)])
    return np.stack([sums[0], constant[0], sums[1], sums[2], constant[1]])


def _kinds(trials: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Numbers of trials that represent all, and the number of subjects that have each."""
    kinds, count = np.unique(trials, return_counts=True)
    if len(kinds) > _KINDS:
        parts = np.array_split(np.sort(trials), _KINDS)
        return [(max(round(float(p.mean())), 1), len(p)) for p in parts if len(p)]
    return [(int(k), int(c)) for k, c in zip(kinds, count, strict=True)]


def _cumulative(trials: int, rate: float, correlation: float) -> Floats:
    """Cumulative probabilities of 0, 1, … hits: binomial with a beta distributed rate."""
    from scipy import special

    k = np.arange(trials + 1)
    if not 0 < rate < 1:
        return (k >= round(rate * trials)).astype(float)
    chosen = special.gammaln(trials + 1) - special.gammaln(k + 1) - special.gammaln(trials - k + 1)
    if correlation < _INDEPENDENT:
        log = chosen + special.xlogy(k, rate) + special.xlog1py(trials - k, -rate)
    else:
        size = 1 / min(correlation, 0.999) - 1
        log = chosen + special.betaln(k + rate * size, trials - k + (1 - rate) * size)
    weight = np.exp(log - log.max())
    cumulative: Floats = np.cumsum(weight) / weight.sum()
    return cumulative


def minimum_detectable_difference_of_subjects(
    design: SubjectDesign, rate: float, level: float, target: float = POWER
) -> float | None:
    """As `fairfer.stats.minimum_detectable_difference`, between the two groups with the smallest effective sizes."""
    if not 0 < rate < 1:
        return None
    n = design.sizes
    pair = least_precise_pair(n)
    z = normal_quantile(1 - level / len(Comparisons.of(len(n))) / 2) + normal_quantile(POWER)
    guess = z * math.sqrt(rate * (1 - rate) * sum(1 / n[g] for g in pair))
    largest = 0.0
    for one, other in itertools.permutations(pair):

        def probability(difference: float, planted: tuple[int, int] = (one, other)) -> float:
            return power_of_subjects(design, planted_rates(rate, n, planted, difference), level)

        if largest and probability(largest) >= target:
            continue
        gap = smallest_with_power(probability, max(largest, guess), target=target)
        if gap is None:
            return None
        largest = max(largest, gap)
    return largest


def additional_subjects(
    design: SubjectDesign, rates: Floats, level: float, sides: tuple[Sequence[int], Sequence[int]]
) -> dict[int, int] | None:
    """As `fairfer.stats.additional_sample_size`, in subjects with the present numbers of trials."""
    if np.ptp(rates) <= 0:
        return None
    n = design.subjects
    if power_of_subjects(design, rates, level) >= POWER:
        return {}
    smaller = min(sides, key=lambda side: float(n[list(side)].sum()))
    return smallest_addition(
        lambda subjects: power_of_subjects(design.enlarged(subjects), rates, level),
        n,
        tuple(dict.fromkeys(tuple(sorted(g)) for g in (smaller, [*sides[0], *sides[1]], range(len(n))))),
        MAXIMUM_SUBJECTS,
    )
