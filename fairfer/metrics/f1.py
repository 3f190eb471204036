"""F1 per group: intervals, differences between groups with their tests, and the mean over groups ("fair F1").

F1 of a label is 2 TP / (2 TP + FP + FN), and undefined in a group without a sample that has the label. Macro-F1 is its mean
over labels, weighted macro-F1 the mean weighted by the samples that have each label.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, get_args

import numpy as np

from fairfer.metrics.f1_results import F1Gap, F1GapStatus, F1Measure
from fairfer.metrics.index_results import FairnessIndex
from fairfer.metrics.indices import excluded_group
from fairfer.metrics.results import GroupDifference, Rate
from fairfer.stats import ResolvedTest, estimate_by_subjects, resolve, wilson
from fairfer.stats.macro_f1 import F1Test, UnitTable, score_limits
from fairfer.vocabulary import ALL, Group, Grouping, group_name, grouping_name, is_annotated

if TYPE_CHECKING:
    from fairfer.metrics.counts import Counts
    from fairfer.metrics.metric_settings import MetricSettings
    from fairfer.stats.intervals import Floats

MEASURES: tuple[F1Measure, ...] = get_args(F1Measure)
_PAIR = 2

_Key = tuple[Grouping, Group, str]


@dataclass(frozen=True)
class F1Units:
    """What varies independently: samples, or the samples of one subject in one group.

    Attributes
    ----------
    counts
        By grouping; a unit is a subject, or a kind of outcome that samples have in common.
    subjects
        Whether units are subjects.
    """

    counts: Mapping[Grouping, Counts]
    subjects: bool
    _tables: dict[Grouping, UnitTable] = field(default_factory=dict, repr=False)

    def table(self, grouping: Grouping) -> UnitTable:
        """The units of all groups of a grouping."""
        if grouping not in self._tables:
            counts = self.counts[grouping]
            used = counts.judged > 0
            values = np.stack([counts.tp, counts.fp, counts.fn], axis=1)[used]
            number = None
            if not self.subjects:  # each entry is a number of equal samples
                number = counts.total[used]
                values = values // number[:, None, None]
            self._tables[grouping] = UnitTable.of(values, counts.group[used], len(counts.groups), number)
        return self._tables[grouping]

    def shared(self, grouping: Grouping, groups: Sequence[Group]) -> bool:
        """Whether any subject has samples in several of the groups."""
        counts = self.counts[grouping]
        members = np.isin(counts.group, [counts.groups.index(g) for g in groups]) & (counts.judged > 0)
        return self.subjects and len(np.unique(counts.unit[members])) < int(members.sum())


def with_f1_intervals(rates: Sequence[Rate], units: F1Units, settings: MetricSettings) -> list[Rate]:
    """Rates with confidence intervals of F1, macro-F1 and weighted macro-F1.

    Parameters
    ----------
    rates
        All rates of an audit.
    units
        What varies independently.
    settings
        Confidence and seed.

    Notes
    -----
    F1 = 2 J / (1 + J) of one label rises with J = TP / (TP + FP + FN) (Jaccard), which is a proportion. So the limits of F1 are
    those of J (Wilson, or by subject as for other rates), transformed.
    """
    limits: dict[tuple[Grouping, Group, str, str], tuple[float, float]] = {}
    for grouping, counts in units.counts.items():
        for (group, label), pair in _label_limits(counts, units, settings).items():
            limits[grouping, group, label, "F1"] = pair
        table = units.table(grouping)
        for measure in MEASURES:
            weighted = measure != "macro-F1"
            low, high = score_limits(
                table.values(weighted=weighted), table.errors(weighted=weighted), table.units, settings.confidence
            )
            for i, group in enumerate(counts.groups):
                limits[grouping, group, ALL, measure] = float(low[i]), float(high[i])
    found = []
    for rate in rates:
        pair = limits.get((rate.attribute, rate.group, rate.label, rate.rate), (np.nan, np.nan))
        known = rate.value is not None and np.isfinite(pair).all()
        found.append(rate.model_copy(update={"low": pair[0], "high": pair[1]}) if known else rate)
    return found


def _label_limits(counts: Counts, units: F1Units, settings: MetricSettings) -> dict[tuple[Group, str], tuple[float, float]]:
    limits = {}
    tail = (1 - settings.confidence) / 2
    for i, group in enumerate(counts.groups):
        members = counts.group == i
        hits, any_of = counts.tp[members], (counts.tp + counts.fp + counts.fn)[members]
        if units.subjects:
            name = f"{settings.seed}/{grouping_name(counts.grouping)}/{group_name(group)}/F1"
            generator = np.random.default_rng(list(name.encode()))
            low, high = estimate_by_subjects(hits, any_of, generator=generator).limits(tail)
        else:
            low, high = wilson(hits.sum(axis=0), any_of.sum(axis=0), settings.confidence)
        low, high = (2 * x / (1 + x) for x in (low, high))
        limits.update({(group, label): (float(low[j]), float(high[j])) for j, label in enumerate(counts.labels)})
    return limits


def compute_f1_gaps(rates: Sequence[Rate], units: F1Units, settings: MetricSettings) -> list[F1Gap]:
    """Differences in macro-F1 and weighted macro-F1 between the groups of each grouping.

    Parameters
    ----------
    rates
        All rates of an audit. A group takes part when its value is defined, it has enough samples and subjects, and all of its
        attributes are annotated.
    units
        What is reassigned.
    settings
        Permutations, seed and confidence.

    Returns
    -------
    list of F1Gap
        They are one family of tests.
    """
    candidates = [
        _Candidate.of(measure, [r for r in rates if (r.attribute, r.rate) == (grouping, measure)], units, settings)
        for grouping in units.counts
        if grouping
        for measure in MEASURES
    ]
    tests = [c.test for c in candidates if c.test is not None]
    resolved = iter(resolve(tests, permutations=settings.permutations, confidence=settings.confidence))
    return [c.row if c.test is None else c.tested(c.test, next(resolved)) for c in candidates]


@dataclass(frozen=True)
class _Candidate:
    """The groups of one grouping that can be compared, and their test."""

    usable: list[Rate]
    row: F1Gap
    test: F1Test | None

    @classmethod
    def of(cls, measure: F1Measure, members: Sequence[Rate], units: F1Units, settings: MetricSettings) -> _Candidate:
        usable = _usable(members)
        grouping, groups = members[0].attribute, [m.group for m in usable]
        status: F1GapStatus = "ok"
        if len(usable) < _PAIR:
            status = "too_few_groups"
        elif units.shared(grouping, groups):
            status = "shared_subjects"
        test = None
        if status == "ok":
            table = units.table(grouping).only([[units.counts[grouping].groups.index(g)] for g in groups])
            generator = settings.stream(grouping, measure)
            test = F1Test(table, generator, weighted=measure != "macro-F1", subjects=units.subjects)
        values = [m.value or 0.0 for m in usable]
        several = status != "too_few_groups"
        row = F1Gap(
            attribute=grouping,
            measure=measure,
            worst=groups[int(np.argmin(values))] if several else None,
            best=groups[int(np.argmax(values))] if several else None,
            difference=max(values) - min(values) if several else None,
            expected_by_chance=None,
            p=None,
            q=None,
            significant=False,
            borderline=False,
            critical_value=None,
            status=status,
            differences=[],
            groups=groups,
            excluded=[excluded_group(m) for m in members if m not in usable],
        )
        return cls(usable, row, test)

    def tested(self, test: F1Test, resolved: ResolvedTest) -> F1Gap:
        """The row with the result of its test."""
        return self.row.model_copy(
            update={
                "expected_by_chance": resolved.expected,
                "p": resolved.p,
                "q": resolved.q,
                "significant": resolved.significant,
                "borderline": resolved.borderline,
                "critical_value": resolved.critical if np.isfinite(resolved.critical) else None,
                "status": "ok" if resolved.p is not None else "no_variation",
                "differences": self._differences(test, resolved) if resolved.p is not None else [],
            }
        )

    def _differences(self, test: F1Test, resolved: ResolvedTest) -> list[GroupDifference]:
        groups, rows = self.row.groups, []
        reach = resolved.critical * test.scale
        for c in range(len(test.comparisons)):
            one, other = int(test.comparisons.one[c]), int(test.comparisons.other[c])
            is_rest = other >= len(groups)
            turned = not is_rest and test.difference[c] < 0
            difference = float(-test.difference[c] if turned else test.difference[c]) + 0.0
            known = bool(np.isfinite(reach[c]))
            rows.append(
                GroupDifference(
                    group=groups[other if turned else one],
                    reference=None if is_rest else groups[one if turned else other],
                    difference=difference,
                    low=max(difference - float(reach[c]), -1.0) if known else None,
                    high=min(difference + float(reach[c]), 1.0) if known else None,
                    p=float(resolved.adjusted[c]),
                    significant=bool(resolved.significant_comparisons[c]),
                )
            )
        return rows


def fair_f1(rates: Sequence[Rate], units: F1Units, settings: MetricSettings) -> list[FairnessIndex]:
    """Mean over groups of macro-F1 ("fair F1" of arXiv 2405.06841), for each grouping.

    The interval is that of the mean of independent groups; there is none where a subject has samples in several groups.
    """
    rows = []
    for grouping, counts in units.counts.items():
        members = [r for r in rates if (r.attribute, r.rate) == (grouping, "macro-F1")]
        if not grouping:
            continue
        usable = _usable(members)
        groups = [m.group for m in usable]
        enough = len(usable) >= _PAIR
        value = float(np.mean([m.value for m in usable])) if enough else None
        low, high = None, None
        if enough and not units.shared(grouping, groups):
            low, high = _limits_of_mean(units.table(grouping), [counts.groups.index(g) for g in groups], settings.confidence)
        rows.append(
            FairnessIndex(
                label=ALL,
                attribute=grouping,
                index="fair F1",
                rate="macro-F1",
                value=value,
                low=low,
                high=high,
                chance_median=None,
                expected_by_chance=None,
                status="ok" if enough else "too_few_groups",
                labels=len(counts.labels),
                groups=groups,
                excluded=[excluded_group(m) for m in members if m not in usable],
            )
        )
    return rows


def _limits_of_mean(table: UnitTable, groups: Sequence[int], confidence: float) -> tuple[float | None, float | None]:
    values, errors = table.values()[groups], table.errors()[groups]
    error = np.sqrt((errors**2).sum()) / len(groups)
    low, high = score_limits(values.mean(), error, table.units[groups].min(), confidence)
    return _finite(low), _finite(high)


def _finite(value: Floats) -> float | None:
    return float(value) if np.isfinite(value) else None


def _usable(members: Sequence[Rate]) -> list[Rate]:
    """Rates of groups that can be compared."""
    return [m for m in members if m.status == "ok" and m.value is not None and is_annotated(m.group)]
