"""Rates of two sets of answers for the same samples, paired sample by sample: counts, and the change of each rate.

The answers are those of two models for the same images, or those of one model for images and changed images.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy import special

from fairfer.metrics.change_results import Change
from fairfer.metrics.counts import Counts, Integers, Numbers, Source, count
from fairfer.stats import mcnemar, paired_difference, variance_by_subjects

if TYPE_CHECKING:
    from fairfer.metrics.metric_settings import MetricSettings
    from fairfer.metrics.results import RateStatus
    from fairfer.vocabulary import Group, Grouping, Task

_UNIT = "unit"


@dataclass(frozen=True)
class PairedCounts:
    """Counts of two sets of answers for the same samples, by unit.

    A unit is one combination of truth and both answers (of one subject, where samples share subjects), so within a unit a
    rate's trials are all hits of a set, or none are. Entries of both counts correspond.

    Attributes
    ----------
    base, candidate
        By grouping.
    subject
        (units,) number of the unit's subject; ``None`` where every sample is a subject of its own.
    """

    base: Mapping[Grouping, Counts]
    candidate: Mapping[Grouping, Counts]
    subject: Integers | None

    @classmethod
    def of(
        cls,
        base: pd.DataFrame,
        candidate: pd.DataFrame,
        task: Task,
        labels: tuple[str, ...],
        columns: Mapping[str, str],
        groups: Mapping[Grouping, Sequence[Group]],
        subjects: Integers | None = None,
    ) -> Self:
        """Count samples.

        Parameters
        ----------
        base, candidate
            The same samples in the same order, with columns as `fairfer.metrics.counts.Source` describes.
        task, labels, columns
            As of `fairfer.metrics.counts.Source`.
        groups
            Of each grouping.
        subjects
            (samples,) number of each sample's subject; ``None`` where every sample is a subject of its own.
        """
        answers = [c for c in base.columns if c in ("status", "predicted") or c.startswith("predicted:")]
        truth = [c for c in base.columns if c == "truth" or c.startswith("truth:")]
        pattern = pd.concat([base[truth + answers], candidate[answers].add_prefix("candidate:")], axis=1)
        number = pattern.groupby(list(pattern.columns), dropna=False).ngroup().to_numpy(np.int64)
        subject = None
        if subjects is not None:
            pairs, unit = np.unique(np.stack([number, subjects], axis=1), axis=0, return_inverse=True)
            number, subject = unit.ravel().astype(np.int64), pairs[:, 1]
        counted = []
        for table in (base, candidate):
            relation = pa.Table.from_pandas(table, preserve_index=False).append_column(_UNIT, pa.array(number))
            counted.append(count(Source(relation, task, labels, columns), groups, unit=_UNIT))
        return cls(counted[0], counted[1], subject)

    def cells(self, grouping: Grouping, rate: str, label: str) -> PairedCells:
        """Trials and hits of one rate in every entry."""
        base, trials = self.base[grouping].fraction(rate, label)
        candidate, _ = self.candidate[grouping].fraction(rate, label)
        both = np.minimum(base, candidate)
        counts = self.base[grouping]
        subject = None if self.subject is None else self.subject[counts.unit]
        return PairedCells(counts.group, trials, both, candidate - both, base - both, subject)


@dataclass(frozen=True)
class PairedCells:
    """(entries,) group, trials, hits of both, of the candidate only and of the base only, and subject."""

    group: Integers
    trials: Numbers
    both: Numbers
    gained: Numbers
    lost: Numbers
    subject: Integers | None

    def of_group(self, group: int) -> PairedCells:
        """The entries of one group that have trials."""
        used = (self.group == group) & (self.trials > 0)
        subject = None if self.subject is None else self.subject[used]
        return PairedCells(self.group[used], self.trials[used], self.both[used], self.gained[used], self.lost[used], subject)


def changes_of(
    paired: PairedCounts, grouping: Grouping, rates: Sequence[tuple[str, str]], settings: MetricSettings
) -> Iterator[Change]:
    """Changes of some rates in every group of a grouping.

    Parameters
    ----------
    paired
        Counts.
    grouping
        One that was counted.
    rates
        Rates and labels.
    settings
        Minimum and confidence.

    Yields
    ------
    Change
        With p-values, and without q-values: these depend on all changes that are tested.
    """
    for rate, label in rates:
        cells = paired.cells(grouping, rate, label)
        for i, group in enumerate(paired.base[grouping].groups):
            yield _change((label, grouping, group, rate), cells.of_group(i), settings)


def _change(key: tuple[str, Grouping, Group, str], cells: PairedCells, settings: MetricSettings) -> Change:
    label, grouping, group, rate = key
    n, both, gained, lost = (int(getattr(cells, name).sum()) for name in ("trials", "both", "gained", "lost"))
    status: RateStatus = "ok" if n >= settings.minimum else "small" if n else "not_estimable"
    if status == "ok" and cells.subject is not None and len(np.unique(cells.subject)) < settings.minimum_subjects:
        status = "few_subjects"
    low = high = p = precision = None
    if n:
        bounds = paired_difference(gained, lost, n, settings.confidence)
        low, high, p = float(bounds[0]), float(bounds[1]), float(mcnemar(gained, lost))
        if cells.subject is not None:
            precision = _precision(cells, cells.subject)
            low, high, p = _by_subject(cells, precision, p, settings.confidence)
    return Change(
        label=label,
        attribute=grouping,
        group=group,
        rate=rate,
        trials=n,
        both=both,
        gained=gained,
        lost=lost,
        base=(both + lost) / n if n else None,
        candidate=(both + gained) / n if n else None,
        change=(gained - lost) / n if n else None,
        low=low,
        high=high,
        p=p if status == "ok" else None,
        q=None,
        status=status,
        effective_size=None if precision is None else precision.effective_size,
        largest_share=None if precision is None else precision.largest_share,
    )


@dataclass(frozen=True)
class _Precision:
    """Of a change where several samples show one subject: see `fairfer.metrics.results.Rate`; with the number of subjects."""

    effective_size: float
    degrees_of_freedom: float
    largest_share: float
    subjects: int


def _precision(cells: PairedCells, subject: Integers) -> _Precision:
    """As many samples as have the same precision: the variance of independent ones over that of subjects.

    Where subjects do not vary, each counts as one sample.
    """
    n, more, less = int(cells.trials.sum()), float(cells.gained.sum()), float(cells.lost.sum())
    observed = (more - less) / n
    residual = (cells.gained.astype(float) - cells.lost - observed * cells.trials) / n
    variance, subjects = variance_by_subjects(residual, subject)
    each = np.bincount(np.unique(subject, return_inverse=True)[1], cells.trials)
    spread = (more + less) / n - observed**2
    return _Precision(
        effective_size=min(max(spread / variance, 1.0), float(n)) if variance > 0 else float(subjects),
        degrees_of_freedom=max(float(each.sum() ** 2 / (each**2).sum()) - 1, 1.0),
        largest_share=float(each.max() / each.sum()),
        subjects=subjects,
    )


def _by_subject(cells: PairedCells, precision: _Precision, p: float, confidence: float) -> tuple[float, float, float]:
    """Interval and p-value of a change where several samples show one subject; never narrower than for independent samples.

    As `fairfer.stats.paired_difference`, of the effective number of samples.
    """
    n, more, less = int(cells.trials.sum()), float(cells.gained.sum()), float(cells.lost.sum())
    observed = (more - less) / n
    effective, degrees_of_freedom = precision.effective_size, precision.degrees_of_freedom
    share = effective / n
    b, c = (more * share + 1) / (effective + 2), (less * share + 1) / (effective + 2)
    error = math.sqrt(max(b + c - (b - c) ** 2, 0) / (effective + 2))
    half = float(special.stdtrit(degrees_of_freedom, (1 + confidence) / 2)) * error
    by_subjects = 2 * float(special.stdtr(degrees_of_freedom, -abs(b - c) / error)) if precision.subjects > 1 else 1.0
    as_effective = float(mcnemar(int(more * share), int(less * share)))
    low, high = max(min(b - c - half, observed), -1.0), min(max(b - c + half, observed), 1.0)
    return low, high, max(p, by_subjects, as_effective)
