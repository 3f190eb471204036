"""Compare two runs on the same samples, paired sample by sample.

A change is estimated from the samples whose classification changed. A paired comparison therefore detects far smaller
differences than two audits side by side.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from fairfer.audits.comparison import Change, Comparison, Flip, GapChange, MissingSample
from fairfer.audits.stored_run import StoredRun, check_comparable, inferred_attributes
from fairfer.errors import RunError
from fairfer.metrics.counts import ACCURACY, Integers, Numbers
from fairfer.metrics.gaps import FAVORABLE
from fairfer.metrics.paired_rates import PairedCounts, changes_of
from fairfer.stats import benjamini_hochberg, change_of_gap
from fairfer.vocabulary import ALL, EVERYONE, Group, Grouping, Task, is_annotated

if TYPE_CHECKING:
    from fairfer.audits.plan import AuditPlan

_SMALLEST_COMPARISON = 2


def compare(base: str | os.PathLike[str], candidate: str | os.PathLike[str]) -> Comparison:
    """Compare two runs sample by sample.

    Parameters
    ----------
    base, candidate
        Folders that `fairfer audit` wrote, of the same data: the current model and the one that may replace it.

    Raises
    ------
    RunError
        When a folder is not an audited run, or the runs cannot be compared: other data, labels, images, groups or settings. The
        message names the field that differs.
    """
    one, other = StoredRun.read(Path(base)), StoredRun.read(Path(candidate))
    check_comparable(one, other)
    labels = tuple(n for n in one.audit.labels.audited if n in other.audit.labels.audited)
    paired = _pair(one, other, labels)
    plan = one.audit.plan
    changes = [c for g in paired.counts.base for c in _changes(paired, g, plan)]
    tested = [i for i, c in enumerate(changes) if c.p is not None]
    adjusted = benjamini_hochberg([p for c in changes if (p := c.p) is not None])
    for i, value in zip(tested, adjusted, strict=True):
        changes[i] = changes[i].model_copy(update={"q": float(value)})
    return Comparison(
        base=one.side(),
        candidate=other.side(),
        task=one.audit.task,
        data=one.audit.data.name,
        date=max(one.audit.date, other.audit.date),
        labels=list(paired.labels),
        by=list(plan.by),
        inferred=inferred_attributes(one.audit),
        minimum=plan.minimum,
        confidence=plan.confidence,
        subject=plan.subject,
        samples=paired.samples,
        missing=paired.missing,
        changes=changes,
        other_labels=_other_labels(one, other),
        gaps=[g for grouping in plan.by for g in _gap_changes(paired, grouping, changes, plan)],
        flips=paired.flips,
    )


@dataclass(frozen=True)
class _Paired:
    """Both models' counts of the common samples.

    Attributes
    ----------
    labels, task, samples
        What is compared.
    counts
        By unit.
    missing, flips
        Samples that are not compared, and those classified differently.
    """

    labels: tuple[str, ...]
    task: Task
    samples: int
    counts: PairedCounts
    missing: list[MissingSample]
    flips: list[Flip]


def _other_labels(one: StoredRun, other: StoredRun) -> list[Change]:
    """Changes of the TPR of labels that only one of the two models can output."""
    lacking = [set(run.audit.labels.unsupported_labels) for run in (one, other)]
    labels = [n for n in one.audit.data.labels if (n in lacking[0]) != (n in lacking[1])]
    labels = [n for n in labels if not (n in one.audit.labels.audited and n in other.audit.labels.audited)]
    if not labels:
        return []
    runs = [run.with_every_label() for run in (one, other)]
    paired = _pair(runs[0], runs[1], tuple(runs[0].samples.design.labels.labels))
    plan = one.audit.plan
    return [
        c
        for g in paired.counts.base
        for n in labels
        for c in changes_of(paired.counts, g, [("TPR", n)], plan.metrics)
        if _has_faces(paired, n)
    ]


def _has_faces(paired: _Paired, label: str) -> bool:
    return bool(paired.counts.cells(EVERYONE, "TPR", label).trials.sum())


def _pair(one: StoredRun, other: StoredRun, labels: tuple[str, ...]) -> _Paired:
    if not labels:
        message = (
            f"{one.folder} and {other.folder} cannot be compared: they have no audited label in common; "
            "see --unsupported-labels"
        )
        raise RunError(message)
    common, missing = _common_samples(one, other)
    left, right = (_restricted(run, common, labels) for run in (one, other))
    subjects = None
    if one.audit.plan.subject:
        subjects = pd.Series(one.samples.subjects, index=one.samples.table.index).loc[common].to_numpy(np.int64)
    task = one.audit.task
    counts = PairedCounts.of(left, right, task, labels, one.samples.columns, one.samples.design.groups, subjects)
    return _Paired(labels, task, len(common), counts, missing, _flips(left, right, labels, task))


def _common_samples(one: StoredRun, other: StoredRun) -> tuple[pd.Index, list[MissingSample]]:
    left, right = one.samples.table, other.samples.table
    missing: list[MissingSample] = []
    sides: list[tuple[Literal["base", "candidate"], pd.Index, pd.Index, pd.Index]] = [
        ("base", left.index, right.index, other.images.index),
        ("candidate", right.index, left.index, one.images.index),
    ]
    for run, own, others, everything in sides:
        for sample in own.difference(others, sort=True):
            reason = "label not audited in the other" if sample in everything else "not in the other"
            missing.append(MissingSample(sample_id=str(sample), only_in=run, reason=reason))
    common = left.index.intersection(right.index)
    if "truth" in left:
        same = (left.loc[common, "truth"] == right.loc[common, "truth"]).to_numpy()
        reason = "counted as another label for one of the models (--unsupported-labels merge)"
        missing += [MissingSample(sample_id=str(s), only_in="neither", reason=reason) for s in common[~same]]
        common = common[same]
    if common.empty:
        message = (
            f"{one.folder} and {other.folder} cannot be compared: no sample has the same label in both; "
            "see --unsupported-labels"
        )
        raise RunError(message)
    return common, missing


def _restricted(run: StoredRun, samples: pd.Index, labels: Sequence[str]) -> pd.DataFrame:
    """The samples compared, with the columns of the labels compared."""
    table = run.samples.table.loc[samples]
    if "truth" in table:
        return table
    own = list(run.samples.design.labels.labels)
    kept = {f"{kind}:{own.index(label)}": f"{kind}:{i}" for i, label in enumerate(labels) for kind in ("truth", "predicted")}
    return table[["status", *run.samples.columns.values(), *kept]].rename(columns=kept)


def _flips(left: pd.DataFrame, right: pd.DataFrame, labels: Sequence[str], task: Task) -> list[Flip]:
    base, candidate = (_as_text(table, "predicted", labels, task) for table in (left, right))
    truth = _as_text(left, "truth", labels, task)
    return [
        Flip(sample_id=str(left.index[i]), truth=truth[i], base=base[i], candidate=candidate[i])
        for i in range(len(left))
        if base[i] != candidate[i]
    ]


def _as_text(table: pd.DataFrame, kind: str, labels: Sequence[str], task: Task) -> list[str]:
    """Truth or answer of each sample in words; the status where there is no answer."""
    if task == "single-label":
        values = table[kind].astype("object")
    else:
        columns = table[[f"{kind}:{i}" for i in range(len(labels))]].to_numpy(object)
        texts = [
            "+".join(n for n, x in zip(labels, row, strict=True) if x is not pd.NA and x == 1) or "none" for row in columns
        ]
        values = pd.Series(texts, index=table.index, dtype="object")
    if kind == "predicted":
        values = values.where(table["status"] == "ok", table["status"])
    return [str(v) for v in values]


def _changes(paired: _Paired, grouping: Grouping, plan: AuditPlan) -> Iterator[Change]:
    rates = [(rate, label) for label in paired.labels for rate in ("TPR", "FPR")]
    rates += [(r, ALL) for r in (ACCURACY[paired.task], "coverage")]
    yield from changes_of(paired.counts, grouping, rates, plan.metrics)


def _gap_changes(paired: _Paired, grouping: Grouping, changes: Sequence[Change], plan: AuditPlan) -> Iterator[GapChange]:
    """The change of each gap, between the groups that are large enough in the samples of both runs."""
    by_rate: dict[tuple[str, str], list[Change]] = {}
    for change in changes:
        if change.attribute == grouping:
            by_rate.setdefault((change.rate, change.label), []).append(change)
    for members in by_rate.values():
        usable = [c for c in members if c.status == "ok" and is_annotated(c.group)]
        excluded = [c.group for c in members if c not in usable]
        if len(usable) < _SMALLEST_COMPARISON:
            yield _no_gap_change(members[0], [c.group for c in usable], excluded)
        else:
            yield _gap_change(paired, usable, excluded, plan)


def _no_gap_change(first: Change, groups: list[Group], excluded: list[Group]) -> GapChange:
    return GapChange(
        label=first.label,
        attribute=first.attribute,
        rate=first.rate,
        base=None,
        candidate=None,
        change=None,
        low=None,
        high=None,
        worst_base=None,
        worst_candidate=None,
        groups=groups,
        excluded=excluded,
        status="too_few_groups",
    )


def _gap_change(paired: _Paired, usable: Sequence[Change], excluded: list[Group], plan: AuditPlan) -> GapChange:
    first = usable[0]
    sign = FAVORABLE[first.rate]
    values = np.array([[c.base or 0.0, c.candidate or 0.0] for c in usable])
    worst = [usable[int(np.argmin(sign * values[:, i]))].group for i in (0, 1)]
    low, high = _interval(paired, usable, plan)
    base, candidate = (float(np.ptp(values[:, i])) for i in (0, 1))
    return GapChange(
        label=first.label,
        attribute=first.attribute,
        rate=first.rate,
        base=base,
        candidate=candidate,
        change=candidate - base,
        low=low,
        high=high,
        worst_base=worst[0],
        worst_candidate=worst[1],
        groups=[c.group for c in usable],
        excluded=excluded,
        status="ok",
    )


def _interval(paired: _Paired, usable: Sequence[Change], plan: AuditPlan) -> tuple[float, float]:
    first = usable[0]
    generator = plan.metrics.stream(first.attribute, first.label, first.rate, "compared")
    totals = np.array([[c.both, c.gained, c.lost, c.trials - c.both - c.gained - c.lost] for c in usable])
    cells = paired.counts.cells(first.attribute, first.rate, first.label)
    if cells.subject is None:
        return change_of_gap(totals, generator=generator, confidence=plan.confidence)
    groups = paired.counts.base[first.attribute].groups
    number = np.full(len(groups), -1)
    number[[groups.index(c.group) for c in usable]] = np.arange(len(usable))
    member = number[cells.group]
    used = (member >= 0) & (cells.trials > 0)
    subject = np.unique(cells.subject[used], return_inverse=True)[1]
    neither = cells.trials - cells.both - cells.gained - cells.lost
    rows = np.zeros((int(subject.max()) + 1, len(usable), 4))
    for kind, number_of in enumerate((cells.both, cells.gained, cells.lost, neither)):
        rows[:, :, kind] = _table(subject, member[used], number_of[used], rows.shape[:2])
    return change_of_gap(totals, generator=generator, confidence=plan.confidence, subjects=rows)


def _table(row: Integers, column: Integers, values: Numbers, shape: tuple[int, ...]) -> Numbers:
    """Values summed by row and column."""
    table = np.zeros(shape)
    np.add.at(table, (row, column), values)
    return table
