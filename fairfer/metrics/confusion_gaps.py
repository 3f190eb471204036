"""Gaps of confusions: whether samples with one true label are predicted as another more often in some groups than in others."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fairfer.metrics.index_results import ConfusionGap
from fairfer.metrics.results import ExcludedGroup, ExclusionReason, Rate
from fairfer.stats import Estimates, benjamini_hochberg, estimate_ratio, ratio_limits
from fairfer.stats.groups_vs_rest import GroupsVsRest, critical_vs_rest, groups_vs_rest, subjects_vs_rest
from fairfer.stats.score_limits import score_ratio_limits
from fairfer.vocabulary import Group, Grouping, is_annotated

if TYPE_CHECKING:
    from fairfer.metrics.counts import ConfusionCounts, Counts, Integers
    from fairfer.metrics.metric_settings import MetricSettings

ALPHA = 0.05
"""Significance level of the FDR-adjusted p-value."""

_PAIR = 2


def compute_confusion_gaps(
    counts: Mapping[Grouping, Counts],
    rates: Sequence[Rate],
    settings: MetricSettings,
    subjects: Mapping[Grouping, Counts] | None = None,
) -> list[ConfusionGap]:
    """Gaps of every confusion over each grouping.

    Parameters
    ----------
    counts
        By grouping, one entry per group.
    rates
        All rates of the audit. A group takes part in the confusions of a label when it takes part in the gap of its TPR, which
        has the same denominator.
    settings
        Permutations, seed and confidence.
    subjects
        Counts by subject, where several samples show one: subjects are then permuted.

    Returns
    -------
    list of ConfusionGap
        One per grouping, true label and other prediction, except missing answers (see coverage); empty for
        multi-label data. Their p-values are adjusted over all of them, except those that cannot reject (Tarone 1990,
        Biometrics 46).
    """
    support = {(r.attribute, r.label, r.group): r for r in rates if r.rate == "TPR"}
    parts: list[_Part] = []
    for grouping, of_grouping in counts.items():
        if grouping and of_grouping.confusions is not None:
            by_subject = None if subjects is None else subjects[grouping].confusions
            for truth in range(len(of_grouping.labels)):
                parts += _parts(of_grouping, of_grouping.confusions, by_subject, truth, support, settings)
    tested = [p for p in parts if p.test is not None and p.test.least_p <= ALPHA]
    adjusted = benjamini_hochberg([p.test.p for p in tested if p.test is not None])
    q = {id(p): float(value) for p, value in zip(tested, adjusted, strict=True)}
    selected = sum(value < ALPHA for value in q.values())
    error = (1 - settings.confidence) * selected / max(len(q), 1)
    return [_row(p, q.get(id(p)), error) for p in parts]


@dataclass(frozen=True)
class _Part:
    """One confusion of one grouping, before adjustment.

    Attributes
    ----------
    names
        True label and prediction.
    hits, trials
        (groups,) of the groups that take part.
    unit, member, unit_hits, unit_trials
        The same by subject; ``None`` where every sample is a subject of its own.
    """

    grouping: Grouping
    names: tuple[str, str]
    groups: list[Group]
    excluded: list[ExcludedGroup]
    hits: Integers
    trials: Integers
    test: GroupsVsRest | None
    subjects: tuple[Integers, Integers, Integers, Integers] | None = None

    def estimates(self, chosen: np.ndarray) -> Estimates:
        """Rate of some of the groups together."""
        hits, trials = self.hits[chosen].sum(), self.trials[chosen].sum()
        if self.subjects is None:
            return Estimates.of_counts(hits, trials)
        unit, member, unit_hits, unit_trials = self.subjects
        used = chosen[member]
        return estimate_ratio(unit_hits[used].astype(float), unit_trials[used].astype(float), unit[used], float(trials))


def _parts(
    counts: Counts,
    confusions: ConfusionCounts,
    by_subject: ConfusionCounts | None,
    truth: int,
    support: Mapping[tuple[Grouping, str, Group], Rate],
    settings: MetricSettings,
) -> list[_Part]:
    """All confusions of one true label."""
    label, grouping = counts.labels[truth], counts.grouping
    members = [support[grouping, label, g] for g in counts.groups]
    usable = np.array([m.status == "ok" and is_annotated(m.group) for m in members], bool)
    groups = [g for g, use in zip(counts.groups, usable, strict=True) if use]
    excluded = [_excluded(m) for m, use in zip(members, usable, strict=True) if not use]
    answers = sorted({*range(len(counts.labels)), *(int(i) for i in confusions.predicted if i >= 0)} - {truth})
    table = np.zeros((len(counts.groups), len(confusions.names) + 1), np.int64)
    used = confusions.truth == truth
    np.add.at(table, (confusions.group[used], confusions.predicted[used]), confusions.count[used])
    trials = table.sum(axis=1)[usable]
    hits = table[usable][:, answers]
    names = [(label, confusions.names[i]) for i in answers]
    if len(groups) < _PAIR:
        return [_Part(grouping, n, groups, excluded, hits[:, i], trials, None) for i, n in enumerate(names)]
    if by_subject is None:
        return [
            _Part(grouping, n, groups, excluded, hits[:, i], trials, groups_vs_rest(hits[:, i], trials))
            for i, n in enumerate(names)
        ]
    unit, member, unit_table = _units(by_subject, truth, usable)
    numbers = [by_subject.names.index(n) for _, n in names]
    unit_hits, unit_trials = unit_table[:, numbers], unit_table.sum(axis=1)
    tests = subjects_vs_rest(
        member,
        unit_hits,
        unit_trials,
        permutations=settings.permutations,
        generator=settings.stream(grouping, label, "confusions"),
    )
    return [
        _Part(grouping, n, groups, excluded, hits[:, i], trials, test, (unit, member, unit_hits[:, i], unit_trials))
        for i, (n, test) in enumerate(zip(names, tests, strict=True))
    ]


def _units(confusions: ConfusionCounts, truth: int, usable: np.ndarray) -> tuple[Integers, Integers, Integers]:
    """Subject, group (numbered among the usable ones) and predictions of each subject in each group."""
    used = (confusions.truth == truth) & usable[confusions.group]
    number = np.cumsum(usable) - 1
    pairs, row = np.unique(
        np.stack([confusions.unit[used], number[confusions.group[used]]], axis=1), axis=0, return_inverse=True
    )
    table = np.zeros((len(pairs), len(confusions.names) + 1), np.int64)
    np.add.at(table, (row.ravel(), confusions.predicted[used]), confusions.count[used])
    return pairs[:, 0], pairs[:, 1], table


def _row(part: _Part, q: float | None, error: float) -> ConfusionGap:
    truth, predicted = part.names
    empty = dict.fromkeys(
        ("worst", "best", "worst_rate", "best_rate", "difference", "ratio", "group", "group_rate", "rest_rate", "ratio_to_rest",
         "low", "high", "p", "q"),
    )  # fmt: skip
    common = {
        "attribute": part.grouping,
        "truth": truth,
        "predicted": predicted,
        "groups": part.groups,
        "excluded": part.excluded,
    }
    if part.test is None:
        return ConfusionGap.model_validate({**common, **empty, "status": "too_few_groups"})
    rate = part.hits / part.trials
    worst, best, most = int(np.argmax(rate)), int(np.argmin(rate)), int(np.argmax(np.abs(part.test.statistic)))
    chosen = np.arange(len(rate)) == most
    one, rest = float(rate[most]), float(part.hits[~chosen].sum() / part.trials[~chosen].sum())
    low, high = _limits(part, chosen, error) if q is not None and q < ALPHA else (None, None)
    return ConfusionGap.model_validate(
        {
            **common,
            "worst": part.groups[worst],
            "best": part.groups[best],
            "worst_rate": float(rate[worst]),
            "best_rate": float(rate[best]),
            "difference": float(np.ptp(rate)),
            "ratio": float(rate[worst] / rate[best]) if rate[best] > 0 else None,
            "group": part.groups[most],
            "group_rate": one,
            "rest_rate": rest,
            "ratio_to_rest": one / rest if rest > 0 else None,
            "low": low,
            "high": high,
            "p": part.test.p,
            "q": q,
            "status": "ok" if q is not None else "cannot_reject",
        }
    )


def _limits(part: _Part, chosen: np.ndarray, error: float) -> tuple[float | None, float | None]:
    """Limits of the ratio of the group, selected among all groups: they use the critical value of the test of all groups."""
    one, rest = part.estimates(chosen), part.estimates(~chosen)
    critical = critical_vs_rest(part.hits, part.trials, error) if part.subjects is None else math.inf
    if math.isfinite(critical):
        low, high = score_ratio_limits(one, rest, critical)
    else:  # no critical value is known: the error is divided among the groups
        comparisons = 1 if len(chosen) == _PAIR else len(chosen)
        low, high = ratio_limits(one, rest, error / comparisons / 2)
    return float(low), float(high) if np.isfinite(high) else None


def _excluded(member: Rate) -> ExcludedGroup:
    reason: ExclusionReason = "unannotated"
    if is_annotated(member.group):
        reason = "empty" if member.status == "ok" else member.status
    return ExcludedGroup(group=member.group, reason=reason, denominator=member.denominator or 0)
