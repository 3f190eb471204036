"""Several runs side by side: accuracy, worst group, largest gap."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fairfer.audits.stored_run import StoredRun, check_comparable, inferred_attributes
from fairfer.errors import UsageError
from fairfer.metrics.counts import ACCURACY
from fairfer.schema import Strict
from fairfer.vocabulary import EVERYONE, Group, Grouping, is_annotated

if TYPE_CHECKING:
    from fairfer.audits.result import Audit

_FEWEST = 2


class Standing(Strict):
    """One run of a leaderboard."""

    run: str
    model: str
    samples: int
    accuracy: float | None
    low: float | None
    high: float | None
    worst: Group | None
    worst_attribute: Grouping | None
    worst_accuracy: float | None
    gap: float | None
    gap_expected_by_chance: float | None
    gap_q: float | None
    gap_label: str | None
    gap_rate: str | None
    gap_attribute: Grouping | None
    inferred: list[str]


def leaderboard(runs: Sequence[str | os.PathLike[str]]) -> list[Standing]:
    """Runs of the same data side by side, the most accurate first.

    Raises
    ------
    UsageError
        When fewer than two runs are given.
    RunError
        When the runs have other data or settings than the first.
    """
    if isinstance(runs, str) or len(runs) < _FEWEST:
        message = "give at least two runs to compare"
        raise UsageError(message)
    stored = [StoredRun.read(Path(r)) for r in runs]
    for run in stored[1:]:
        check_comparable(stored[0], run)
    return sorted((_standing(s.folder, s.audit) for s in stored), key=lambda s: -(s.accuracy or 0.0))


def _standing(run: Path, audit: Audit) -> Standing:
    name = ACCURACY[audit.task]
    accuracy = audit.rate(name)
    groups = [
        r
        for r in audit.rates
        if r.rate == name and r.attribute != EVERYONE and r.status == "ok" and is_annotated(r.group) and r.value is not None
    ]
    worst = min(groups, key=lambda r: r.value or 0.0, default=None)
    gaps = [g for g in audit.gaps if g.difference and g.rate in ("TPR", "FPR")]
    widest = max(gaps, key=lambda g: (g.difference or 0.0) - (g.expected_by_chance or 0.0), default=None)
    return Standing(
        run=str(run),
        model=audit.model.name,
        samples=audit.size(),
        accuracy=accuracy.value,
        low=accuracy.low,
        high=accuracy.high,
        worst=None if worst is None else worst.group,
        worst_attribute=None if worst is None else worst.attribute,
        worst_accuracy=None if worst is None else worst.value,
        gap=None if widest is None else widest.difference,
        gap_expected_by_chance=None if widest is None else widest.expected_by_chance,
        gap_q=None if widest is None else widest.q,
        gap_label=None if widest is None else widest.label,
        gap_rate=None if widest is None else widest.rate,
        gap_attribute=None if widest is None else widest.attribute,
        inferred=inferred_attributes(audit),
    )
