"""Elements that figures of rates share: axes, dots with intervals, bands, and the legend of the groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from fairfer.report.figures.group_selection import legend_title
from fairfer.report.figures.style import BAND, GRID, MUTED, GroupStyle, group_styles
from fairfer.report.figures.text_layout import SMALL, shorten, text_width
from fairfer.report.text.groups import group_words
from fairfer.report.text.numbers import DASH
from fairfer.report.view import TOO_FEW

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fairfer.report.figures.canvas import Canvas
    from fairfer.report.figures.rows import Estimate
    from fairfer.report.view import View
    from fairfer.vocabulary import Group, Grouping

RATE_DEFINITIONS = {
    "TPR": "TPR: share of these faces recognized",
    "FPR": "FPR: share of other faces misclassified as this label",
}
"""The two rates that figures compare, with their definitions."""
_AXIS_ENDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75)
_TOLERANCE = 1e-9
_TICK_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0)


@dataclass(frozen=True)
class DotStyle:
    """Sizes of a dot and its interval line, in points: first for enough faces, then for too few."""

    line_width: tuple[float, float] = (1.6, 0.8)
    line_alpha: tuple[float, float] = (1.0, 0.5)
    size: tuple[float, float] = (5.2, 4.4)
    edge_width: tuple[float, float] = (0.5, 0.9)
    white_edge: bool = True


DOTS = DotStyle()


def axis_end(view: View, grouping: Grouping, groups: Sequence[Group], name: str) -> float:
    """Right end of an axis: 1 for TPR; for FPR, which is small, as far as rates and intervals reach."""
    if name == "TPR":
        return 1.0
    rates = [view.rate(name, label, grouping, g) for label in view.labels for g in groups]
    values = [r.value for r in rates if r.value is not None]
    bounds = [r.high or 0.0 for r in rates if r.status == "ok"]
    return round_axis_end(max([0.0, *values, *bounds]))


def round_axis_end(maximum: float) -> float:
    """The end of an axis of rates whose largest value is `maximum`.

    >>> round_axis_end(0.12), round_axis_end(0.9)
    (0.2, 1.0)
    """
    return next((end for end in _AXIS_ENDS if maximum <= end), 1.0)


def axis_ticks(end: float, max_steps: int, start: float = 0.0) -> tuple[list[float], list[str]]:
    """At most `max_steps` even steps from the start of an axis to its end, and their texts.

    >>> axis_ticks(0.2, 2)
    ([0.0, 0.1, 0.2], ['0', '.1', '.2'])
    """
    step = next(s for s in _TICK_STEPS if (end - start) / s <= max_steps + _TOLERANCE)
    ticks = [round(float(t), 10) for t in np.arange(start, end + _TOLERANCE, step)]
    decimals = 2 if any(round(100 * t) % 10 for t in ticks) else 1
    return ticks, [tick_text(t, decimals) for t in ticks]


def tick_text(value: float, decimals: int) -> str:
    """A number at a tick of an axis, without the zero before the point."""
    return f"{value:g}" if value in (0, 1) else f"{value:.{decimals}f}".removeprefix("0")


def draw_rate_axis(ax: Axes, end: float, max_steps: int, start: float = 0.0) -> None:
    """A horizontal axis of rates from its start to its end."""
    ticks, texts = axis_ticks(end, max_steps, start)
    margin = 0.02 * (end - start)
    ax.set_xlim(start - margin, end + margin)
    ax.set_xticks(ticks, texts)
    ax.grid(axis="x", color=GRID, linewidth=0.6)
    ax.set_axisbelow(True)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)


def draw_estimates(ax: Axes, estimates: Sequence[tuple[Estimate, float]], style: GroupStyle, dots: DotStyle = DOTS) -> None:
    """Dots with intervals at heights: filled for enough faces, open for too few."""
    for position, is_small in enumerate((False, True)):
        statuses = TOO_FEW if is_small else ("ok",)
        points = [(r, y) for r, y in estimates if r.status in statuses and r.value is not None]
        if not points:
            continue
        heights = [y for _, y in points]
        low, high = [r.low or 0.0 for r, _ in points], [r.high or 0.0 for r, _ in points]
        width, alpha = dots.line_width[position], dots.line_alpha[position]
        ax.hlines(heights, low, high, color=style.color, linewidth=width, alpha=alpha)
        ax.plot(
            [r.value or 0.0 for r, _ in points],
            heights,
            style.marker,
            markersize=dots.size[position],
            markerfacecolor="white" if is_small else style.color,
            markeredgecolor="white" if dots.white_edge and not is_small else style.color,
            markeredgewidth=dots.edge_width[position],
            clip_on=False,
            zorder=3,
        )


def draw_missing(ax: Axes, estimates: Sequence[tuple[Estimate, float]], left: float = 0.0) -> None:
    """A dash at the left end and the height of each number that is not estimable."""
    for estimate, y in estimates:
        if estimate.value is None:
            ax.text(left, y, DASH, ha="center", va="center", color=MUTED, size=7)


def draw_expected_gap(ax: Axes, view: View, grouping: Grouping, name: str, label: str, top: float, height: float) -> None:
    """The gap expected by chance, as a band centered between the highest and the lowest rate that are compared."""
    gap = view.gap(name, label, grouping)
    if gap is None or not gap.expected_by_chance or gap.worst is None or gap.best is None:
        return
    center = sum(view.rate(name, label, grouping, g).value or 0.0 for g in (gap.worst, gap.best)) / 2
    left, right = max(center - gap.expected_by_chance / 2, 0.0), min(center + gap.expected_by_chance / 2, 1.0)
    ax.add_patch(Rectangle((left, top), right - left, height, facecolor=BAND, edgecolor="none", zorder=1))


@dataclass(frozen=True)
class LegendEntry:
    """A group's position in the legend, in inches."""

    group: Group
    left: float
    top: float


@dataclass(frozen=True)
class Legend:
    """The groups of a grouping above a figure, with the legend's height in inches."""

    entries: tuple[LegendEntry, ...]
    height: float


def layout_legend(view: View, grouping: Grouping, groups: Sequence[Group], width: float) -> Legend:
    """Positions of the groups' names in lines no wider than `width` inches."""
    x, y = 0.1 + text_width(legend_title(view, grouping), SMALL) + 0.15, 0.14
    entries = []
    for group in groups:
        entry_width = text_width(shorten(group_words(group)), SMALL) + 0.36
        if x + entry_width > width:
            x, y = 0.1, y + 0.19
        entries.append(LegendEntry(group, x, y))
        x += entry_width
    return Legend(tuple(entries), y + 0.1)


def draw_legend(canvas: Canvas, view: View, grouping: Grouping, legend: Legend, *, bars: bool) -> None:
    """The names of the groups, each after its marker, or after a square for bars."""
    styles = group_styles(view, grouping)
    canvas.text(0.1, 0.18, legend_title(view, grouping), color=MUTED)
    for entry in legend.entries:
        style = styles[entry.group]
        draw_key(canvas, entry.left, entry.top, shorten(group_words(entry.group)), style, square=bars)


def draw_key(canvas: Canvas, left: float, top: float, text: str, style: GroupStyle, *, square: bool = False) -> None:
    """One marker of a legend with its text."""
    x, y = canvas.position(left + 0.06, top)
    marker = Line2D(
        [x],
        [y],
        marker="s" if square else style.marker,
        color=style.color,
        markersize=6 if square else 5.2,
        markeredgecolor="white",
        markeredgewidth=0.4,
        linestyle="none",
        transform=canvas.figure.transFigure,
    )
    canvas.figure.add_artist(marker)
    canvas.text(left + 0.17, top + 0.04, text)
