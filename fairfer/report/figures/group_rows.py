"""Figures of many groups: each group has its own row, with dots or bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairfer.report.figures.canvas import Canvas
from fairfer.report.figures.group_selection import legend_title
from fairfer.report.figures.rate_axes import (
    RATE_DEFINITIONS,
    axis_end,
    draw_estimates,
    draw_expected_gap,
    draw_missing,
    draw_rate_axis,
)
from fairfer.report.figures.style import FAINT, INK, MUTED, GroupStyle, group_styles
from fairfer.report.figures.text_layout import SMALL, shorten, text_width, truncate
from fairfer.report.text.groups import group_words
from fairfer.report.text.numbers import probability
from fairfer.report.view import TOO_FEW, View, is_significant

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fairfer.metrics.results import Rate
    from fairfer.vocabulary import Group, Grouping


MAX_COLUMNS = 8
"""Columns of labels side by side."""
_COLUMN_WIDTH, _ROW_HEIGHT = 0.98, 0.17


def draw_group_rows(view: View, grouping: Grouping, groups: list[Group], title: str, *, bars: bool) -> Canvas:
    """A row per group, named at the left, and a column per label; TPR above FPR."""
    names = [f"{shorten(group_words(g))} ({view.size(grouping, g):,})" for g in groups]
    left = 0.25 + max(text_width(n, SMALL) for n in names)
    label_rows = [view.labels[i : i + MAX_COLUMNS] for i in range(0, len(view.labels), MAX_COLUMNS)]
    height = _ROW_HEIGHT * len(groups) + 0.1
    strip_height = height + 0.85
    width = left + _COLUMN_WIDTH * min(len(view.labels), MAX_COLUMNS) + 0.15
    canvas = Canvas(width, 0.2 + strip_height * 2 * len(label_rows), title)
    canvas.text(0.1, 0.18, legend_title(view, grouping).rstrip(":"), color=MUTED)
    strips = [(name, labels) for name in RATE_DEFINITIONS for labels in label_rows]
    for number, (name, labels) in enumerate(strips):
        top = 0.2 + strip_height * number + 0.55
        end = axis_end(view, grouping, groups, name)
        canvas.text(left, top - 0.36, RATE_DEFINITIONS[name], color=MUTED)
        for i, text in enumerate(names):
            canvas.text(left - 0.1, top + 0.05 + _ROW_HEIGHT * (i + 0.5) + 0.035, text, ha="right")
        for k, label in enumerate(labels):
            x = left + _COLUMN_WIDTH * k
            ax = canvas.axes(x, top, _COLUMN_WIDTH - 0.14, height)
            ax.set_ylim(height, 0)
            draw_rate_axis(ax, end, 2)
            canvas.text(x, top - 0.07, truncate(label, _COLUMN_WIDTH - 0.1), weight="bold")
            rows = [(view.rate(name, label, grouping, g), 0.05 + _ROW_HEIGHT * (i + 0.5)) for i, g in enumerate(groups)]
            if bars:
                _draw_bars(ax, rows, [group_styles(view, grouping)[g] for g in groups])
                continue
            gap = view.gap(name, label, grouping)
            draw_expected_gap(ax, view, grouping, name, label, 0, height)
            if gap and is_significant(gap):
                canvas.text(x, top - 0.2, probability("q", gap.q), weight="bold")
            _draw_dots(ax, rows, [group_styles(view, grouping)[g] for g in groups])
    return canvas


def _draw_dots(ax: Axes, rows: Sequence[tuple[Rate, float]], styles: Sequence[GroupStyle]) -> None:
    for style in dict.fromkeys(styles):
        draw_estimates(ax, [row for row, row_style in zip(rows, styles, strict=True) if row_style == style], style)
    draw_missing(ax, rows)


def _draw_bars(ax: Axes, rows: Sequence[tuple[Rate, float]], styles: Sequence[GroupStyle]) -> None:
    for (rate, y), style in zip(rows, styles, strict=True):
        if rate.value is None:
            continue
        is_small = rate.status in TOO_FEW
        ax.barh(
            y,
            rate.value,
            height=_ROW_HEIGHT * 0.8,
            linewidth=0.5 if is_small else 0.0,
            color=FAINT if is_small else style.color,
            edgecolor=style.color,
            hatch="////" if is_small else "",
        )
        ax.hlines(y, rate.low or 0.0, rate.high or 0.0, color=INK, linewidth=0.8, alpha=0.4 if is_small else 0.9)
    draw_missing(ax, rows)
