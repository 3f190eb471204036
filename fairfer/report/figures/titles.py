"""Titles of figures: the main result of each, as a statement about the rows that are drawn and the decisions on gaps.

An extreme is named only among groups that can be compared: annotated, and with enough faces. Where several are equal, all of
them are named, or their number is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairfer.report.figures.group_selection import MAX_DISPLAYED_GROUPS, Block
from fairfer.report.figures.grouping import is_everyone
from fairfer.report.text.extremes import MAX_NAMES, largest, names, smallest
from fairfer.report.text.findings import sentence
from fairfer.report.text.groups import EVERYONE, capital, group_words, grouping_words, with_source
from fairfer.report.text.numbers import distinct_rates, listed, many, rate
from fairfer.report.view import View, is_significant
from fairfer.vocabulary import is_annotated

if TYPE_CHECKING:
    from fairfer.metrics.results import Gap, Rate
    from fairfer.vocabulary import Group, Grouping

COMPARED = "The title compares groups that are annotated and have enough faces."
"""Sentence for the caption of a figure whose title names an extreme among groups."""

_EXTREMES = {
    "TPR": ("recognized most often", "least often"),
    "FPR": ("predicted most often for other faces", "least often"),
    "TNR": ("correctly not predicted most often", "least often"),
    "FNR": ("missed most often", "least often"),
}
_MAX_GROUPS = 4


def comparison_title(view: View, grouping: Grouping) -> str:
    """The first finding about TPR or FPR of a grouping, or the statement that there is none."""
    if is_everyone(grouping):
        return extremes(view, "TPR")
    tested = [g for g in view.tested if g.attribute == grouping and g.label in view.labels]
    first = next((g for g in tested if is_significant(g)), None)
    if first and first.leading:
        return sentence(view, first, first.leading)
    by = with_source(view.audit, grouping)
    if not tested:
        return f"No TPR or FPR gap by {by} could be tested: {_reason(view, grouping)}"
    return f"No TPR or FPR gap by {by} is statistically significant{_borderline(tested)}"


def _reason(view: View, grouping: Grouping) -> str:
    """Why no gap of a grouping could be tested."""
    if any(g.attribute == grouping and g.label in view.labels for g in view.untestable):
        return "none could be significant"
    return f"no rate has two groups with at least {many(view.audit.plan.minimum, 'face')}"


def _borderline(tested: Sequence[Gap]) -> str:
    number = sum(g.borderline for g in tested)
    return f"; {number} {'is' if number == 1 else 'are'} borderline" if number else ""


def largest_spread_title(view: View, grouping: Grouping, groups: Sequence[Group]) -> str:
    """The label for which TPR and FPR of the groups differ most; for everyone, the extremes.

    Parameters
    ----------
    view
        The audit.
    grouping
        The grouping of the figure.
    groups
        The groups that are drawn.
    """
    if is_everyone(grouping):
        return f"TPR: {extremes(view, 'TPR')}; FPR: {extremes(view, 'FPR')}"
    by = with_source(view.audit, grouping)
    parts = [text for name in ("TPR", "FPR") if (text := _spread_of_rate(view, name, grouping, groups))]
    if not parts:
        return f"TPR and FPR by {by}: too few faces to compare groups"
    return f"By {by}{_of_drawn(view, grouping)}, {', '.join(parts)}"


def _spread_of_rate(view: View, name: str, grouping: Grouping, groups: Sequence[Group]) -> str:
    """For which label the groups differ most in one rate; empty where no groups can be compared."""
    spreads = []
    for label in view.labels:
        values = [r.value or 0.0 for r in estimable(view, name, label, grouping, groups)]
        if len(values) > 1:
            spreads.append((label, min(values), max(values)))
    if not spreads:
        return ""
    widest = largest(spreads, lambda s: s[2] - s[1])
    _, low, high = widest[0]
    if high == low:
        return f"{name} of all groups is equal for {_every(view, len(spreads))}"
    if len(widest) > 1:
        return f"{name} differs most for {names([s[0] for s in widest], view.noun)} (by {distinct_rates([high - low, 0])[0]})"
    return f"{name} differs most for {widest[0][0]} ({' to '.join(distinct_rates([low, high]))})"


def _every(view: View, number: int) -> str:
    """The labels that were compared, when nothing distinguishes them."""
    if number == len(view.labels):
        return f"every {view.noun}" if number > 1 else view.labels[0]
    return f"every {view.noun} with enough faces"


def extremes(view: View, name: str) -> str:
    """The labels with the highest and the lowest rate, over everyone."""
    rates = [r for label in view.labels if (r := view.rate(name, label)).status == "ok"]
    if not rates:
        return f"too few faces of every {view.noun}"
    high, low = largest(rates, _value), smallest(rates, _value)
    if high[0].value == low[0].value:
        return f"{rate(high[0].value)} for {_every(view, len(rates))}"
    most, least = _EXTREMES[name]
    texts = distinct_rates([_value(high[0]), _value(low[0])])
    verb = "is" if len(high) == 1 else "are"
    text = (
        f"{names([r.label for r in high], view.noun)} {verb} {most} ({texts[0]}), "
        f"{names([r.label for r in low], view.noun)} {least} ({texts[1]})"
    )
    return text if len(rates) == len(view.labels) else f"of {view.noun}s with enough faces, {text}"


def rate_title(view: View, name: str, blocks: Sequence[Block]) -> str:
    """One rate: its extremes over everyone; on a page without everyone, the widest differences between groups."""
    if any(is_everyone(a) for a, _ in blocks):
        return f"{name} over all faces: {extremes(view, name)}"
    parts = [
        f"by {grouping_words(a)}{_of_drawn(view, a)}, {text}"
        for a, groups in blocks
        if (text := _spread_of_rate(view, name, a, groups))
    ]
    by = "; ".join(grouping_words(a) for a, _ in blocks)
    return capital("; ".join(parts)) if parts else f"{name} by {by}: too few faces to compare groups"


def label_title(view: View, label: str, blocks: Sequence[Block]) -> str:
    """The range of TPR and FPR of a label over the groups of the first grouping drawn in which they can be compared."""
    for grouping, groups in blocks:
        parts = [text for name in ("TPR", "FPR") if (text := _range(view, name, label, grouping, groups))]
        if parts and not is_everyone(grouping):
            return f"{capital(label)} by {grouping_words(grouping)}{_of_drawn(view, grouping)}: {', '.join(parts)}"
    if any(is_everyone(a) for a, _ in blocks):
        overall = [f"{name} {rate(view.rate(name, label).value)}" for name in ("TPR", "FPR")]
        return f"{capital(label)}: {', '.join(overall)} over all faces"
    by = "; ".join(grouping_words(a) for a, _ in blocks)
    return f"{capital(label)} by {by}: too few faces to compare groups"


def _range(view: View, name: str, label: str, grouping: Grouping, groups: Sequence[Group]) -> str:
    """Lowest and highest value of a rate, with the groups; empty where fewer than two can be compared."""
    rates = estimable(view, name, label, grouping, groups)
    if len(rates) <= 1:
        return ""
    low, high = smallest(rates, _value), largest(rates, _value)
    texts = distinct_rates([_value(low[0]), _value(high[0])])
    if low[0].value == high[0].value:
        return f"{name} {texts[0]} for each of {len(rates)} compared groups"
    ends = [f"{text} ({_group_names(ends)})" for text, ends in zip(texts, (low, high), strict=True)]
    return f"{name} {' to '.join(ends)}"


def _group_names(rates: Sequence[Rate]) -> str:
    if len(rates) > MAX_NAMES:
        return many(len(rates), "group")
    return "; ".join(group_words(r.group) for r in rates)


def _value(row: Rate) -> float:
    return row.value or 0.0


def _of_drawn(view: View, grouping: Grouping) -> str:
    """That a statement is about the groups that the figure has room for."""
    return ", of the groups shown" if len(view.groups(grouping)) > MAX_DISPLAYED_GROUPS else ""


def estimable(view: View, name: str, label: str, grouping: Grouping, groups: Sequence[Group]) -> list[Rate]:
    """The rates of those groups that are annotated and have enough faces."""
    return [r for g in groups if is_annotated(g) and (r := view.rate(name, label, grouping, g)).status == "ok"]


def composition_title(view: View, blocks: Sequence[Block]) -> str:
    """The most and the least frequent label, and the groups of the first grouping drawn when they are few."""
    most, least = largest(view.labels, view.support), smallest(view.labels, view.support)
    high, low = view.support(most[0]), view.support(least[0])
    if high == low:
        every = f"every {view.noun}" if len(view.labels) > 1 else view.labels[0]
        text = f"{many(high, 'face')} of {every}"
    else:
        verb = "is" if len(most) == 1 else "are"
        text = (
            f"{capital(names(most, view.noun))} {verb} the most frequent {view.noun} ({many(high, 'face')}), "
            f"{names(least, view.noun)} the least frequent ({low:,})"
        )
    first = next((a for a, _ in blocks if not is_everyone(a)), EVERYONE)
    groups = view.groups(first)
    if 1 < len(groups) <= _MAX_GROUPS:
        text += f"; {listed([f'{view.size(first, g):,} {group_words(g)}' for g in groups])}"
    return text
