"""Direct standardization: gaps after all groups are weighted to the same distribution of labels and of other columns.

The images of one group may be more ambiguous than those of another, or show older people. The directly standardized rate of
a group is the mean of its rates within strata, weighted by how common each stratum is among all the groups compared: sum of
weight x rate. A stratum is one true label and one combination of values of the columns; for a TPR
the label is fixed already. What standardization changes is itself estimated, with an interval (`fairfer.stats.standardized`).
This is a comparison at equal distributions, not a causal statement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from fairfer.metrics.gaps import FAVORABLE
from fairfer.metrics.results import Gap, GroupValue, StandardizedGap
from fairfer.stats import (
    Estimates,
    ParametricTest,
    PermutationTest,
    ResolvedTest,
    StratifiedTest,
    Units,
    change_by_standardization,
    gap_bounds,
    resolve,
    satterthwaite,
    shrunk_rates,
    variance_by_subjects,
)

if TYPE_CHECKING:
    from fairfer.metrics.counts import Counts, Integers
    from fairfer.metrics.metric_settings import MetricSettings
    from fairfer.stats.intervals import Floats
    from fairfer.vocabulary import Grouping


@dataclass(frozen=True)
class Strata:
    """Counts by stratum and group, and by subject where several samples show one.

    Attributes
    ----------
    counts
        By grouping.
    stratum
        (units,) number of the stratum of each unit of the counts.
    subject
        (units,) number of its subject; ``None`` where every sample is a subject of its own.
    """

    counts: Mapping[Grouping, Counts]
    stratum: Integers
    subject: Integers | None = None


def standardized_gaps(gaps: Sequence[Gap], strata: Strata, settings: MetricSettings) -> list[StandardizedGap]:
    """Each gap again, between the same groups, directly standardized.

    Parameters
    ----------
    gaps
        The unstandardized gaps. Coverage is excluded, because it does not depend on the label.
    strata
        Counts by stratum: true label and columns.
    settings
        Permutations, seed and confidence.

    Returns
    -------
    list of StandardizedGap
        They are one family of tests (see `fairfer.stats.resolve`).
    """
    pairs = [_standardized(g, strata, settings) for g in gaps if g.rate != "coverage"]
    tests = [test for _, test in pairs if test is not None]
    resolved = iter(resolve(tests, permutations=settings.permutations, confidence=settings.confidence))
    return [row if test is None else _with_result(row, test, next(resolved)) for row, test in pairs]


def _with_result(row: StandardizedGap, test: PermutationTest, resolved: ResolvedTest) -> StandardizedGap:
    # A lower bound only where the gap is significant, at the critical value of the test, so that the two agree.
    chosen = resolved.significant_comparisons
    bounds = np.abs(test.difference[chosen]) - resolved.critical * test.scale[chosen]
    low = max(float(bounds.max()), 0.0) if chosen.any() else None
    status = "no_variation" if resolved.p is None else "ok"
    result = {"expected_by_chance": resolved.expected, "p": resolved.p, "q": resolved.q, "low": low, "status": status}
    return row.model_copy(update=result)


def _standardized(gap: Gap, strata: Strata, settings: MetricSettings) -> tuple[StandardizedGap, PermutationTest | None]:
    """The row without the result of its test, and the test; ``None`` where nothing can be tested."""
    if gap.worst is None or gap.best is None:
        return _none(gap, "too_few_groups"), None
    table = _StratumTable.of(gap, strata)
    hits, trials = table.hits, table.trials
    common = np.asarray((trials > 0).all(axis=1))
    everything = trials.sum()
    if not common.any():
        return _none(gap, "no_common_strata"), None
    hits, trials = hits[common], trials[common]
    weights = trials.sum(axis=1) / trials.sum()
    clustered = table.variance(common, weights) if strata.subject is not None else None
    estimates, error = _estimates(hits, trials, weights, clustered)
    value, sign = estimates.rate, FAVORABLE[gap.rate]
    worst, best = int(np.argmin(sign * value)), int(np.argmax(sign * value))
    generator = settings.stream(gap.attribute, gap.label, gap.rate, "adjusted")
    test: PermutationTest = (
        StratifiedTest(hits, trials, weights, generator)
        if clustered is None
        else ParametricTest(estimates.rate, error, estimates.degrees_of_freedom, generator)
    )
    high = gap_bounds(estimates, settings.confidence)[1]
    below, above = estimates.limits(settings.tail)
    pair = tuple(gap.groups.index(g) for g in ((gap.best, gap.worst) if sign > 0 else (gap.worst, gap.best)))
    changed = change_by_standardization(
        hits, trials, (pair[0], pair[1]), settings.tail, table.units(common) if strata.subject is not None else None
    )
    row = StandardizedGap(
        label=gap.label,
        attribute=gap.attribute,
        rate=gap.rate,
        strata=len(hits),
        covered_share=float(trials.sum() / everything),
        unstandardized=changed.plain,
        standardized=changed.standardized,
        change=changed.change,
        change_low=changed.low,
        change_high=changed.high,
        worst=gap.groups[worst],
        best=gap.groups[best],
        difference=float(np.ptp(value)),
        expected_by_chance=None,
        p=None,
        q=None,
        low=None,
        high=float(high),
        status="ok",
        groups=[
            GroupValue(group=g, value=float(v), low=float(a), high=float(b))
            for g, v, a, b in zip(gap.groups, value, below, above, strict=True)
        ],
    )
    return row, test


def _none(gap: Gap, status: Literal["too_few_groups", "no_common_strata"]) -> StandardizedGap:
    return StandardizedGap(
        label=gap.label,
        attribute=gap.attribute,
        rate=gap.rate,
        strata=0,
        covered_share=0.0,
        unstandardized=None,
        standardized=None,
        change=None,
        change_low=None,
        change_high=None,
        worst=None,
        best=None,
        difference=None,
        expected_by_chance=None,
        p=None,
        q=None,
        low=None,
        high=None,
        status=status,
        groups=[],
    )


@dataclass(frozen=True)
class _StratumTable:
    """Hits and trials of the groups of one gap, and the units behind them.

    Attributes
    ----------
    hits, trials
        (strata, groups).
    stratum, group, subject, unit_hits, unit_trials
        (units,).
    """

    hits: Integers
    trials: Integers
    stratum: Integers
    group: Integers
    subject: Integers
    unit_hits: Integers
    unit_trials: Integers

    @classmethod
    def of(cls, gap: Gap, strata: Strata) -> _StratumTable:
        counts = strata.counts[gap.attribute]
        number = np.full(len(counts.groups), -1)
        number[[counts.groups.index(g) for g in gap.groups]] = np.arange(len(gap.groups))
        hits, trials = (np.asarray(x, np.int64) for x in counts.fraction(gap.rate, gap.label))
        used = (number[counts.group] >= 0) & (trials > 0)
        stratum, group = strata.stratum[counts.unit[used]], number[counts.group[used]]
        subject = stratum if strata.subject is None else strata.subject[counts.unit[used]]
        table = np.zeros((2, int(stratum.max()) + 1, len(gap.groups)), np.int64)
        np.add.at(table[0], (stratum, group), hits[used])
        np.add.at(table[1], (stratum, group), trials[used])
        occurs = table[1].sum(axis=1) > 0
        stratum = (np.cumsum(occurs) - 1)[stratum]
        return cls(table[0][occurs], table[1][occurs], stratum, group, subject, hits[used], trials[used])

    def units(self, common: np.ndarray) -> Units:
        """The units in the common strata, which are numbered anew."""
        used = common[self.stratum]
        number = np.cumsum(common) - 1
        return Units(
            number[self.stratum[used]], self.group[used], self.subject[used], self.unit_hits[used], self.unit_trials[used]
        )

    def variance(self, common: np.ndarray, weights: Floats) -> tuple[Floats, Floats]:
        """(groups,) variance of the standardized rates over subjects, and its degrees of freedom."""
        units = (self.stratum, self.group, self.subject, self.unit_hits, self.unit_trials)
        stratum, group, subject, hits, trials = (a[common[self.stratum]] for a in units)
        weight = np.zeros(len(common))
        weight[common] = weights
        rate = np.divide(self.hits, self.trials, out=np.zeros(self.hits.shape), where=self.trials > 0)
        residual = weight[stratum] * (hits - rate[stratum, group] * trials) / self.trials[stratum, group]
        variance, degrees_of_freedom = [], []
        for g in range(self.hits.shape[1]):
            members = group == g
            variance.append(variance_by_subjects(residual[members], subject[members])[0])
            each = np.bincount(np.unique(subject[members], return_inverse=True)[1], trials[members])
            degrees_of_freedom.append(max(each.sum() ** 2 / (each**2).sum() - 1, 1.0))
        return np.array(variance), np.array(degrees_of_freedom)


def _estimates(
    hits: Integers, trials: Integers, weights: Floats, clustered: tuple[Floats, Floats] | None
) -> tuple[Estimates, Floats]:
    """Standardized rates with the number of trials of the same precision, and their standard errors.

    The variance within a stratum is that of the group's own rate there, shrunk toward that of all groups by two trials. With
    subjects it is their variance, where that is larger. A stratum with few trials and a large weight has an uncertain variance,
    so that several strata have the degrees of freedom of Satterthwaite (1946).
    """
    rate = weights @ (hits / trials)
    own = shrunk_rates(hits, trials)
    parts = weights[:, None] ** 2 * own * (1 - own) / trials
    variance = parts.sum(axis=0)
    middle = weights @ own
    degrees_of_freedom = np.full(rate.shape, np.inf)
    if len(hits) > 1:  # one stratum gives the plain rate, of which the interval allows for the uncertain variance itself
        of_groups = zip(variance, parts.T, (trials - 1).T, strict=True)
        degrees_of_freedom = np.array([satterthwaite(float(v), part, df) for v, part, df in of_groups])
    if clustered is not None:
        variance, degrees_of_freedom = np.maximum(variance, clustered[0]), np.minimum(degrees_of_freedom, clustered[1])
    # With one stratum this is its own number of trials.
    size = middle * (1 - middle) / variance
    return Estimates(rate, size, degrees_of_freedom), np.sqrt(variance)
