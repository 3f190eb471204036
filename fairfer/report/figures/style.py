"""Style: the plan of every figure, and the colour and marker of each group.

SVG text stays text (it can be searched, copied and read aloud, and the file is a third of the size); DejaVu Sans is asked for
first, then Verdana, which has the same widths.

Colour never stands alone: every heatmap cell holds its number, every group has a marker or its name besides its colour.
Colours of groups are Okabe and Ito's without vermilion, yellow, black: no group of people is red where another is green,
and none is painted in a colour that people have been called by.
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

from fairfer.report.text.groups import UNANNOTATED

if TYPE_CHECKING:
    from fairfer.report.view import View


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
MAP = "cividis"
COLOURS = ("#0072B2", "#E69F00", "#56B4E9", "#CC79A7", "#009E73", "#8C8C8C")
"""Blue, orange, sky blue, reddish purple, bluish green (Okabe and Ito 2008), grey."""
MARKERS = ("o", "D", "s", "^", "v", "P", "X", "p")
INK, QUIET, BAND, FAINT = "#1a1a1a", "#5c5c5c", "#dcdcdc", "#f5f5f5"
HATCH = "#c4c4c4"


@contextmanager
def house_style() -> Iterator[None]:
    """Fairfer's own plan over matplotlib's defaults, whatever the user's matplotlibrc says."""
    with matplotlib.style.context(["default", STYLE]), warnings.catch_warnings():
        # A name may be in a script that DejaVu lacks; its box is drawn, and the table beside the figure has the name.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support .* natively", category=UserWarning)
        yield


@dataclass(frozen=True)
class Look:
    """Colour and marker of a group."""

    colour: str
    marker: str


def looks_of(view: View, attribute: str) -> dict[str, Look]:
    """Colour and marker of each group: the same in every figure of the report.

    Each attribute has its own stretch of the colours. A group of an intersection has the marker of its first level and a shade
    of the colour of its last, as long as that tells all groups apart.
    """
    single: dict[tuple[str, str], Look] = {}
    start = 0
    for name in dict.fromkeys(n for by in view.audit.plan.by for n in by):
        levels = next((a.levels for a in view.audit.data.attributes if a.name == name), [])
        for i, level in enumerate(levels):
            grey = level == UNANNOTATED
            single[name, level] = Look("#8C8C8C" if grey else COLOURS[(start + i) % len(COLOURS)], MARKERS[i % len(MARKERS)])
        start += len(levels)
    groups = view.groups(attribute)
    names = attribute.split(",")
    found: dict[str, Look] = {}
    for i, group in enumerate(groups):
        levels = group.split(",") if len(names) > 1 else [group]
        first, last = single.get((names[0], levels[0])), single.get((names[-1], levels[-1]))
        plain = Look(COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)])
        found[group] = (
            Look(_shaded(last.colour, first.marker if len(names) > 1 else ""), first.marker) if first and last else plain
        )
    if len(set(found.values())) < len(groups):
        return {g: Look(COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]) for i, g in enumerate(groups)}
    return found


def _shaded(colour: str, marker: str) -> str:
    """A colour of an intersection: darker or paler by its marker, so that bars, which have none, can be told apart too."""
    step = MARKERS.index(marker) % 3 if marker else 0
    towards, part = {0: ("white", 0.0), 1: ("black", 0.4), 2: ("white", 0.5)}[step]
    mixed = np.array(to_rgb(colour)) * (1 - part) + np.array(to_rgb(towards)) * part
    return to_hex((float(mixed[0]), float(mixed[1]), float(mixed[2])))
