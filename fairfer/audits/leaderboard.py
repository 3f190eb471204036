"""Several runs side by side: accuracy, worst group, clearest gap."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fairfer.audits.stored_run import StoredRun, check_comparable, inferred_attributes
from fairfer.errors import UsageError
from fairfer.metrics.counts import ACCURACY
from fairfer.schema import Strict
from fairfer.stats import benjamini_hochberg
from fairfer.vocabulary import EVERYONE, Group, Grouping, is_annotated

if TYPE_CHECKING:
    from fairfer.audits.result import Audit
    from fairfer.metrics.results import Gap

_FEWEST = 2


class Standing(Strict):
    """One run of a leaderboard.

    ``gap`` is the TPR or FPR gap with the least p-value; ``gap_q`` is FDR-adjusted over these gaps of all runs.
    """

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
    # All models are in one table, so their tests are one family.
    gaps = [[g for g in s.audit.gaps if g.p is not None and g.rate in ("TPR", "FPR")] for s in stored]
    q = iter(benjamini_hochberg([g.p or 0.0 for of_run in gaps for g in of_run]))
    adjusted = [[(g, float(next(q))) for g in of_run] for of_run in gaps]
    standings = [_standing(s.folder, s.audit, a) for s, a in zip(stored, adjusted, strict=True)]
    return sorted(standings, key=lambda s: -(s.accuracy or 0.0))


def _standing(run: Path, audit: Audit, gaps: Sequence[tuple[Gap, float]]) -> Standing:
    name = ACCURACY[audit.task]
    accuracy = audit.rate(name)
    groups = [
        r
        for r in audit.rates
        if r.rate == name and r.attribute != EVERYONE and r.status == "ok" and is_annotated(r.group) and r.value is not None
    ]
    worst = min(groups, key=lambda r: r.value or 0.0, default=None)
    # The gap with the least p-value is the clearest; its size alone would name the smallest groups.
    clearest, q = min(gaps, key=lambda pair: (pair[0].p or 0.0, -(pair[0].difference or 0.0)), default=(None, None))
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
        gap=None if clearest is None else clearest.difference,
        gap_expected_by_chance=None if clearest is None else clearest.expected_by_chance,
        gap_q=q,
        gap_label=None if clearest is None else clearest.label,
        gap_rate=None if clearest is None else clearest.rate,
        gap_attribute=None if clearest is None else clearest.attribute,
        inferred=inferred_attributes(audit),
    )
