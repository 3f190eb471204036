"""Style of every figure, and the color and marker of each group.

Text in an SVG stays text, so that it can be searched, copied and read aloud, and the file is a third of the size. DejaVu Sans
is the first font requested, then Verdana, which has the same widths.

Color never carries information alone: every cell of a heatmap has its number, and every group also has a marker or its name.
Group colors are those of Okabe and Ito (2008) without vermilion, yellow and black: no group is red where another is green,
and no color is one that has been used as a name for people.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import matplotlib.style
import numpy as np
from matplotlib.colors import to_hex, to_rgb

from fairfer.vocabulary import UNANNOTATED

if TYPE_CHECKING:
    from fairfer.report.view import View
    from fairfer.vocabulary import Group, Grouping


FAMILY = "DejaVu Sans"
STYLE: dict[str, Any] = {
    "font.family": [FAMILY],
    "font.size": 8,
    "svg.fonttype": "none",
    "svg.hashsalt": "fairfer",
    "text.hinting": "none",
    "text.parse_math": False,
    "axes.edgecolor": "#8a8a8a",
    "axes.labelcolor": "#333333",
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.unicode_minus": True,
    "figure.facecolor": "white",
    "hatch.linewidth": 0.6,
    "text.color": "#1a1a1a",
    "xtick.color": "#333333",
    "xtick.labelsize": 7.5,
    "xtick.major.size": 2.5,
    "xtick.major.width": 0.6,
    "ytick.color": "#1a1a1a",
    "ytick.labelsize": 8,
    "ytick.major.size": 0,
}
PNG_DPI = 144
HEATMAP_COLORS = "cividis"
COLORS = ("#0072B2", "#E69F00", "#56B4E9", "#CC79A7", "#009E73", "#8C8C8C")
"""Blue, orange, sky blue, reddish purple, bluish green (Okabe and Ito 2008), gray."""
GRAY = COLORS[-1]
MARKERS = ("o", "D", "s", "^", "v", "P", "X", "p")
INK, MUTED, BAND, FAINT = "#1a1a1a", "#5c5c5c", "#dcdcdc", "#f5f5f5"
GRID, SEPARATOR = "#ebebeb", "#e2e2e2"
HATCH = "#c4c4c4"


@contextmanager
def figure_style() -> Iterator[None]:
    """Fairfer's style over matplotlib's defaults, whatever the user's matplotlibrc sets."""
    with matplotlib.style.context(["default", STYLE]), warnings.catch_warnings():
        # A name may be in a script that DejaVu lacks: its box is drawn, and the table beside the figure has the name.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support .* natively", category=UserWarning)
        yield


@dataclass(frozen=True)
class GroupStyle:
    """Color and marker of a group."""

    color: str
    marker: str


def group_styles(view: View, grouping: Grouping) -> dict[Group, GroupStyle]:
    """Color and marker of each group of a grouping: the same in every figure of the report.

    Each attribute has its own range of the colors. A group of an intersection has the marker of its first level and a shade
    of the color of its last, as long as that distinguishes all groups.
    """
    names, groups = grouping, view.groups(grouping)
    by_position = {g: _style_at(i) for i, g in enumerate(groups)}
    if not names:
        return by_position
    levels = _level_styles(view)
    styles: dict[Group, GroupStyle] = {}
    for group in groups:
        group_levels = group
        first, last = levels.get((names[0], group_levels[0])), levels.get((names[-1], group_levels[-1]))
        if first is None or last is None:
            styles[group] = by_position[group]
        elif len(names) > 1:
            styles[group] = GroupStyle(_shade(last.color, first.marker), first.marker)
        else:
            styles[group] = first
    return styles if len(set(styles.values())) == len(groups) else by_position


def _level_styles(view: View) -> dict[tuple[str, str], GroupStyle]:
    """Style of each level, by attribute and level."""
    styles: dict[tuple[str, str], GroupStyle] = {}
    start = 0
    for name in dict.fromkeys(n for by in view.audit.plan.by for n in by):
        levels = next((a.levels for a in view.audit.data.attributes if a.name == name), [])
        for i, level in enumerate(levels):
            color = GRAY if level == UNANNOTATED else COLORS[(start + i) % len(COLORS)]
            styles[name, level] = GroupStyle(color, MARKERS[i % len(MARKERS)])
        start += len(levels)
    return styles


def _style_at(position: int) -> GroupStyle:
    return GroupStyle(COLORS[position % len(COLORS)], MARKERS[position % len(MARKERS)])


def _shade(color: str, marker: str) -> str:
    """A color made darker or lighter by marker, because bars have no markers and need distinct colors."""
    target, share = (("white", 0.0), ("black", 0.4), ("white", 0.5))[MARKERS.index(marker) % 3]
    mixed = np.array(to_rgb(color)) * (1 - share) + np.array(to_rgb(target)) * share
    return to_hex((float(mixed[0]), float(mixed[1]), float(mixed[2]))).upper()
