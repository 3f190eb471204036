"""Observed gaps against those that chance gives; as they are, and after adjusting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.patches import Rectangle

from fairfer.report.figures.lettering import inches, short
from fairfer.report.figures.marks import draw_axis, rounded_up
from fairfer.report.figures.sheet import Names, Picture, Sheet, finish
from fairfer.report.figures.style import BAND, COLOURS, QUIET
from fairfer.report.tables import evidence
from fairfer.report.tables import rates as tables
from fairfer.report.text.numbers import many, probability
from fairfer.report.view import View, is_found

if TYPE_CHECKING:
    from fairfer.metrics.results import Gap, StandardizedGap

_MOST_GAPS = 20
_UNSURE = "#6e6e6e"


def draw_gaps(view: View, names: Names) -> list[Picture]:
    """Observed gaps with their bounds against those that chance gives."""
    shown = [g for g in view.tested if g.label in view.labels and g.difference][:_MOST_GAPS]
    if not shown:
        return []
    found = sum(is_found(g) for g in view.tested)
    title = (
        f"{many(found, 'gap is', 'gaps are')} beyond chance, of {len(view.tested):,} tested"
        if found
        else (f"Of {many(len(view.tested), 'gap')} tested none is beyond chance")
    )
    caption = (
        "Dot: the gap seen. Line: from what some two groups surely differ by to what no two surely exceed. Grey bar: how wide "
        "chance alone makes the gap, with groups of these sizes. Filled: beyond chance, with q below .05."
    )
    if len(view.tested) > len(shown):
        caption += f" At most {_MOST_GAPS} are shown, the farthest beyond chance, and none of 0; the table has all."
    sheet = _lanes(shown, title, [None] * len(shown))
    return [finish(sheet, names("gaps"), "gaps", title, caption, tables.gaps_table(view))]


def draw_adjusted(view: View, names: Names) -> list[Picture]:
    """Gaps as they are and after the groups were given the same mix."""
    tested = [a for a in view.standardized if a.difference is not None]
    shown = [a for a in tested if a.label in view.labels and (a.difference or a.plain)][:_MOST_GAPS]
    if not shown:
        return []
    after = sum(is_found(a) for a in tested)
    before = sum(bool((g := view.gap(a.rate, a.label, a.attribute)) and is_found(g)) for a in tested)
    title = f"Adjusted for {view.mix}, {after:,} of {many(len(tested), 'gap')} beyond chance; {before:,} before"
    caption = (
        f"Dot: the gap after all groups were given the same mix of {view.mix}. Orange diamond: before. Line: bounds of the "
        "adjusted gap. Grey bar: how wide chance alone makes it. Filled: beyond chance, with q below .05. Only what all groups "
        "have in common can be compared; the table says how much of the faces that is."
    )
    sheet = _lanes(shown, title, [a.plain for a in shown])
    return [finish(sheet, names("standardized"), "standardized", title, caption, evidence.adjusted_table(view))]


def _lanes(shown: Sequence[Gap | StandardizedGap], title: str, before: Sequence[float | None]) -> Sheet:
    """A line per gap: dot, bounds, and the bar of chance."""
    texts = [f"{short(g.label)} {g.rate}, {short(g.attribute.replace(',', ' and '))}" for g in shown]
    left = 0.25 + max(inches(t, 7.5, "bold") for t in texts)
    lane, width = 0.2, left + 4.4
    height = lane * len(shown) + 0.1
    sheet = Sheet(width, height + 0.65, title)
    ax = sheet.axes(left, 0.12, 3.6, height)
    ax.set_ylim(height, 0)
    far = max(
        max(g.difference or 0.0, g.expected_by_chance or 0.0, g.high or 0.0, b or 0.0)
        for g, b in zip(shown, before, strict=True)
    )
    draw_axis(ax, rounded_up(far), 5)
    for i, (gap, plain) in enumerate(zip(shown, before, strict=True)):
        y = 0.05 + lane * (i + 0.5)
        sure = is_found(gap)
        colour = COLOURS[0] if sure else _UNSURE
        ax.add_patch(Rectangle((0, y - 0.07), gap.expected_by_chance or 0.0, 0.14, facecolor=BAND, edgecolor="none", zorder=1))
        ax.hlines(y, gap.low or 0.0, gap.high or 0.0, color=colour, linewidth=0.9, alpha=0.7, zorder=2)
        if plain is not None:
            ax.plot(
                plain, y, "o", markersize=4.6, clip_on=False, zorder=2.5, markeredgecolor=COLOURS[1], markerfacecolor="none"
            )
        ax.plot(
            gap.difference or 0.0, y, "o", markersize=5.5, clip_on=False, zorder=3, markeredgewidth=1.1,
            markeredgecolor=colour, markerfacecolor=colour if sure else "white",
        )  # fmt: skip
        sheet.text(left - 0.1, 0.12 + y + 0.035, texts[i], ha="right", weight="bold" if sure else "normal")
        sheet.text(width - 0.1, 0.12 + y + 0.035, probability("q", gap.q), ha="right", weight="bold" if sure else "normal")
    sheet.text(left, 0.12 + height + 0.36, "gap: highest minus lowest rate of a group", color=QUIET)
    return sheet
