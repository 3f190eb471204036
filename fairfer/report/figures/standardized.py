"""How direct standardization changes the gaps between groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairfer.report.figures.canvas import Canvas, Picture, file_name
from fairfer.report.figures.style import COLORS, GRID, INK, MUTED
from fairfer.report.figures.text_layout import SMALL, shorten, text_width
from fairfer.report.tables.standardized import standardized_table
from fairfer.report.text.groups import grouping_words
from fairfer.report.text.numbers import MINUS, many, rate, share, signed
from fairfer.report.view import View, is_changed

if TYPE_CHECKING:
    from fairfer.metrics.results import StandardizedGap

_MAX_GAPS = 20
_UNCERTAIN = "#6e6e6e"
_ROW_HEIGHT, _AXIS_WIDTH, _TEXT_WIDTH = 0.2, 3.0, 1.95
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_MAX_STEPS = 3


def draw_standardized_gaps(view: View) -> list[Picture]:
    """The change of each gap by standardization, with its interval; the gap before and after, and the share of faces."""
    estimated = [a for a in view.standardized if a.change is not None]
    gaps = [a for a in estimated if a.label in view.labels and (a.unstandardized or a.standardized)][:_MAX_GAPS]
    if not gaps:
        return []
    changed = sum(is_changed(a) for a in estimated)
    title = (
        f"Standardizing for {view.strata} changes {changed or 'none'} of {many(len(estimated), 'gap')} "
        f"({view.confidence} confidence each)"
    )
    caption = (
        f"Dot: change of the gap when all groups have the same distribution of {view.strata}; line: its "
        f"{view.confidence} confidence interval; filled: the interval excludes 0. At the right: share of the faces that "
        "can be compared, and the gap over them before and after, between the groups that have the largest unstandardized "
        "gap. A negative gap has the reverse order. A change does not show a cause."
    )
    if len(estimated) > len(gaps):
        caption += f" The figure shows at most {_MAX_GAPS} gaps above 0, by size of the change; the table has all gaps."
    canvas = _draw_rows(gaps, title)
    return [canvas.finish(file_name("standardized gaps"), "standardized_gaps", caption, standardized_table(view), title)]


def _draw_rows(gaps: Sequence[StandardizedGap], title: str) -> Canvas:
    names = [f"{shorten(g.label)} {g.rate}, {shorten(grouping_words(g.attribute))}" for g in gaps]
    left = 0.25 + max(text_width(name, SMALL, "bold") for name in names)
    height = _ROW_HEIGHT * len(gaps) + 0.1
    canvas = Canvas(left + _AXIS_WIDTH + _TEXT_WIDTH, height + 0.85, title)
    ax = canvas.axes(left, 0.32, _AXIS_WIDTH, height)
    ax.set_ylim(height, 0)
    end = max(max(abs(g.change_low or 0.0), abs(g.change_high or 0.0)) for g in gaps) or _STEPS[0]
    step = next((s for s in _STEPS if end / s <= _MAX_STEPS), _STEPS[-1])
    ticks = [i * step for i in range(-_MAX_STEPS, _MAX_STEPS + 1) if abs(i * step) <= end]
    ax.set_xlim(-1.05 * end, 1.05 * end)
    ax.set_xticks(ticks, [f"{t:.2f}".replace("-", MINUS) if t else "0" for t in ticks])
    ax.set_yticks([])
    ax.grid(axis="x", color=GRID, linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines["left"].set_visible(False)
    ax.axvline(0, color=INK, linewidth=0.7)
    for i, gap in enumerate(gaps):
        y = 0.05 + _ROW_HEIGHT * (i + 0.5)
        certain = is_changed(gap)
        color = COLORS[0] if certain else _UNCERTAIN
        ax.hlines(y, gap.change_low or 0.0, gap.change_high or 0.0, color=color, linewidth=0.9, alpha=0.7)
        ax.plot(
            gap.change or 0.0, y, "o", markersize=5.0, markeredgewidth=1.1, markeredgecolor=color,
            markerfacecolor=color if certain else "white",
        )  # fmt: skip
        canvas.text(left - 0.1, 0.32 + y + 0.035, names[i], ha="right", weight="bold" if certain else "normal")
        texts = (share(gap.covered_share), _plain(gap.unstandardized), _plain(gap.standardized))
        for k, text in enumerate(texts):
            canvas.text(left + _AXIS_WIDTH + 0.7 + 0.58 * k, 0.32 + y + 0.035, text, ha="right")
    for k, head in enumerate(("faces", "before", "after")):
        canvas.text(left + _AXIS_WIDTH + 0.7 + 0.58 * k, 0.25, head, ha="right", color=MUTED)
    canvas.text(left, 0.32 + height + 0.36, "change of the gap: standardized minus unstandardized", color=MUTED)
    return canvas


def _plain(value: float | None) -> str:
    return signed(value) if value is not None and value < 0 else rate(value)
