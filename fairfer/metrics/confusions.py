"""Confusions per group: how often samples with one true label are predicted as another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from fairfer.metrics.results import Confusion, RateStatus
from fairfer.stats import Estimates, estimate_ratio
from fairfer.vocabulary import NO_ANSWER, Grouping

if TYPE_CHECKING:
    from fairfer.metrics.counts import ConfusionCounts, Counts
    from fairfer.metrics.metric_settings import MetricSettings


def compute_confusions(
    counts: Mapping[Grouping, Counts], settings: MetricSettings, subjects: Mapping[Grouping, Counts] | None = None
) -> list[Confusion]:
    """Rates of every truth and prediction in every group.

    Parameters
    ----------
    counts
        By grouping, one entry per group.
    settings
        Minimum of samples with the true label, and confidence of Wilson's interval.
    subjects
        Counts by subject, where several samples show one: intervals are then those of subjects.

    Returns
    -------
    list of Confusion
        Empty for multi-label data. All labels audited as truth; as prediction these, any other label that the model gave, and
        `fairfer.vocabulary.NO_ANSWER` where it occurs.
    """
    rows: list[Confusion] = []
    for grouping, of_grouping in counts.items():
        if of_grouping.confusions is not None:
            by_subject = None if subjects is None else subjects[grouping].confusions
            rows += _of_grouping(of_grouping, of_grouping.confusions, by_subject, settings)
    return rows


def _of_grouping(
    counts: Counts, confusions: ConfusionCounts, by_subject: ConfusionCounts | None, settings: MetricSettings
) -> list[Confusion]:
    labels, names = counts.labels, confusions.names
    other = sorted({names[i] for i in confusions.predicted if i >= len(labels)})
    answers = [*labels, *other, *([NO_ANSWER] if (confusions.predicted < 0).any() else [])]
    number = {name: i for i, name in enumerate(answers)}
    column = np.array([number.get(name, -1) for name in names] + [number.get(NO_ANSWER, -1)])
    table = np.zeros((len(counts.groups), len(labels), len(answers)), np.int64)
    np.add.at(table, (confusions.group, confusions.truth, column[confusions.predicted]), confusions.count)
    support = table.sum(axis=2)
    plain = Estimates.of_counts(table, np.broadcast_to(support[:, :, None], table.shape))
    low, high = plain.limits(settings.tail)
    rows = []
    for i, group in enumerate(counts.groups):
        for j, truth in enumerate(labels):
            n = int(support[i, j])
            status: RateStatus = "ok" if n >= settings.minimum else "small" if n else "not_estimable"
            if status == "ok" and by_subject is not None and _subjects(by_subject, i, j) < settings.minimum_subjects:
                status = "few_subjects"
            for k, predicted in enumerate(answers):
                limits = (float(low[i, j, k]), float(high[i, j, k]))
                if by_subject is not None and n:
                    limits = _subject_limits(by_subject, (i, j, k), column, n, settings)
                rows.append(
                    Confusion(
                        attribute=counts.grouping,
                        group=group,
                        truth=truth,
                        predicted=predicted,
                        count=int(table[i, j, k]),
                        support=n,
                        rate=table[i, j, k] / n if n else None,
                        low=limits[0] if n else None,
                        high=limits[1] if n else None,
                        status=status,
                    )
                )
    return rows


def _subjects(confusions: ConfusionCounts, group: int, truth: int) -> int:
    """Number of subjects in a group who show a label."""
    return len(np.unique(confusions.unit[(confusions.group == group) & (confusions.truth == truth)]))


def _subject_limits(
    confusions: ConfusionCounts, cell: tuple[int, int, int], column: np.ndarray, support: int, settings: MetricSettings
) -> tuple[float, float]:
    group, truth, answer = cell
    used = (confusions.group == group) & (confusions.truth == truth)
    trials = confusions.count[used].astype(float)
    hits = trials * (column[confusions.predicted[used]] == answer)
    low, high = estimate_ratio(hits, trials, confusions.unit[used], support).limits(settings.tail)
    return float(low), float(high)
