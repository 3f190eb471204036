"""Many groups side by side: each has its own line, dots or bars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fairfer.report.figures.lettering import cut, inches, short
from fairfer.report.figures.marks import PANELS, axis_end, draw_axis, draw_band, draw_marks
from fairfer.report.figures.selection import heading
from fairfer.report.figures.sheet import Sheet
from fairfer.report.figures.style import FAINT, INK, QUIET, Look, looks_of
from fairfer.report.text.groups import group_words
from fairfer.report.text.numbers import DASH, probability
from fairfer.report.view import View, is_found

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fairfer.metrics.results import Rate


ABREAST = 8
"""Columns of labels beside one another."""


def draw_lanes(view: View, attribute: str, groups: list[str], title: str, *, bars: bool) -> Sheet:
    """For many groups: each has its own line, named at the left; a column per label; TPR above FPR."""
    names = [f"{short(group_words(g))} ({view.size(attribute, g):,})" for g in groups]
    left = 0.25 + max(inches(n, 7.5) for n in names)
    per_row = [view.labels[i : i + ABREAST] for i in range(0, len(view.labels), ABREAST)]
    column, lane = 0.98, 0.17
    high = lane * len(groups) + 0.1
    strip = high + 0.85
    sheet = Sheet(left + column * min(len(view.labels), ABREAST) + 0.15, 0.2 + strip * 2 * len(per_row), title)
    sheet.text(0.1, 0.18, heading(view, attribute).rstrip(":"), color=QUIET)
    looks = looks_of(view, attribute)
    strips = [(name, labels) for name in ("TPR", "FPR") for labels in per_row]
    for number, (name, labels) in enumerate(strips):
        top = 0.2 + strip * number + 0.55
        end = axis_end(view, attribute, groups, name)
        sheet.text(left, top - 0.36, f"{PANELS[name]}", color=QUIET)
        for i, text in enumerate(names):
            sheet.text(left - 0.1, top + 0.05 + lane * (i + 0.5) + 0.035, text, ha="right")
        for k, label in enumerate(labels):
            ax = sheet.axes(left + column * k, top, column - 0.14, high)
            ax.set_ylim(high, 0)
            draw_axis(ax, end, 2)
            sheet.text(left + column * k, top - 0.07, cut(label, column - 0.1), weight="bold")
            gap = None if bars else view.gap(name, label, attribute)
            if gap:
                draw_band(ax, view, attribute, name, label, (0, high))
            if gap and is_found(gap):
                sheet.text(left + column * k, top - 0.2, probability("q", gap.q), weight="bold")
            for i, group in enumerate(groups):
                y, found = 0.05 + lane * (i + 0.5), view.rate(name, label, attribute, group)
                if bars:
                    _level(ax, found, y, looks[group], lane)
                else:
                    draw_marks(ax, [(found, y)], looks[group])
    return sheet


def _level(ax: Axes, found: Rate, y: float, look: Look, lane: float) -> None:
    if found.value is None:
        ax.text(0, y, DASH, ha="center", va="center", color=QUIET, size=7)
        return
    quiet = found.status == "small"
    paint: dict[str, Any] = {"color": FAINT, "edgecolor": look.colour, "hatch": "////"} if quiet else {"color": look.colour}
    ax.barh(y, found.value, height=lane * 0.8, linewidth=0.5, **paint)
    ax.hlines(y, found.low or 0.0, found.high or 0.0, color=INK, linewidth=0.8, alpha=0.4 if quiet else 0.9)
