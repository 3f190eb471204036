"""Gaps between groups beside those expected by chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from matplotlib.patches import Rectangle

from fairfer.report.figures.canvas import Canvas, Picture, file_name
from fairfer.report.figures.rate_axes import draw_rate_axis, round_axis_end
from fairfer.report.figures.style import BAND, COLORS, MUTED
from fairfer.report.figures.text_layout import SMALL, shorten, text_width
from fairfer.report.tables.gaps import gaps_table
from fairfer.report.text.groups import grouping_words
from fairfer.report.text.numbers import many, probability
from fairfer.report.view import View, is_significant

if TYPE_CHECKING:
    from fairfer.metrics.results import Gap

_MAX_GAPS = 20
_NOT_SIGNIFICANT = "#6e6e6e"
_ROW_HEIGHT, _AXIS_WIDTH = 0.2, 3.6


@dataclass(frozen=True)
class _Row:
    """A gap of the figure."""

    gap: Gap

    @property
    def text(self) -> str:
        return f"{shorten(self.gap.label)} {self.gap.rate}, {shorten(grouping_words(self.gap.attribute))}"

    @property
    def maximum(self) -> float:
        gap = self.gap
        return max(gap.difference or 0.0, gap.expected_by_chance or 0.0, gap.high or 0.0)


def draw_gaps(view: View) -> list[Picture]:
    """Observed gaps with their confidence bounds, beside the gaps expected by chance."""
    gaps = [g for g in view.tested if g.label in view.labels and g.difference][:_MAX_GAPS]
    if not gaps:
        return []
    significant = sum(is_significant(g) for g in view.tested)
    tested = many(len(view.tested), "tested gap")
    title = f"{significant or 'None'} of {tested} {'is' if significant <= 1 else 'are'} statistically significant"
    caption = (
        "Dot: observed gap. Line: confidence bounds of the gap. Gray bar: gap expected by "
        "chance (95th percentile under permutation). Filled dot: statistically significant (FDR-adjusted p < 0.05)."
    )
    if len(view.tested) > len(gaps):
        caption += (
            f" The figure shows at most {_MAX_GAPS} gaps above 0, ordered by gap minus gap expected by chance; the table has "
            "all gaps."
        )
    canvas = _draw_rows([_Row(g) for g in gaps], title)
    return [canvas.finish(file_name("gaps"), "gaps", caption, gaps_table(view), title)]


def _draw_rows(rows: Sequence[_Row], title: str) -> Canvas:
    """A row per gap: dot, confidence bounds, and the bar of the gap expected by chance."""
    left = 0.25 + max(text_width(row.text, SMALL, "bold") for row in rows)
    width = left + _AXIS_WIDTH + 0.8
    height = _ROW_HEIGHT * len(rows) + 0.1
    canvas = Canvas(width, height + 0.65, title)
    ax = canvas.axes(left, 0.12, _AXIS_WIDTH, height)
    ax.set_ylim(height, 0)
    draw_rate_axis(ax, round_axis_end(max(row.maximum for row in rows)), 5)
    for i, row in enumerate(rows):
        gap, y = row.gap, 0.05 + _ROW_HEIGHT * (i + 0.5)
        significant = is_significant(gap)
        color = COLORS[0] if significant else _NOT_SIGNIFICANT
        ax.add_patch(Rectangle((0, y - 0.07), gap.expected_by_chance or 0.0, 0.14, facecolor=BAND, edgecolor="none", zorder=1))
        ax.hlines(y, getattr(gap, "low", None) or 0.0, gap.high or 0.0, color=color, linewidth=0.9, alpha=0.7, zorder=2)
        ax.plot(
            gap.difference or 0.0, y, "o", markersize=5.5, clip_on=False, zorder=3, markeredgewidth=1.1,
            markeredgecolor=color, markerfacecolor=color if significant else "white",
        )  # fmt: skip
        weight: Literal["bold", "normal"] = "bold" if significant else "normal"
        canvas.text(left - 0.1, 0.12 + y + 0.035, row.text, ha="right", weight=weight)
        canvas.text(width - 0.1, 0.12 + y + 0.035, probability("q", gap.q), ha="right", weight=weight)
    canvas.text(left, 0.12 + height + 0.36, "gap: highest minus lowest rate of a group", color=MUTED)
    return canvas
