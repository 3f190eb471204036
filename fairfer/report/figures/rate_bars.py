"""Grouped bars of TPR and FPR."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairfer.report.figures.canvas import Canvas, Picture, file_name
from fairfer.report.figures.group_rows import draw_group_rows
from fairfer.report.figures.group_selection import MAX_GROUPS_BY_COLOR, displayed_groups, omission_note
from fairfer.report.figures.grouping import file_part
from fairfer.report.figures.rate_axes import RATE_DEFINITIONS, axis_end, axis_ticks, draw_legend, layout_legend
from fairfer.report.figures.style import FAINT, GRID, INK, MUTED, GroupStyle, group_styles
from fairfer.report.figures.text_layout import column_label, column_label_layout, shorten
from fairfer.report.figures.titles import COMPARED, largest_spread_title
from fairfer.report.tables import rates as tables
from fairfer.report.text.groups import EVERYONE
from fairfer.report.text.numbers import DASH
from fairfer.report.view import TOO_FEW

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fairfer.metrics.results import Rate
    from fairfer.report.view import View
    from fairfer.vocabulary import Group, Grouping


_BAR_WIDTH, _MAX_WIDTH, _MIN_WIDTH = 0.13, 13.0, 6.5
"""Inches of one bar, and of the widest and the narrowest figure with bars side by side."""
_GAP_WIDTH, _MARGIN = 0.3, 0.75
_PANEL_HEIGHT = 1.5


def draw_bars(view: View) -> list[Picture]:
    """Bars of TPR and FPR per label and group, one figure per grouping."""
    return [_bars(view, a) for a in view.groupings or [EVERYONE]]


def _bars(view: View, grouping: Grouping) -> Picture:
    groups = displayed_groups(view, grouping)
    table = tables.comparison_table(view, grouping, view.groups(grouping))
    title = largest_spread_title(view, grouping, groups)
    caption = (
        f"Bar: rate; thin line: {view.confidence} confidence interval. Pale hatched bar: too few faces to compare. "
        f"{DASH}: not estimable. {COMPARED}{omission_note(view, [(grouping, groups)])}"
    )
    slot = _BAR_WIDTH * len(groups) + _GAP_WIDTH
    if len(groups) > MAX_GROUPS_BY_COLOR or slot * len(view.labels) > _MAX_WIDTH:
        canvas = draw_group_rows(view, grouping, groups, title, bars=True)
    else:
        canvas = _draw_columns(view, grouping, groups, title, slot)
    return canvas.finish(file_name("bars", file_part(grouping)), "bars", caption, table, title)


def _draw_columns(view: View, grouping: Grouping, groups: list[Group], title: str, min_slot: float) -> Canvas:
    """Grouped bars, a panel for TPR over one for FPR."""
    width = max(min_slot * len(view.labels) + _MARGIN, _MIN_WIDTH)
    slot = (width - _MARGIN) / len(view.labels)
    bar = (slot - _GAP_WIDTH * slot / min_slot) / len(groups)
    legend = layout_legend(view, grouping, groups, width)
    labels = [shorten(n) for n in view.labels]
    label_height, angle = column_label_layout(labels, slot)
    canvas = Canvas(width, legend.height + 2 * (_PANEL_HEIGHT + 0.4) + label_height, title)
    draw_legend(canvas, view, grouping, legend, bars=True)
    styles = group_styles(view, grouping)
    centers = [slot * (i + 0.5) for i in range(len(labels))]
    for panel, name in enumerate(RATE_DEFINITIONS):
        top = legend.height + 0.3 + panel * (_PANEL_HEIGHT + 0.4)
        ax = canvas.axes(0.6, top, width - _MARGIN, _PANEL_HEIGHT)
        end = axis_end(view, grouping, groups, name)
        canvas.text(0.6, top - 0.06, RATE_DEFINITIONS[name], color=MUTED)
        ax.set_xlim(0, slot * len(labels))
        ax.set_ylim(0, end * 1.02)
        ax.set_yticks(*axis_ticks(end, 5))
        ax.grid(axis="y", color=GRID, linewidth=0.6)
        ax.set_axisbelow(True)
        ax.set_xticks(centers, [column_label(n, slot, angle) for n in labels] if panel else [""] * len(labels))
        ax.tick_params(axis="x", length=0)
        if panel and angle:
            for text in ax.get_xticklabels():
                text.set(rotation=angle, ha="right", rotation_mode="anchor")
        for i, group in enumerate(groups):
            shift = (i - (len(groups) - 1) / 2) * bar
            rates = [(view.rate(name, n, grouping, group), x + shift) for n, x in zip(view.labels, centers, strict=True)]
            _draw_group(ax, rates, styles[group], bar)
    return canvas


def _draw_group(ax: Axes, rates: Sequence[tuple[Rate, float]], style: GroupStyle, width: float) -> None:
    """The bars of one group: rates and their horizontal positions."""
    for is_small in (False, True):
        statuses = TOO_FEW if is_small else ("ok",)
        bars = [(r, x) for r, x in rates if r.status in statuses and r.value is not None]
        if not bars:
            continue
        positions = [x for _, x in bars]
        ax.bar(
            positions,
            [r.value or 0.0 for r, _ in bars],
            width=width * 0.9,
            linewidth=0.5 if is_small else 0.0,
            color=FAINT if is_small else style.color,
            edgecolor=style.color,
            hatch="////" if is_small else "",
        )
        low, high = [r.low or 0.0 for r, _ in bars], [r.high or 0.0 for r, _ in bars]
        ax.vlines(positions, low, high, color=INK, linewidth=0.8, alpha=0.4 if is_small else 0.9)
    for rate, x in rates:
        if rate.value is None:
            ax.text(x, 0, DASH, ha="center", va="bottom", color=MUTED, size=7)
