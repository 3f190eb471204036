"""Missing answers: rates that improve when a model does not answer, had every missing answer been wrong.

TPR, FNR and accuracy count a missing answer as an error. FPR, TNR, PPV and selection rate do not: a model that refuses a whole
group has no false positives there. A limit on these rates must hold with the missing answers counted as wrong too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairfer.vocabulary import NO_ANSWER, Group, Grouping

if TYPE_CHECKING:
    from fairfer.audits.comparison import Change, Comparison
    from fairfer.audits.result import Audit
    from fairfer.metrics.results import Rate

_FALSE_POSITIVES = ("FPR", "TNR")
_IMPROVED = (*_FALSE_POSITIVES, "PPV", "selection rate")


def missing_answers(audit: Audit, grouping: Grouping, rate: str, label: str) -> dict[Group, int]:
    """Faces of each group whose answer is missing and could have been a false positive (for the selection rate, a positive).

    For FPR and TNR, a label that the data do not have is no answer either. Groups without such faces are omitted.
    """
    missing: dict[Group, int] = {}
    if rate not in _IMPROVED:
        return missing
    if not audit.confusions:  # as in multi-label audits
        return {s.group: s.total - s.answered for s in audit.sizes if s.attribute == grouping and s.total > s.answered}
    for row in audit.confusions:
        foreign = rate in _FALSE_POSITIVES and row.predicted not in audit.labels.audited
        unanswered = row.predicted == NO_ANSWER or foreign
        if row.attribute == grouping and row.count and unanswered and (rate == "selection rate" or row.truth != label):
            missing[row.group] = missing.get(row.group, 0) + row.count
    return missing


def with_wrong_answers(rate: Rate, missing: int) -> Rate:
    """The rate if the missing answers had been predictions of the label; the same object where none is missing."""
    numerator, denominator = rate.numerator or 0, rate.denominator or 0
    if rate.rate == "PPV":
        denominator += missing
    elif rate.rate == "TNR":
        missing = min(missing, numerator)
        numerator -= missing
    else:
        missing = min(missing, denominator - numerator)
        numerator += missing
    if not missing:
        return rate
    return rate.model_copy(update={"numerator": numerator, "denominator": denominator, "value": numerator / denominator})


def changes_with_wrong_answers(
    comparison: Comparison, key: tuple[str, str, Grouping, Group], rate: Rate, worst: Rate
) -> Comparison:
    """The comparison with the candidate's missing answers in one group counted as hits of its FPR."""
    missing = abs((worst.numerator or 0) - (rate.numerator or 0))
    changes = [_with_more_hits(c, missing) if (c.rate, c.label, c.attribute, c.group) == key else c for c in comparison.changes]
    return comparison.model_copy(update={"changes": changes})


def _with_more_hits(change: Change, missing: int) -> Change:
    more = min(missing, change.trials - change.both - change.gained - change.lost)
    if not more:
        return change
    moved = more / change.trials
    hits = change.both + change.gained + more
    update: dict[str, float | None] = {"gained": change.gained + more, "candidate": hits / change.trials}
    for name in ("change", "low", "high"):
        value = getattr(change, name)
        update[name] = None if value is None else min(value + moved, 1.0)
    return change.model_copy(update=update)
