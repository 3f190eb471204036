"""Differences between groups in labels and predictions at equal action units: bias of the annotation and of the model.

If faces that show the same action units are labeled happy more often in one group, the annotators were biased, or the groups
show something that the units do not describe (Chen and Joo 2021, "Understanding and mitigating annotation bias in facial
expression recognition", ICCV). The same difference in the predictions is what the model has learned. What the model adds to the
labels is the difference of both, which is paired: it is computed from the same faces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fairfer.metrics.action_unit_counts import UnitFaces, pattern_counts
from fairfer.metrics.action_unit_patterns import pattern_name, pattern_units
from fairfer.metrics.action_unit_results import ConditionedGap, GapOutcome, GapStatus, PatternGap, PatternStatus
from fairfer.stats import benjamini_hochberg, newcombe
from fairfer.stats.stratified_differences import (
    LEAST_EXPECTED,
    StratifiedOutcomes,
    mean_score_test,
    pearson_chi_square,
    standardized_difference,
)
from fairfer.vocabulary import is_annotated

if TYPE_CHECKING:
    from fairfer.metrics.action_unit_counts import PatternCounts
    from fairfer.metrics.action_unit_patterns import PatternUnits
    from fairfer.metrics.metric_settings import MetricSettings
    from fairfer.vocabulary import Group, Grouping

OUTCOMES: tuple[GapOutcome, ...] = ("labels", "predictions", "difference")
ALPHA = 0.05
"""Significance level of the FDR-adjusted p-value."""

_PAIR = 2


@dataclass(frozen=True)
class PatternTable:
    """Faces of one label and grouping by pattern.

    Attributes
    ----------
    grouping, groups
        Attributes, and their groups.
    units
        Units of the patterns.
    counts
        Faces; ``None`` where there are no units.
    """

    grouping: Grouping
    groups: Sequence[Group]
    units: PatternUnits
    counts: PatternCounts | None


def conditioned_gaps(
    faces: UnitFaces, audited: Sequence[str], chosen: Mapping[str, Sequence[str]], settings: MetricSettings
) -> tuple[list[ConditionedGap], list[PatternGap]]:
    """Gaps of all audited labels and groupings.

    Parameters
    ----------
    faces
        Faces with their units.
    audited
        Labels.
    chosen
        Units by label that replace the default ones (see `fairfer.metrics.action_unit_patterns`).
    settings
        Confidence, and the fewest faces and subjects of a group.

    Returns
    -------
    gaps
        Standardized to the patterns of both groups.
    patterns
        The same gaps in each pattern.
    """
    tables = []
    for grouping, groups in faces.groups.items():
        for label in audited if grouping else ():
            units = pattern_units(label, faces.units, chosen)
            counts = pattern_counts(faces, grouping, faces.labels.index(label), units.units) if units.units else None
            tables.append(PatternTable(grouping, groups, units, counts))
    return gaps_of_tables(tables, settings)


def gaps_of_tables(tables: Sequence[PatternTable], settings: MetricSettings) -> tuple[list[ConditionedGap], list[PatternGap]]:
    """The same, from counts: the cost does not depend on the number of faces.

    With two groups, the first is compared with the second; with more, each with all others together. The p-values of the gaps
    are one family, and those of the patterns another (Benjamini and Hochberg 1995). The intervals of significant gaps allow for
    their selection (Benjamini and Yekutieli 2005, J. Am. Stat. Assoc. 100).
    """
    gaps: list[tuple[ConditionedGap, StratifiedOutcomes | None]] = []
    patterns: list[PatternGap] = []
    for table in tables:
        compared = _comparisons(table, settings)
        if table.counts is None or not compared:
            status: GapStatus = "no_units" if table.counts is None else "too_few_groups"
            gaps += [(_empty(table, outcome, status), None) for outcome in OUTCOMES]
        for comparison in compared:
            gaps += [_gap(comparison, outcome, settings) for outcome in OUTCOMES]
            patterns += _patterns(comparison, settings)
    adjusted = iter(benjamini_hochberg([g.p for g in patterns if g.p is not None]))
    patterns = [g if g.p is None else g.model_copy(update={"q": float(next(adjusted))}) for g in patterns]
    return _with_q(gaps, settings), patterns


def _with_q(gaps: Sequence[tuple[ConditionedGap, StratifiedOutcomes | None]], settings: MetricSettings) -> list[ConditionedGap]:
    """The gaps with q. The intervals of significant gaps allow for their selection: false coverage rate (FCR)."""
    adjusted = benjamini_hochberg([g.p for g, _ in gaps if g.p is not None])
    selected = int((adjusted < ALPHA).sum())
    tail = settings.tail * selected / max(len(adjusted), 1)
    q = iter(adjusted)
    rows = []
    for gap, outcomes in gaps:
        update: dict[str, float] = {} if gap.p is None else {"q": float(next(q))}
        if outcomes is not None and update and update["q"] < ALPHA and (wider := standardized_difference(outcomes, tail)):
            update |= {"low": wider.low, "high": wider.high}
        rows.append(gap.model_copy(update=update))
    return rows


@dataclass(frozen=True)
class _Comparison:
    """Two sides of a table: a group, and another one or all others together."""

    table: PatternTable
    counts: PatternCounts
    first: int
    others: tuple[int, ...]

    @property
    def group(self) -> Group:
        return self.table.groups[self.first]

    @property
    def reference(self) -> Group | None:
        return self.table.groups[self.others[0]] if len(self.others) == 1 else None

    @property
    def left_out(self) -> int:
        return int(self.counts.left_out[[self.first, *self.others]].sum())

    def outcomes(self, outcome: GapOutcome) -> StratifiedOutcomes:
        """The faces of both sides."""
        counts = self.counts
        used = np.isin(counts.group, [self.first, *self.others])
        values = {
            "labels": counts.labeled,
            "predictions": counts.predicted,
            "difference": counts.predicted - counts.labeled,
        }[outcome]
        return StratifiedOutcomes(
            counts.pattern[used],
            (counts.group[used] != self.first).astype(np.int64),
            values[used],
            counts.count[used],
            None if counts.subject is None else counts.subject[used],
        )


def _comparisons(table: PatternTable, settings: MetricSettings) -> list[_Comparison]:
    counts = table.counts
    if counts is None:
        return []
    usable = [i for i, g in enumerate(table.groups) if is_annotated(g) and _enough(counts, i, settings)]
    if len(usable) < _PAIR:
        return []
    chosen = usable if len(usable) > _PAIR else usable[:1]
    return [_Comparison(table, counts, i, tuple(j for j in usable if j != i)) for i in chosen]


def _enough(counts: PatternCounts, group: int, settings: MetricSettings) -> bool:
    members = counts.group == group
    if counts.count[members].sum() < settings.minimum:
        return False
    return counts.subject is None or len(np.unique(counts.subject[members])) >= settings.minimum_subjects


def _empty(table: PatternTable, outcome: GapOutcome, status: GapStatus) -> ConditionedGap:
    counts = table.counts
    return ConditionedGap(
        label=table.units.label,
        attribute=table.grouping,
        group=None,
        reference=None,
        outcome=outcome,
        units=list(table.units.units),
        lacking=list(table.units.lacking),
        faces=0 if counts is None else int(counts.count.sum()),
        left_out=0 if counts is None else int(counts.left_out.sum()),
        patterns=0,
        covered_share=None,
        rate=None,
        reference_rate=None,
        unconditioned=None,
        value=None,
        low=None,
        high=None,
        statistic=None,
        p=None,
        q=None,
        status=status,
    )


def _gap(comparison: _Comparison, outcome: GapOutcome, settings: MetricSettings) -> tuple[ConditionedGap, StratifiedOutcomes]:
    outcomes = comparison.outcomes(outcome)
    size = np.bincount(outcomes.side, outcomes.count)
    plain = np.bincount(outcomes.side, outcomes.outcome * outcomes.count) / size
    row = _empty(comparison.table, outcome, "no_common_patterns").model_copy(
        update={
            "group": comparison.group,
            "reference": comparison.reference,
            "faces": int(outcomes.count.sum()),
            "left_out": comparison.left_out,
            "unconditioned": float(plain[0] - plain[1]),
        }
    )
    standardized = standardized_difference(outcomes, settings.tail)
    if standardized is None:
        return row, outcomes
    update: dict[str, object] = {
        "patterns": standardized.strata,
        "covered_share": standardized.covered_share,
        "rate": standardized.means[0],
        "reference_rate": standardized.means[1],
        "value": standardized.value,
        "low": standardized.low,
        "high": standardized.high,
    }
    test = mean_score_test(outcomes)
    if test is None:
        return row.model_copy(update={**update, "status": "no_variation"}), outcomes
    update["statistic"] = test.statistic
    if test.least_expected < LEAST_EXPECTED:
        return row.model_copy(update={**update, "status": "few_expected"}), outcomes
    return row.model_copy(update={**update, "p": test.p, "status": "ok"}), outcomes


def _patterns(comparison: _Comparison, settings: MetricSettings) -> list[PatternGap]:
    rows = []
    for outcome in OUTCOMES[:2]:
        outcomes = comparison.outcomes(outcome)
        numbers = np.flatnonzero(outcomes.table.sum(axis=(1, 2)))
        for number in numbers:
            trials = outcomes.table[number].sum(axis=1)
            hits = outcomes.table[number] @ outcomes.values
            rows.append(_pattern(comparison, outcome, int(number), (hits, trials), settings))
    return rows


def _pattern(
    comparison: _Comparison, outcome: GapOutcome, number: int, sides: tuple[np.ndarray, np.ndarray], settings: MetricSettings
) -> PatternGap:
    (hits, other_hits), (trials, other_trials) = ([int(n) for n in counts] for counts in sides)
    units = comparison.table.units.units
    small = min(trials, other_trials) < settings.minimum
    by_subject = comparison.counts.subject is not None
    chi_square = None if small or by_subject else pearson_chi_square((hits, other_hits), (trials, other_trials))
    status: PatternStatus = "few_expected" if chi_square is None else "ok"
    status = "small" if small else "subjects" if by_subject else status
    low, high = newcombe(hits, trials, other_hits, other_trials, settings.confidence)
    limits = (None, None) if small or by_subject else (float(low), float(high))
    return PatternGap(
        label=comparison.table.units.label,
        attribute=comparison.table.grouping,
        group=comparison.group,
        reference=comparison.reference,
        outcome=outcome,
        units=list(units),
        pattern=pattern_name(units, number),
        numerator=hits,
        denominator=trials,
        value=None if small else hits / trials,
        reference_numerator=other_hits,
        reference_denominator=other_trials,
        reference_value=None if small else other_hits / other_trials,
        difference=None if small else hits / trials - other_hits / other_trials,
        low=limits[0],
        high=limits[1],
        chi_square=None if chi_square is None else chi_square[0],
        p=None if chi_square is None else chi_square[1],
        q=None,
        status=status,
    )
