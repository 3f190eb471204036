"""Observed gaps against those that chance gives."""

from __future__ import annotations

from matplotlib.patches import Rectangle

from fairfer.report import tables
from fairfer.report.figures.lettering import inches, short
from fairfer.report.figures.marks import draw_axis
from fairfer.report.figures.sheet import Names, Picture, Sheet, finish
from fairfer.report.figures.style import BAND, COLOURS, QUIET
from fairfer.report.numerals import many, probability
from fairfer.report.view import View, is_found

_MOST_GAPS = 20


def draw_gaps(view: View, names: Names) -> list[Picture]:
    """Observed gaps against those that chance gives."""
    shown = [g for g in view.tested if g.label in view.labels and g.difference][:_MOST_GAPS]
    if not shown:
        return []
    found = sum(is_found(g) for g in view.tested)
    title = (
        f"{many(found, 'gap is', 'gaps are')} beyond chance, of {len(view.tested):,} tested"
        if found
        else (f"Of {many(len(view.tested), 'gap')} tested none is beyond chance")
    )
    texts = [f"{short(g.label)} {g.rate}, {short(g.attribute.replace(',', ' and '))}" for g in shown]
    left = 0.25 + max(inches(t, 7.5, "bold") for t in texts)
    lane, width = 0.2, left + 4.4
    height = lane * len(shown) + 0.1
    sheet = Sheet(width, height + 0.65, title)
    ax = sheet.axes(left, 0.12, 3.6, height)
    ax.set_ylim(height, 0)
    far = max(max(g.difference or 0.0, g.chance or 0.0) for g in shown)
    end = next((e for e in (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75) if far <= e), 1.0)
    draw_axis(ax, end, 5)
    for i, gap in enumerate(shown):
        y = 0.05 + lane * (i + 0.5)
        sure = is_found(gap)
        ax.add_patch(Rectangle((0, y - 0.07), gap.chance or 0.0, 0.14, facecolor=BAND, edgecolor="none", zorder=1))
        ax.plot(
            gap.difference or 0.0, y, "o", markersize=5.5, clip_on=False, zorder=3, markeredgewidth=1.1,
            markeredgecolor=COLOURS[0] if sure else "#6e6e6e", markerfacecolor=COLOURS[0] if sure else "white",
        )  # fmt: skip
        sheet.text(left - 0.1, 0.12 + y + 0.035, texts[i], ha="right", weight="bold" if sure else "normal")
        sheet.text(width - 0.1, 0.12 + y + 0.035, probability("q", gap.q), ha="right", weight="bold" if sure else "normal")
    sheet.text(left, 0.12 + height + 0.36, "gap: highest minus lowest rate of a group", color=QUIET)
    caption = (
        "Dot: the gap seen. Grey bar: how wide chance alone makes it, with groups of these sizes. Filled: beyond chance, with "
        "q below .05."
    )
    if len(view.tested) > len(shown):
        caption += f" At most {_MOST_GAPS} are shown, the farthest beyond chance, and none of 0; the table has all."
    return [finish(sheet, names("gaps"), "gaps", title, caption, tables.gaps_table(view))]
