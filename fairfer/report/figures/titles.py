"""Titles: what a figure shows, as a statement."""

from __future__ import annotations

from fairfer.report.text.findings import sentence
from fairfer.report.text.groups import EVERYONE, capital, group_words, with_source
from fairfer.report.text.numbers import listed, many, rate
from fairfer.report.view import View, is_found


def per_cent(view: View) -> str:
    """How sure the intervals are."""
    return f"{100 * view.audit.plan.confidence:g} %"


def comparison(view: View, attribute: str) -> str:
    """What a comparison shows: its first finding, or that there is none."""
    if attribute == EVERYONE:
        return extremes(view, "TPR")
    tested = [g for g in view.tested if g.attribute == attribute and g.label in view.labels]
    mine = [g for g in tested if is_found(g)]
    if mine:
        return sentence(view, mine[0])
    if not tested:
        return f"No gap by {with_source(view.audit, attribute)} could be tested"
    return f"No gap by {with_source(view.audit, attribute)} is beyond what chance gives"


def widest(view: View, attribute: str) -> str:
    """For which label the groups' TPR and FPR are farthest apart; for everyone together, the extremes."""
    if attribute == EVERYONE:
        return f"TPR: {extremes(view, 'TPR')}; FPR: {extremes(view, 'FPR')}"
    parts = []
    for name in ("TPR", "FPR"):
        spans = []
        for label in view.labels:
            known = [
                r.value or 0.0 for g in view.groups(attribute) if (r := view.rate(name, label, attribute, g)).status == "ok"
            ]
            if len(known) > 1:
                spans.append((max(known) - min(known), label, f"{rate(min(known))} to {rate(max(known))}"))
        if spans:
            _, label, texts = max(spans, key=lambda s: s[0])
            parts.append(f"{name} differs most for {label} ({texts})")
    about = with_source(view.audit, attribute)
    return f"By {about} {', '.join(parts)}" if parts else f"TPR and FPR by {about}: too few faces to compare groups"


def extremes(view: View, name: str) -> str:
    """For which label a rate is highest and lowest, over everyone."""
    found = [r for label in view.labels if (r := view.rate(name, label)).status == "ok"]
    if not found:
        return f"too few faces of every {view.noun}"
    high, low = max(found, key=lambda r: r.value or 0.0), min(found, key=lambda r: r.value or 0.0)
    does = {
        "TPR": ("is found most often", "least"),
        "FPR": ("is most often read wrongly", "least"),
        "TNR": ("is most surely ruled out", "least"),
        "FNR": ("is missed most often", "least"),
    }[name]
    if high.label == low.label or high.value == low.value:
        return f"{rate(high.value)} for {'every ' + view.noun if len(found) > 1 else high.label}"
    return f"{high.label} {does[0]} ({rate(high.value)}), {low.label} {does[1]} ({rate(low.value)})"


def spread(view: View, label: str) -> str:
    """How far the groups of the first grouping are apart in TPR and FPR."""
    for attribute in view.groupings:
        parts = []
        for name in ("TPR", "FPR"):
            known = [r for g in view.groups(attribute) if (r := view.rate(name, label, attribute, g)).status == "ok"]
            if len(known) > 1:
                low, high = min(known, key=lambda r: r.value or 0.0), max(known, key=lambda r: r.value or 0.0)
                texts = rate(low.value), rate(high.value)
                if texts[0] == texts[1]:
                    parts.append(f"{name} {texts[0]} for each group")
                else:
                    parts.append(f"{name} {texts[0]} ({group_words(low.group)}) to {texts[1]} ({group_words(high.group)})")
        if parts:
            return ", ".join(parts)
    overall = [f"{name} {rate(view.rate(name, label).value)}" for name in ("TPR", "FPR")]
    return f"{', '.join(overall)} over everyone"


def composition(view: View) -> str:
    """The commonest and the rarest label, and the groups of the first attribute when they are few."""
    most, least = (pick(view.labels, key=view.support) for pick in (max, min))
    text = f"{capital(most)} is commonest ({many(view.support(most), 'face')}), {least} rarest ({view.support(least):,})"
    first = view.groupings[0] if view.groupings else EVERYONE
    groups = view.groups(first)
    if 1 < len(groups) <= 4:
        text += f"; {listed([f'{view.size(first, g):,} {group_words(g)}' for g in groups])}"
    return text
