"""What figures that compare groups have in common: axes of rates, dots with intervals, bands of chance, the key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from fairfer.report.figures.lettering import inches, short
from fairfer.report.figures.selection import heading
from fairfer.report.figures.style import BAND, QUIET, Look, looks_of
from fairfer.report.text.groups import group_words
from fairfer.report.text.numbers import DASH

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fairfer.metrics.results import Rate
    from fairfer.report.figures.sheet import Sheet
    from fairfer.report.view import View


PANELS = {"TPR": "TPR: share of these faces that is found", "FPR": "FPR: share of all other faces wrongly read so"}


def axis_end(view: View, attribute: str, groups: Sequence[str], name: str) -> float:
    """Right end of an axis: 1 for TPR; for FPR, which is small, as far as rates and intervals reach."""
    if name == "TPR":
        return 1.0
    found = [view.rate(name, label, attribute, g) for label in view.labels for g in groups]
    far = max([0.0, *(f.value for f in found if f.value is not None), *(f.high or 0.0 for f in found if f.status == "ok")])
    return rounded_up(far)


def rounded_up(far: float) -> float:
    """The end of an axis that reaches so far."""
    return next((end for end in (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75) if far <= end), 1.0)


def spaced(end: float, most: int) -> tuple[list[float], list[str]]:
    """At most so many even steps from 0 to the end of an axis, and their texts."""
    step = next(s for s in (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0) if end / s <= most + 1e-9)
    ticks = [float(t) for t in np.arange(0, end + step / 2, step)]
    decimals = 2 if any(round(100 * t) % 10 for t in ticks) else 1
    return ticks, ["0" if t == 0 else "1" if t == 1 else f"{t:.{decimals}f}".removeprefix("0") for t in ticks]


def draw_axis(ax: Axes, end: float, most: int) -> None:
    """A horizontal axis of rates from 0 to its end."""
    ticks, texts = spaced(end, most)
    ax.set_xlim(-0.02 * end, 1.02 * end)
    ax.set_xticks(ticks, texts)
    ax.grid(axis="x", color="#ebebeb", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)


def draw_marks(ax: Axes, found: Sequence[tuple[Rate, float]], look: Look) -> None:
    """Dots with intervals; open ones where there are too few faces, a dash where there is nothing."""
    for status in ("ok", "small"):
        these = [(r, y) for r, y in found if r.status == status and r.value is not None]
        if not these:
            continue
        quiet = status == "small"
        heights = [y for _, y in these]
        low, high = [r.low or 0.0 for r, _ in these], [r.high or 0.0 for r, _ in these]
        ax.hlines(heights, low, high, color=look.colour, linewidth=0.8 if quiet else 1.6, alpha=0.5 if quiet else 1.0)
        ax.plot(
            [r.value or 0.0 for r, _ in these],
            heights,
            look.marker,
            markersize=4.4 if quiet else 5.2,
            markerfacecolor="white" if quiet else look.colour,
            markeredgecolor=look.colour if quiet else "white",
            markeredgewidth=0.9 if quiet else 0.5,
            clip_on=False,
            zorder=3,
        )
    for r, y in found:
        if r.value is None:
            ax.text(0, y, DASH, ha="center", va="center", color=QUIET, size=7)


def draw_band(ax: Axes, view: View, attribute: str, name: str, label: str, span: tuple[float, float]) -> None:
    """The chance gap, around the middle between the highest and the lowest rate that are compared."""
    gap = view.gap(name, label, attribute)
    if gap is None or not gap.expected_by_chance:
        return
    middle = sum(view.rate(name, label, attribute, g or "").value or 0.0 for g in (gap.worst, gap.best)) / 2
    left, right = max(middle - gap.expected_by_chance / 2, 0.0), min(middle + gap.expected_by_chance / 2, 1.0)
    ax.add_patch(Rectangle((left, span[0]), right - left, span[1], facecolor=BAND, edgecolor="none", zorder=1))


def place_key(view: View, attribute: str, groups: Sequence[str], width: float) -> tuple[list[tuple[str, float, float]], float]:
    """Where the names of the groups stand above a figure (name, left, top), and how high they are together."""
    x, y = 0.1, 0.14
    found = [("", x, y)]
    x += inches(heading(view, attribute), 7.5) + 0.15
    for group in groups:
        wide = inches(short(group_words(group)), 7.5) + 0.36
        if x + wide > width:
            x, y = 0.1, y + 0.19
        found.append((group, x, y))
        x += wide
    return found, y + 0.1


def draw_key(sheet: Sheet, view: View, attribute: str, key: Sequence[tuple[str, float, float]], *, bars: bool) -> None:
    """The names of the groups above a figure, each after its marker."""
    looks = looks_of(view, attribute)
    for group, x, y in key:
        if not group:
            sheet.text(x, y + 0.04, heading(view, attribute), color=QUIET)
            continue
        look = looks[group]
        dot = Line2D(
            [(x + 0.06) / sheet.width],
            [1 - (sheet.head + y) / sheet.height],
            marker="s" if bars else look.marker,
            color=look.colour,
            markersize=6 if bars else 5.2,
            markeredgecolor="white",
            markeredgewidth=0.4,
            linestyle="none",
            transform=sheet.figure.transFigure,
        )
        sheet.figure.add_artist(dot)
        sheet.text(x + 0.17, y + 0.04, short(group_words(group)))
