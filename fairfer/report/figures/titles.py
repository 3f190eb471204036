"""Titles of figures: the main result of each, as a statement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairfer.report.figures.grouping import is_everyone
from fairfer.report.text.findings import sentence
from fairfer.report.text.groups import EVERYONE, capital, group_words, with_source
from fairfer.report.text.numbers import listed, many, rate
from fairfer.report.view import View, is_significant

if TYPE_CHECKING:
    from fairfer.metrics.results import Rate
    from fairfer.vocabulary import Grouping

_EXTREMES = {
    "TPR": ("recognized most often", "least often"),
    "FPR": ("predicted most often for other faces", "least often"),
    "TNR": ("highest", "lowest"),
    "FNR": ("missed most often", "least often"),
}
_MAX_GROUPS = 4


def confidence_level(view: View) -> str:
    """Confidence level of the intervals: ``95 %``."""
    return f"{100 * view.audit.plan.confidence:g} %"


def comparison_title(view: View, grouping: Grouping) -> str:
    """The first finding of a grouping, or the statement that there is none."""
    if is_everyone(grouping):
        return extremes(view, "TPR")
    tested = [g for g in view.tested if g.attribute == grouping and g.label in view.labels]
    significant = [g for g in tested if is_significant(g)]
    if significant:
        return sentence(view, significant[0])
    by = with_source(view.audit, grouping)
    if not tested:
        return f"No gap by {by} could be tested: too few faces"
    return f"No gap by {by} is statistically significant"


def largest_spread_title(view: View, grouping: Grouping) -> str:
    """The label for which TPR and FPR of the groups differ most; for everyone, the extremes."""
    if is_everyone(grouping):
        return f"TPR: {extremes(view, 'TPR')}; FPR: {extremes(view, 'FPR')}"
    parts = []
    for name in ("TPR", "FPR"):
        spreads = []
        for label in view.labels:
            values = [r.value or 0.0 for r in _estimable(view, name, label, grouping)]
            if len(values) > 1:
                spreads.append((max(values) - min(values), label, f"{rate(min(values))} to {rate(max(values))}"))
        if spreads:
            _, label, text = max(spreads, key=lambda s: s[0])
            parts.append(f"{name} differs most for {label} ({text})")
    by = with_source(view.audit, grouping)
    return f"By {by}, {', '.join(parts)}" if parts else f"TPR and FPR by {by}: too few faces to compare groups"


def extremes(view: View, name: str) -> str:
    """The labels with the highest and the lowest rate, over everyone."""
    rates = [r for label in view.labels if (r := view.rate(name, label)).status == "ok"]
    if not rates:
        return f"too few faces of every {view.noun}"
    high, low = max(rates, key=lambda r: r.value or 0.0), min(rates, key=lambda r: r.value or 0.0)
    if high.label == low.label or high.value == low.value:
        return f"{rate(high.value)} for {'every ' + view.noun if len(rates) > 1 else high.label}"
    most, least = _EXTREMES[name]
    return f"{high.label} is {most} ({rate(high.value)}), {low.label} {least} ({rate(low.value)})"


def spread(view: View, label: str) -> str:
    """The range of TPR and FPR over the groups of the first grouping in which they can be compared."""
    for grouping in view.groupings:
        parts = []
        for name in ("TPR", "FPR"):
            rates = _estimable(view, name, label, grouping)
            if len(rates) <= 1:
                continue
            low, high = min(rates, key=lambda r: r.value or 0.0), max(rates, key=lambda r: r.value or 0.0)
            texts = rate(low.value), rate(high.value)
            if texts[0] == texts[1]:
                parts.append(f"{name} {texts[0]} for each group")
            else:
                parts.append(f"{name} {texts[0]} ({group_words(low.group)}) to {texts[1]} ({group_words(high.group)})")
        if parts:
            return ", ".join(parts)
    overall = [f"{name} {rate(view.rate(name, label).value)}" for name in ("TPR", "FPR")]
    return f"{', '.join(overall)} over everyone"


def _estimable(view: View, name: str, label: str, grouping: Grouping) -> list[Rate]:
    """The rates of a grouping's groups that have enough faces."""
    return [r for g in view.groups(grouping) if (r := view.rate(name, label, grouping, g)).status == "ok"]


def composition_title(view: View) -> str:
    """The most and the least frequent label, and the groups of the first grouping when they are few."""
    most, least = (choose(view.labels, key=view.support) for choose in (max, min))
    text = (
        f"{capital(most)} is the most frequent {view.noun} ({many(view.support(most), 'face')}), {least} the least frequent "
        f"({view.support(least):,})"
    )
    first = view.groupings[0] if view.groupings else EVERYONE
    groups = view.groups(first)
    if 1 < len(groups) <= _MAX_GROUPS:
        text += f"; {listed([f'{view.size(first, g):,} {group_words(g)}' for g in groups])}"
    return text
