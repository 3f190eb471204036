"""Overview: dots of TPR and FPR with their intervals, per label and group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fairfer.report.figures.canvas import Canvas, Picture, file_name
from fairfer.report.figures.group_rows import draw_group_rows
from fairfer.report.figures.group_selection import MAX_GROUPS_BY_COLOR, displayed_groups, omission_note
from fairfer.report.figures.grouping import file_part
from fairfer.report.figures.rate_axes import (
    RATE_DEFINITIONS,
    axis_end,
    draw_estimates,
    draw_expected_gap,
    draw_legend,
    draw_missing,
    draw_rate_axis,
    layout_legend,
)
from fairfer.report.figures.style import MUTED, SEPARATOR, group_styles
from fairfer.report.figures.text_layout import NORMAL, shorten, text_width
from fairfer.report.figures.titles import comparison_title
from fairfer.report.tables import rates as tables
from fairfer.report.text.groups import EVERYONE
from fairfer.report.text.numbers import DASH, probability, whole
from fairfer.report.view import View, is_significant

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fairfer.vocabulary import Group, Grouping

_FEW_GROUPS = 4
"""Up to this many groups, dots of one label are spaced more widely."""
_WIDTH, _NARROW_WIDTH = 9.6, 3.5
_COUNT_SIZE = 6.5


def draw_overview(view: View) -> list[Picture]:
    """TPR and FPR by label, one figure per grouping; with few groups also for a narrow screen."""
    return [_overview(view, a) for a in view.groupings or [EVERYONE]]


def _overview(view: View, grouping: Grouping) -> Picture:
    groups = displayed_groups(view, grouping)
    title = comparison_title(view, grouping)
    table = tables.comparison_table(view, grouping, view.groups(grouping))
    caption = _caption(view, grouping, groups)
    name = file_name("overview", file_part(grouping))
    if len(groups) > MAX_GROUPS_BY_COLOR:
        canvas = draw_group_rows(view, grouping, groups, title, bars=False)
        return replace(canvas.finish(name, "overview", caption, table, title), grouping=grouping)
    normal, narrow = (
        _draw_dots(view, grouping, groups, title, is_narrow=is_narrow).finish(name, "overview", caption, table, title)
        for is_narrow in (False, True)
    )
    return replace(normal, grouping=grouping, narrow=narrow)


def _caption(view: View, grouping: Grouping, groups: Sequence[Group]) -> str:
    caption = f"Symbol: rate of a group; line: {view.confidence} confidence interval. "
    if any(g.attribute == grouping for g in view.tested):
        caption += (
            "Gray band: gap expected by chance (95th percentile under permutation), centered between the highest and the lowest"
            " rate. The FDR-adjusted p-value q is shown where a gap is statistically significant. "
        )
    caption += f"Open symbol: too few faces to compare. {DASH}: not estimable. "
    caption += (
        "In parentheses: number of faces in the group." if len(groups) > MAX_GROUPS_BY_COLOR else "n: denominator of the TPR."
    )
    return caption + omission_note(view, [(grouping, list(groups))])


@dataclass(frozen=True)
class _Layout:
    """Positions of the overview's rows and panels, in inches."""

    is_narrow: bool
    top: float
    left: float
    spacing: float
    head: float
    row: float
    panels: dict[str, tuple[float, float]]

    def center(self, row: int) -> float:
        """Height at which the dots of a row are centered."""
        return self.row * row + self.head + (self.row - self.head) / 2


def _layout(labels: Sequence[str], group_count: int, legend_height: float, *, is_narrow: bool) -> _Layout:
    width = _NARROW_WIDTH if is_narrow else _WIDTH
    spacing = 0.15 if group_count <= _FEW_GROUPS else 0.125
    head = 0.24 if is_narrow else 0.0
    row = max(group_count * spacing + 0.17, 0.3) + head
    left = 0.1 if is_narrow else 0.3 + max(text_width(shorten(n), NORMAL, "bold") for n in labels)
    room = (width - left - (0.3 if is_narrow else 1.75)) / (1.0 if is_narrow else 1.75)
    tpr_width, fpr_width = (0.56 * room, 0.44 * room) if is_narrow else (room, 0.75 * room)
    panels = {"TPR": (left, tpr_width), "FPR": (left + tpr_width + (0.2 if is_narrow else 1.1), fpr_width)}
    return _Layout(is_narrow, legend_height + 0.32, left, spacing, head, row, panels)


def _draw_dots(view: View, grouping: Grouping, groups: list[Group], title: str, *, is_narrow: bool) -> Canvas:
    """A row per label, TPR at the left, FPR at the right; on a narrow screen the labels stand above the rows."""
    width = _NARROW_WIDTH if is_narrow else _WIDTH
    legend = layout_legend(view, grouping, groups, width)
    layout = _layout(view.labels, len(groups), legend.height, is_narrow=is_narrow)
    canvas = Canvas(width, layout.top + layout.row * len(view.labels) + 0.3, title)
    draw_legend(canvas, view, grouping, legend, bars=False)
    for name in layout.panels:
        _draw_panel(canvas, view, grouping, groups, name, layout)
    if is_narrow:
        for i, label in enumerate(view.labels):
            canvas.text(layout.left, layout.top + layout.row * i + 0.17, shorten(label), size=NORMAL, weight="bold")
    else:
        _draw_row_texts(canvas, view, grouping, groups, layout)
    return canvas


def _draw_panel(canvas: Canvas, view: View, grouping: Grouping, groups: list[Group], name: str, layout: _Layout) -> None:
    x, width = layout.panels[name]
    height = layout.row * len(view.labels)
    ax = canvas.axes(x, layout.top, width, height)
    ax.set_ylim(height, 0)
    draw_rate_axis(ax, axis_end(view, grouping, groups, name), 2 if layout.is_narrow else 5)
    if layout.is_narrow:
        canvas.text(x, layout.top - 0.08, name, color=MUTED, weight="bold")
    else:
        canvas.text(x, layout.top - 0.08, RATE_DEFINITIONS[name], color=MUTED)
    for i, label in enumerate(view.labels):
        if i:
            ax.axhline(layout.row * i, color=SEPARATOR, linewidth=0.6)
        band_height = layout.row - layout.head - 0.06
        draw_expected_gap(ax, view, grouping, name, label, layout.center(i) - band_height / 2, band_height)
        gap = view.gap(name, label, grouping)
        if gap and is_significant(gap):
            q_left = x + width if layout.is_narrow else x + width + (1.04 if name == "TPR" else 0.63)
            q_top = layout.row * i + 0.17 if layout.is_narrow else layout.center(i) + 0.03
            canvas.text(q_left, layout.top + q_top, probability("q", gap.q), weight="bold", ha="right")
    _draw_groups(ax, view, grouping, groups, name, layout)


def _draw_groups(ax: Axes, view: View, grouping: Grouping, groups: list[Group], name: str, layout: _Layout) -> None:
    styles = group_styles(view, grouping)
    for i, group in enumerate(groups):
        shift = _shift(i, len(groups), layout)
        points = [(view.rate(name, label, grouping, group), layout.center(k) + shift) for k, label in enumerate(view.labels)]
        draw_estimates(ax, points, styles[group])
        draw_missing(ax, points)


def _draw_row_texts(canvas: Canvas, view: View, grouping: Grouping, groups: list[Group], layout: _Layout) -> None:
    """The labels before the rows, and the number of faces behind each TPR."""
    x, width = layout.panels["TPR"]
    right = x + width + 0.4
    canvas.text(right, layout.top - 0.08, "n", color=MUTED, ha="right")
    for i, label in enumerate(view.labels):
        center = layout.top + layout.center(i)
        canvas.text(layout.left - 0.12, center + 0.04, shorten(label), size=NORMAL, ha="right")
        for k, group in enumerate(groups):
            count = view.rate("TPR", label, grouping, group).denominator or 0
            top = center + _shift(k, len(groups), layout) + 0.033
            canvas.text(right, top, whole(count), size=_COUNT_SIZE, ha="right", color=MUTED)


def _shift(position: int, group_count: int, layout: _Layout) -> float:
    return (position - (group_count - 1) / 2) * layout.spacing
