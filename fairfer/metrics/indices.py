"""Summary indices: one number for how unequal the rates of all groups of a grouping are, per label.

With x the rates of n groups and a the weight 1/2 of either kind of error:

equalized-odds difference
    The larger of max - min of the TPR and max - min of the FPR (Hardt et al. 2016); over all labels the mean, and the largest.
MERG, SER, MERA
    Largest rate divided by the geometric mean, by the smallest, and by the mean of the rates (Grother 2022, NISTIR 8429). In
    the geometric mean, a rate of 0 is replaced by the one-sided 95 % upper limit of Clopper and Pearson, as NIST does.
Gini
    Sum of all |x_i - x_j| / (2 n (n - 1) mean of x), from 0 to 1.
GARBE
    a Gini of the FPR + (1 - a) Gini of the FNR (Howard et al. 2022).
Fairness Discrepancy Rate
    1 - (a (max - min of the FPR) + (1 - a) (max - min of the FNR)) (de Freitas Pereira and Marcel 2022); 1 is equality. It is
    never abbreviated here: FDR is the false discovery rate.
inequity rate
    (max / min of the FPR)^a (max / min of the FNR)^(1 - a) (Grother 2021).
impact ratio
    Smallest divided by largest selection rate (6 RCNY § 5-301).
fair F1
    Mean over the groups of macro-F1 (arXiv 2405.06841): how well a model does when each group counts the same, not how unequal
    the groups are. See `fairfer.metrics.f1`.

MERG, SER, MERA and Gini are computed for the FNR and for the FPR.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fairfer.metrics.index_results import FairnessIndex, IndexName
from fairfer.metrics.rates import estimates as estimates_of
from fairfer.metrics.rates_by_chance import RatesByChance, by_chance
from fairfer.metrics.results import ExcludedGroup, Rate
from fairfer.stats.indices import INDICES, max_to_geometric_mean, max_to_min, max_to_min_range
from fairfer.stats.simultaneous import simultaneous_limits, upper_limit_of_zero
from fairfer.vocabulary import ALL, Group, Grouping, is_annotated

if TYPE_CHECKING:
    from fairfer.metrics.counts import Counts
    from fairfer.metrics.metric_settings import MetricSettings
    from fairfer.stats.intervals import Floats

ERRORS = ("FPR", "FNR")
"""Rates of the two kinds of errors."""

_OF_ONE_RATE: tuple[IndexName, ...] = ("MERG", "SER", "MERA", "Gini")
_LOWER_IS_UNEQUAL = frozenset({"Fairness Discrepancy Rate", "impact ratio"})
_PAIR = 2
_SELECTION = "selection rate"

Limits = tuple[float, float]


@dataclass(frozen=True)
class _Combined:
    """An index of both kinds of errors: a combination, monotone in both, of an index of each.

    Attributes
    ----------
    name, part
        Its name, and the index of each kind.
    combine
        From the FPR's and the FNR's index.
    decreasing
        Whether the combination falls when they rise.
    """

    name: IndexName
    part: str
    combine: Callable[[Floats, Floats], Floats]
    decreasing: bool = False


_COMBINED = (
    _Combined("equalized-odds difference", "difference", np.maximum),
    _Combined("GARBE", "Gini", lambda a, b: (a + b) / 2),
    _Combined("Fairness Discrepancy Rate", "difference", lambda a, b: 1 - (a + b) / 2, decreasing=True),
    _Combined("inequity rate", "SER", lambda a, b: np.sqrt(a * b)),
)


def compute_indices(
    rates: Sequence[Rate],
    counts: Mapping[Grouping, Counts],
    settings: MetricSettings,
    subjects: Mapping[Grouping, Counts] | None = None,
) -> list[FairnessIndex]:
    """Every index of every label over each grouping.

    Parameters
    ----------
    rates
        All rates of an audit. As in a gap, a group takes part when its rates have large enough denominators and all of its
        attributes are annotated; in an index of both kinds of errors, when both have.
    counts
        By grouping, one entry per group.
    settings
        Confidence, permutations and seed.
    subjects
        Counts by subject, where several samples show one.

    Returns
    -------
    list of FairnessIndex
        Each interval is the range of the index over the simultaneous Clopper-Pearson intervals of the rates that it
        summarizes, so that it holds however small a group is.
    """
    members: dict[tuple[Grouping, str, str], list[Rate]] = {}
    for rate in rates:
        members.setdefault((rate.attribute, rate.label, rate.rate), []).append(rate)
    rows: list[FairnessIndex] = []
    for grouping, of_grouping in counts.items():
        if grouping:
            names = [(rate, label) for label in of_grouping.labels for rate in (*ERRORS, _SELECTION)]
            chance = RatesByChance.of(of_grouping, settings, None if subjects is None else subjects[grouping], names)
            by_label = {
                label: {rate: members[grouping, label, rate] for rate in (*ERRORS, _SELECTION)} for label in of_grouping.labels
            }
            rows += _of_grouping(grouping, by_label, chance, settings)
    return rows


def _of_grouping(
    grouping: Grouping, by_label: Mapping[str, Mapping[str, list[Rate]]], chance: RatesByChance, settings: MetricSettings
) -> list[FairnessIndex]:
    rows, odds = [], []
    for label, of_label in by_label.items():
        values = {rate: RateOfGroups.of(label, rate, members, chance) for rate, members in of_label.items()}
        fpr, fnr = (values[rate] for rate in ERRORS)
        both = [g for g in fpr.groups if g in fnr.groups]
        pair = (fpr.only(both), fnr.only(both))
        rows += [_of_one(name, v, settings) for name in _OF_ONE_RATE for v in (fpr, fnr)]
        rows += [_of_both(combined, pair, settings) for combined in _COMBINED]
        rows.append(impact_index(values[_SELECTION], settings))
        if len(both) >= _PAIR:
            odds.append(pair)
    return [*_over_labels(grouping, odds, settings), *rows]


@dataclass(frozen=True)
class RateOfGroups:
    """A rate of the groups that take part in an index.

    Attributes
    ----------
    grouping, label, rate
        What it is.
    groups, excluded
        Groups that take part, and the others.
    values
        (groups,) rates.
    limits
        Simultaneous limits from the error of each.
    trials
        (groups,) denominators.
    chance
        (permutations, groups) rates under random reassignment.
    """

    grouping: Grouping
    label: str
    rate: str
    groups: list[Group]
    excluded: list[ExcludedGroup]
    values: Floats
    limits: Callable[[float], tuple[Floats, Floats]]
    trials: Floats
    chance: Floats

    @classmethod
    def of(cls, label: str, rate: str, members: Sequence[Rate], chance: RatesByChance) -> RateOfGroups:
        """A rate from its rows."""
        usable = [m for m in members if m.status == "ok" and is_annotated(m.group)]
        excluded = [excluded_group(m) for m in members if m not in usable]
        estimates = estimates_of(usable)
        trials = np.array([m.denominator for m in usable], float)
        drawn = chance.of_rates(usable) if len(usable) >= _PAIR else np.empty((0, len(usable)))
        groups = [m.group for m in usable]

        def limits(error: float) -> tuple[Floats, Floats]:
            return simultaneous_limits(estimates, error)

        return cls(chance.grouping, label, rate, groups, excluded, estimates.rate, limits, trials, drawn)

    def only(self, groups: Sequence[Group]) -> RateOfGroups:
        """The same of fewer groups."""
        index = [self.groups.index(g) for g in groups]
        others = [
            ExcludedGroup(group=g, reason="small", denominator=int(n))
            for g, n in zip(self.groups, self.trials, strict=True)
            if g not in groups
        ]

        def limits(error: float) -> tuple[Floats, Floats]:
            low, high = self.limits(error)
            return low[index], high[index]

        return RateOfGroups(
            self.grouping,
            self.label,
            self.rate,
            list(groups),
            [*self.excluded, *others],
            self.values[index],
            limits,
            self.trials[index],
            self.chance[:, index],
        )


def excluded_group(member: Rate) -> ExcludedGroup:
    """A group that takes no part, and why."""
    if not is_annotated(member.group):
        return ExcludedGroup(group=member.group, reason="unannotated", denominator=member.denominator or 0)
    reason = "empty" if member.status == "ok" else member.status
    return ExcludedGroup(group=member.group, reason=reason, denominator=member.denominator or 0)


def _of_one(name: IndexName, of: RateOfGroups, settings: MetricSettings) -> FairnessIndex:
    """An index of one rate."""
    n = len(of.groups)
    if n < _PAIR:
        return _none(name, of, of.rate)
    index = INDICES[name]
    values = np.concatenate([of.values[None], of.chance])
    drawn = max_to_geometric_mean(values, upper_limit_of_zero(of.trials)) if name == "MERG" else index.of(values)
    return _row(name, of, of.rate, drawn, index.over(*of.limits((1 - settings.confidence) / n)), settings)


def _of_both(combined: _Combined, pair: tuple[RateOfGroups, RateOfGroups], settings: MetricSettings) -> FairnessIndex:
    """An index of both kinds of errors."""
    fpr, _ = pair
    rate = "TPR, FPR" if combined.name == "equalized-odds difference" else "FPR, FNR"
    if len(fpr.groups) < _PAIR:
        return _none(combined.name, fpr, rate)
    drawn = _drawn(combined, pair)
    limits = _range(combined, pair, (1 - settings.confidence) / (2 * len(fpr.groups)))
    return _row(combined.name, fpr, rate, drawn, limits, settings)


def _drawn(combined: _Combined, pair: tuple[RateOfGroups, RateOfGroups]) -> Floats:
    """The index as observed, then under random reassignment."""
    with np.errstate(invalid="ignore"):
        one, other = (INDICES[combined.part].of(np.concatenate([of.values[None], of.chance])) for of in pair)
        return combined.combine(one, other)


def _range(combined: _Combined, pair: tuple[RateOfGroups, RateOfGroups], error: float) -> Limits:
    ranges = [INDICES[combined.part].over(*of.limits(error)) for of in pair]
    low, high = (float(combined.combine(*(np.array(r[side]) for r in ranges))) for side in (0, 1))
    return (high, low) if combined.decreasing else (low, high)


def _over_labels(
    grouping: Grouping, odds: Sequence[tuple[RateOfGroups, RateOfGroups]], settings: MetricSettings
) -> list[FairnessIndex]:
    """Mean and largest equalized-odds difference of all labels."""
    names: tuple[IndexName, IndexName] = ("mean equalized-odds difference", "largest equalized-odds difference")
    everywhere = [g for g in odds[0][0].groups if all(g in fpr.groups for fpr, _ in odds)] if odds else []
    empty = RateOfGroups(grouping, ALL, "", everywhere, [], np.empty(0), _no_limits, np.empty(0), np.empty((0, 0)))
    if not odds:
        return [_none(name, empty, "TPR, FPR") for name in names]
    combined = _COMBINED[0]
    error = (1 - settings.confidence) / sum(2 * len(fpr.groups) for fpr, _ in odds)
    drawn = np.stack([_drawn(combined, pair) for pair in odds])
    ranges = np.array([_range(combined, pair, error) for pair in odds])
    summaries = ((drawn.mean(axis=0), ranges.mean(axis=0)), (drawn.max(axis=0), ranges.max(axis=0)))
    return [
        _row(name, empty, "TPR, FPR", values, (limits[0], limits[1]), settings, len(odds))
        for name, (values, limits) in zip(names, summaries, strict=True)
    ]


def _no_limits(error: float) -> tuple[Floats, Floats]:
    raise NotImplementedError(error)


def impact_index(of: RateOfGroups, settings: MetricSettings) -> FairnessIndex:
    """The impact ratio: smallest divided by largest rate."""
    n = len(of.groups)
    if n < _PAIR:
        return _none("impact ratio", of, of.rate)
    low, high = max_to_min_range(*of.limits((1 - settings.confidence) / n))
    with np.errstate(divide="ignore"):
        drawn = 1 / max_to_min(np.concatenate([of.values[None], of.chance]))
    return _row("impact ratio", of, of.rate, drawn, (1 / high, 1 / low), settings)


def _row(
    name: IndexName, of: RateOfGroups, rate: str, drawn: Floats, limits: Limits, settings: MetricSettings, labels: int = 1
) -> FairnessIndex:
    """A row from the observed value followed by those under random reassignment."""
    value = float(drawn[0])
    low, high = float(limits[0]), float(limits[1])
    if np.isfinite(value):
        # Rounding, or NIST's replacement of zeros, may put a value outside the range of possible true ones.
        low, high = min(low, value), max(high, value)
    median, limit = by_chance(drawn[1:], settings.confidence, lower_is_unequal=name in _LOWER_IS_UNEQUAL)
    return FairnessIndex(
        label=of.label,
        attribute=of.grouping,
        index=name,
        rate=rate,
        value=value if np.isfinite(value) else None,
        low=low if np.isfinite(low) else None,
        high=high if np.isfinite(high) else None,
        chance_median=median,
        expected_by_chance=limit,
        status="ok" if np.isfinite(value) else "zero_rate",
        labels=labels,
        groups=of.groups,
        excluded=of.excluded,
    )


def _none(name: IndexName, of: RateOfGroups, rate: str) -> FairnessIndex:
    return FairnessIndex(
        label=of.label,
        attribute=of.grouping,
        index=name,
        rate=rate,
        value=None,
        low=None,
        high=None,
        chance_median=None,
        expected_by_chance=None,
        status="too_few_groups",
        labels=0 if of.label == ALL else 1,
        groups=of.groups,
        excluded=of.excluded,
    )
