"""A gap and one of its differences as a sentence, as a name, and as numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairfer.report.text.groups import adjective, capital, faces, group_words, grouping_words, inferred_note, people
from fairfer.report.text.numbers import interval, rate, signed
from fairfer.vocabulary import ALL, is_annotated

if TYPE_CHECKING:
    from fairfer.metrics.results import Gap, GroupDifference
    from fairfer.report.text.groups import People
    from fairfer.report.view import View


def gap_name(gap: Gap) -> str:
    """``happiness TPR by gender``."""
    return f"{rate_name(gap)} by {grouping_words(gap.attribute)}"


def rate_name(gap: Gap) -> str:
    """``happiness TPR``; ``accuracy`` over all labels."""
    return gap.rate if gap.label == ALL else f"{gap.label} {gap.rate}"


def sentence(view: View, gap: Gap, difference: GroupDifference) -> str:
    """A difference as a sentence without its full stop: ``Women's happy faces are recognized more often than men's``."""
    return capital(clause(view, gap, difference))


def clause(view: View, gap: Gap, difference: GroupDifference) -> str:
    """The same inside a sentence."""
    group = people(gap.attribute, difference.group)
    reference = None if difference.reference is None else people(gap.attribute, difference.reference)
    other = reference.short if reference else rest(gap)
    direction = "more" if difference.difference >= 0 else "less"
    if gap.rate == "TPR":
        text = _recognized(gap, group, reference, direction)
    elif gap.rate == "FPR":
        text = f"{group.plural} are misclassified as {adjective(gap.label)} {direction} often than {other}"
    elif gap.rate == "coverage":
        text = f"the model returns a prediction {direction} often for {group.plural} than for {other}"
    elif gap.rate == "accuracy":
        text = f"{group.plural} are classified correctly {direction} often than {other}"
    else:
        order = "higher" if difference.difference >= 0 else "lower"
        text = f"{rate_name(gap)} is {order} for {group.plural} than for {other}"
    return text + inferred_note(view.audit, gap.attribute)


def _recognized(gap: Gap, group: People, reference: People | None, direction: str) -> str:
    if group.possessive and reference and reference.possessive:
        return f"{group.possessive} {faces(gap.label)} are recognized {direction} often than {reference.possessive}"
    if group.possessive and reference is None:
        return f"{group.possessive} {faces(gap.label)} are recognized {direction} often than those of {rest(gap)}"
    other = reference.short if reference else rest(gap)
    return f"{faces(gap.label)} of {group.plural} are recognized {direction} often than those of {other}"


def rest(gap: Gap) -> str:
    """The reference of a group vs. the rest, in a sentence; it says so when some groups are not compared."""
    left_out = any(is_annotated(e.group) and e.denominator for e in gap.excluded)
    return f"all other {'compared ' if left_out else ''}groups together"


def sides_by_name(difference: GroupDifference) -> tuple[str, str]:
    """Both sides by the data's level names: ``female, white`` and ``male, black``, ``female, black`` and ``the rest``."""
    return group_words(difference.group), "the rest" if difference.reference is None else group_words(difference.reference)


def size_with_bounds(difference: GroupDifference) -> str:
    """Size of a difference, with its confidence bounds where it is significant: ``0.12 (0.03-0.20)``."""
    text = rate(abs(difference.difference))
    low, high = bounds_of_size(difference)
    if low is None or high is None:
        return text
    return f"{text} ({interval(low, high) if low >= 0 else f'{signed(low)} to {signed(high)}'})"


def bounds_of_size(difference: GroupDifference) -> tuple[float | None, float | None]:
    """Confidence bounds of the size of a difference, whatever its sign; ``None`` where it is not significant."""
    if difference.low is None or difference.high is None or difference.difference >= 0:
        return difference.low, difference.high
    return -difference.high, -difference.low
