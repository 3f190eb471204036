"""Faces whose label the model cannot output, treated as the policy says and not as the audit did.

An audit excludes them, merges them into another label, or keeps them (``--unsupported-labels``). A policy judges them as what
they are: faces that the model never classifies correctly. With ``unsupported_labels = "ignore"`` it judges all others.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fairfer.gate.policy import JUDGED_RATES
from fairfer.metrics.rate_definitions import LABEL_PROPORTIONS, LABEL_RATES
from fairfer.metrics.results import LabelCount, Rate
from fairfer.vocabulary import ALL, EVERYONE, NO_ANSWER, Group, Grouping

if TYPE_CHECKING:
    from fairfer.audits.result import Audit
    from fairfer.gate.policy import Treatment
    from fairfer.metrics.results import GroupCount, RateStatus, UnsupportedCount

_FRACTIONS = {rate: LABEL_RATES[rate] for rate in LABEL_PROPORTIONS if rate in JUDGED_RATES}
"""Numerator and denominator of the rates of one label that a policy limits."""

_Key = tuple[Grouping, Group, str]


def unsupported_faces(audit: Audit, grouping: Grouping = EVERYONE, group: Group = EVERYONE) -> dict[str, int]:
    """Number of faces of a group by label, for labels that are not among the model's output classes.

    In multi-label data a face may have several of them.
    """
    faces: dict[str, int] = {}
    for label in audit.labels.unsupported_labels:
        if label in audit.labels.audited:
            rows = [c.tp + c.fn for c in audit.counts if (c.attribute, c.group, c.label) == (grouping, group, label)]
        else:
            rows = [u.count for u in audit.unsupported if (u.attribute, u.group, u.label) == (grouping, group, label)]
        if sum(rows):
            faces[label] = sum(rows)
    return faces


def as_judged(audit: Audit, treatment: Treatment) -> Audit:
    """The audit with the counts and rates that the policy judges.

    Parameters
    ----------
    audit
        The audit.
    treatment
        ``unsupported_labels`` of the policy.

    Returns
    -------
    Audit
        The same object where nothing differs. Where several images show one subject, or the audit is multi-label, only the
        rates of the unsupported labels themselves are added: precision and joint answers cannot be computed from counts.
    """
    faces = unsupported_faces(audit)
    if not faces:
        return audit
    kept = [n for n in faces if n in audit.labels.audited]
    counted = audit.task == "single-label" and not audit.plan.subject
    if treatment == "ignore":
        if not kept:
            return audit
        cells = _Counts(audit)
        if counted:
            for c in audit.confusions:
                if c.truth in kept:
                    cells.move(c.attribute, c.group, (c.truth, None), c.predicted, c.count)
        return cells.audit([n for n in audit.labels.audited if n not in kept], recount=counted)
    if not audit.unsupported:
        return audit
    cells = _Counts(audit)
    excluded = [n for n in faces if n not in kept]
    cells.add_labels(excluded)
    for row in audit.unsupported:
        if counted and row.predicted is not None:
            cells.move(row.attribute, row.group, (row.counted_as, row.label), row.predicted, row.count)
        else:
            cells.add_support(row)
    return cells.audit([*audit.labels.audited, *excluded], recount=counted)


@dataclass
class _Cell:
    """Counts of one label in one group."""

    tp: int = 0
    fn: int = 0
    fp: int = 0
    tn: int = 0

    def sum(self, names: Iterable[str]) -> int:
        return sum(getattr(self, n) for n in names)


@dataclass
class _Size:
    """Counts of one group over all labels."""

    total: int
    judged: int
    correct: int
    statuses: dict[str, int] = field(default_factory=dict)


class _Counts:
    """Counts of an audit, into which faces are moved."""

    def __init__(self, audit: Audit) -> None:
        self._audit = audit
        self._cells = {(c.attribute, c.group, c.label): _Cell(c.tp, c.fn, c.fp, c.tn) for c in audit.counts}
        self._sizes = {
            (s.attribute, s.group): _Size(s.total, s.judged, s.correct, {str(k): n for k, n in s.statuses.items()})
            for s in audit.sizes
        }

    def add_labels(self, labels: Iterable[str]) -> None:
        """Add labels that no face has and the model never predicts."""
        for label in labels:
            for (grouping, group), size in self._sizes.items():
                self._cells[grouping, group, label] = _Cell(tn=size.judged)

    def add_support(self, row: UnsupportedCount) -> None:
        """Add the faces of one row to their own label only."""
        cell = self._cells[row.attribute, row.group, row.label]
        cell.fn += row.count
        cell.tn = max(cell.tn - row.count, 0)

    def move(self, grouping: Grouping, group: Group, truth: tuple[str | None, str | None], predicted: str, n: int) -> None:
        """Move n faces with one answer from one true label to another; ``None`` means not counted."""
        before, after = truth
        labels = [label for g, h, label in self._cells if (g, h) == (grouping, group)]
        for label in labels:
            cell = self._cells[grouping, group, label]
            for name, sign in ((before, -1), (after, 1)):
                if name is not None:
                    hit, miss = ("tp", "fn") if label == name else ("fp", "tn")
                    outcome = hit if label == predicted else miss
                    setattr(cell, outcome, getattr(cell, outcome) + sign * n)
        size = self._sizes[grouping, group]
        for name, sign in ((before, -1), (after, 1)):
            if name is not None:
                size.total += sign * n
                size.judged += sign * n
                size.correct += sign * n * (name == predicted)
                if predicted != NO_ANSWER:  # why there is no answer makes no difference to any rate
                    size.statuses["ok"] += sign * n

    def audit(self, labels: list[str], *, recount: bool) -> Audit:
        """The audit with these counts."""
        audit = self._audit
        counts = [
            LabelCount(attribute=g, group=h, label=n, tp=c.tp, fn=c.fn, fp=c.fp, tn=c.tn)
            for (g, h, n), c in self._cells.items()
            if n in labels
        ]
        sizes = [self._size(s) for s in audit.sizes] if recount else audit.sizes
        return audit.model_copy(
            update={
                "labels": audit.labels.model_copy(update={"audited": labels}),
                "counts": counts,
                "sizes": sizes,
                "rates": self._rates(labels, recount=recount),
            }
        )

    def _size(self, row: GroupCount) -> GroupCount:
        size = self._sizes[row.attribute, row.group]
        update = {"total": size.total, "judged": size.judged, "correct": size.correct, "statuses": size.statuses}
        return row.model_copy(update=update)

    def _rates(self, labels: list[str], *, recount: bool) -> list[Rate]:
        """The rates that a policy can limit. A row whose numerator and denominator are the same is kept."""
        stored = {(r.attribute, r.group, r.label, r.rate): r for r in self._audit.rates}
        rates = []
        for (grouping, group, label), cell in self._cells.items():
            for rate, (above, below) in _FRACTIONS.items() if label in labels else ():
                old = stored.get((grouping, group, label, rate))
                if recount or old is None:
                    rates.append(self._rate((grouping, group, label), rate, (cell.sum(above), cell.sum(below)), old))
                else:
                    rates.append(old)
        for (grouping, group, label, rate), old in stored.items():
            if label == ALL:
                size = self._sizes[grouping, group]
                fraction = {"accuracy": (size.correct, size.judged), "coverage": (size.statuses["ok"], size.total)}.get(rate)
                new = recount and fraction is not None
                rates.append(self._rate((grouping, group, ALL), rate, fraction, old) if new and fraction else old)
        return rates

    def _rate(self, key: _Key, rate: str, fraction: tuple[int, int], old: Rate | None) -> Rate:
        grouping, group, label = key
        numerator, denominator = fraction
        if old is not None and (old.numerator, old.denominator) == fraction:
            return old
        minimum = self._audit.plan.minimum
        status: RateStatus = "ok" if denominator >= minimum else "small" if denominator else "not_estimable"
        if self._sizes[grouping, group].total == 0:
            status = "empty"
        return Rate(
            label=label,
            attribute=grouping,
            group=group,
            rate=rate,
            value=numerator / denominator if denominator else None,
            numerator=numerator,
            denominator=denominator,
            low=None,
            high=None,
            status=status,
        )
