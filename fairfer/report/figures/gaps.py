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
from fairfer.report.text.sentences import bounds_of_size, sides_by_name
from fairfer.report.view import View, is_significant
from fairfer.vocabulary import ALL

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fairfer.metrics.results import Gap

_MAX_GAPS = 20
_NOT_SIGNIFICANT = "#6e6e6e"
_ROW_HEIGHT, _AXIS_WIDTH = 0.2, 3.6


@dataclass(frozen=True)
class _Row:
    """A gap of the figure.

    `low` and `high` are the ends of its line, `lead` is the size of the leading difference and `name` its sides. What does not
    apply is ``None`` or empty.
    """

    gap: Gap
    low: float | None
    high: float | None
    lead: float | None = None
    name: str = ""

    @classmethod
    def of(cls, gap: Gap) -> _Row:
        leading = gap.leading
        if not gap.significant or leading is None:
            return cls(gap, gap.difference, gap.high)
        low, high = bounds_of_size(leading)
        return cls(gap, low, high, abs(leading.difference), " vs. ".join(map(shorten, sides_by_name(leading))))

    @property
    def text(self) -> str:
        label = "" if self.gap.label == ALL else f"{shorten(self.gap.label)} "
        return f"{label}{self.gap.rate}, {shorten(grouping_words(self.gap.attribute))}"

    @property
    def maximum(self) -> float:
        gap = self.gap
        return max(v or 0.0 for v in (gap.difference, gap.expected_by_chance, self.high, self.lead))


def draw_gaps(view: View) -> list[Picture]:
    """Observed gaps beside the gaps expected by chance, with the leading differences of the significant ones."""
    gaps = [g for g in view.tested if g.difference][:_MAX_GAPS]
    if not gaps:
        return []
    title = _title(view, len(gaps))
    caption = (
        "Dot: observed gap; filled: statistically significant (FDR-adjusted p < 0.05). Gray bar: gap expected by chance (95th "
        "percentile under permutation). Blue line with a bar: the leading difference of a significant gap, named at the right, "
        "and its FCR-adjusted 95 % confidence bounds. Thin gray line: up to the "
        f"{view.confidence} upper bound of a gap that is not significant."
    )
    if len(view.tested) > len(gaps):
        caption += f" The figure shows the first {len(gaps)} of {len(view.tested)} tested gaps; the table has all."
    canvas = _draw_rows([_Row.of(g) for g in gaps], title)
    return [canvas.finish(file_name("gaps"), "gaps", caption, gaps_table(view), title)]


def _title(view: View, drawn: int) -> str:
    significant, borderline = len(view.significant), sum(g.borderline for g in view.tested)
    verb = "is" if significant <= 1 else "are"
    title = f"{significant or 'None'} of {many(len(view.tested), 'tested gap')} {verb} statistically significant"
    if borderline:
        title += f"; {borderline} {'is' if borderline == 1 else 'are'} borderline"
    return f"{title}; the first {drawn} are shown" if significant > drawn else title


def _draw_rows(rows: Sequence[_Row], title: str) -> Canvas:
    """A row per gap: dot, line, and the bar of the gap expected by chance."""
    left = 0.25 + max(text_width(row.text, SMALL, "bold") for row in rows)
    names_left = left + _AXIS_WIDTH + 0.15
    width = names_left + max(text_width(row.name, SMALL) for row in rows) + 0.75
    height = _ROW_HEIGHT * len(rows) + 0.1
    canvas = Canvas(width, height + 0.65, title)
    ax = canvas.axes(left, 0.12, _AXIS_WIDTH, height)
    ax.set_ylim(height, 0)
    draw_rate_axis(ax, round_axis_end(max(row.maximum for row in rows)), 5)
    for i, row in enumerate(rows):
        y = 0.05 + _ROW_HEIGHT * (i + 0.5)
        _draw_row(ax, row, y)
        weight: Literal["bold", "normal"] = "bold" if is_significant(row.gap) else "normal"
        canvas.text(left - 0.1, 0.12 + y + 0.035, row.text, ha="right", weight=weight)
        canvas.text(names_left, 0.12 + y + 0.035, row.name)
        canvas.text(width - 0.1, 0.12 + y + 0.035, probability("q", row.gap.q), ha="right", weight=weight)
    canvas.text(left, 0.12 + height + 0.36, "gap: highest minus lowest rate of a group", color=MUTED)
    return canvas


def _draw_row(ax: Axes, row: _Row, y: float) -> None:
    gap, significant = row.gap, is_significant(row.gap)
    color = COLORS[0] if significant else _NOT_SIGNIFICANT
    ax.add_patch(Rectangle((0, y - 0.07), gap.expected_by_chance or 0.0, 0.14, facecolor=BAND, edgecolor="none", zorder=1))
    ax.hlines(y, max(row.low or 0.0, 0.0), row.high or 0.0, color=color, linewidth=0.9, alpha=0.7, zorder=2)
    if row.lead is not None:
        ax.plot(row.lead, y, "|", markersize=8, markeredgewidth=1.6, color=color, clip_on=False, zorder=3.5)
    ax.plot(
        gap.difference or 0.0, y, "o", markersize=5.5, clip_on=False, zorder=3, markeredgewidth=1.1,
        markeredgecolor=color, markerfacecolor=color if significant else "white",
    )  # fmt: skip
