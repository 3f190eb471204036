"""Confusion gaps in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairfer.report.text.groups import capital, faces, inferred_note, people
from fairfer.report.text.numbers import DASH, distinct_rates, many, probability, ratio
from fairfer.report.view import ALPHA

if TYPE_CHECKING:
    from fairfer.metrics.index_results import ConfusionGap
    from fairfer.report.view import View

_PAIR = 2


def significant_confusions(view: View) -> list[ConfusionGap]:
    """Significant confusion gaps, the strongest effect first.

    A gap by gender usually appears again by gender and race. Only the one with the smaller q is listed.
    """
    found = [g for g in view.audit.confusion_gaps if g.q is not None and g.q < ALPHA]
    kept: list[ConfusionGap] = []
    for gap in sorted(found, key=lambda g: (g.q or 0.0, g.p or 0.0, -_certain_ratio(g))):
        if not any(_repeats(gap, other) for other in kept):
            kept.append(gap)
    return sorted(kept, key=lambda g: -_certain_ratio(g))


def _repeats(gap: ConfusionGap, other: ConfusionGap) -> bool:
    names, other_names = set(gap.attribute), set(other.attribute)
    return (gap.truth, gap.predicted) == (other.truth, other.predicted) and (names <= other_names or other_names <= names)


def _certain_ratio(gap: ConfusionGap) -> float:
    """The limit of the ratio on the side of 1, as a factor above 1."""
    if (gap.group_rate or 0.0) >= (gap.rest_rate or 0.0):
        return gap.low or 0.0
    return 1 / gap.high if gap.high else 0.0


def confusion_sentence(view: View, gap: ConfusionGap) -> str:
    """``Black women's angry faces are misclassified as disgust 2.1 times as often as those of all other groups``."""
    one = people(gap.attribute, gap.group or ())
    owner = f"{one.possessive} {faces(gap.truth)}" if one.possessive else f"{faces(gap.truth)} of {one.plural}"
    return (
        f"{capital(owner)} are misclassified as {gap.predicted} {_how_often(gap)} {_rest(gap)}"
        f"{inferred_note(view.audit, gap.attribute)}"
    )


def _how_often(gap: ConfusionGap) -> str:
    times = gap.ratio_to_rest
    if times is None or times == 0:
        return "more often than" if times is None else "less often than"
    return f"{ratio(times)} times as often as"


def _rest(gap: ConfusionGap) -> str:
    others = [g for g in gap.groups if g != gap.group]
    if len(others) > 1:
        return "those of all other groups"
    other = people(gap.attribute, others[0])
    return other.possessive or f"those of {other.short}"


def confusion_detail(view: View, gap: ConfusionGap) -> str:
    """Rates, limits and q of a confusion gap."""
    texts = distinct_rates([gap.group_rate or 0.0, gap.rest_rate or 0.0])
    limits = "" if gap.low is None else f", ratio at least {ratio(gap.low)}"
    if gap.low is not None and gap.high is not None:
        limits = f", {100 * view.audit.plan.confidence:g} % interval of the ratio {ratio(gap.low)}{DASH}{ratio(gap.high)}"
    return f"{' vs. '.join(texts)}{limits}, {probability('q', gap.q)}"


def no_confusion(view: View) -> str:
    """One line when no confusion gap is significant."""
    tested = sum(g.q is not None for g in view.audit.confusion_gaps)
    left_out = sum(g.status == "cannot_reject" for g in view.audit.confusion_gaps)
    if not tested:
        return "No confusion could be tested: no label has two groups with enough faces, or there are too few confusions."
    text = f"None of {many(tested, 'tested confusion')} differs significantly between groups"
    return f"{text} ({left_out:,} more are too rare to be significant)." if left_out else f"{text}."
