"""The pictures of a report. The only module that imports matplotlib and seaborn.

A figure is drawn with matplotlib's objects, never with pyplot's global state, and comes with the table that it shows. The same
audit gives the same bytes: fonts, styles and identifiers are fixed here and no date is written. SVG text stays text (it can be
searched, copied and read aloud, and the file is a third of the size); DejaVu Sans is asked for first, then Verdana, which has
the same widths.

Colour never stands alone: every heatmap cell holds its number, every group has a marker or its name besides its colour.
Colours of groups are Okabe and Ito's without vermilion, yellow, black: no group of people is red where another is green,
and none is painted in a colour that people have been called by.
"""

from __future__ import annotations

import io
import re
import unicodedata
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib.style
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.textpath import text_to_path

from fairfer.audit import Audit, Rate
from fairfer.report import tables
from fairfer.report.narrative import sentence
from fairfer.report.numerals import listed, many, probability, rate, rates_apart, whole
from fairfer.report.people import EVERYONE, UNANNOTATED, capital, faces, group_words, with_source
from fairfer.report.tables import Table
from fairfer.report.view import RATES, SAYS, View, is_found

Section = Literal["overview", "gaps", "rate", "emotion", "bars", "faces"]

FAMILY = "DejaVu Sans"
STYLE: dict[str, Any] = {
    "font.family": [FAMILY],
    "font.size": 8,
    "svg.fonttype": "none",
    "svg.hashsalt": "fairfer",
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

BY_COLOUR = 8
"""Up to so many groups are told apart by colour and marker; more are named on their own line each."""
MOST_GROUPS = 60
"""A picture shows at most so many groups of one grouping, the largest; its table has all."""
MOST_ROWS = 36
"""More rows than this are cut into several pictures, each with whole groupings as far as they go."""
NAME = 30
"""Characters of a name in a picture; the middle of a longer one is left out."""

Block = tuple[str, list[str]]
"""A grouping and those of its groups that a picture shows."""


@dataclass(frozen=True)
class Picture:
    """A finished figure.

    Attributes
    ----------
    name
        File name without suffix.
    section
        Where in the report it stands.
    title
        What it shows, as a statement.
    caption
        One sentence on how to read it.
    table
        The same numbers as text.
    svg, png
        The files.
    size
        Width and height of the SVG in points.
    head
        Height of the title at its top, in points: the report has the title as text, and cuts the picture's own.
    """

    name: str
    section: Section
    title: str
    caption: str
    table: Table
    svg: bytes
    png: bytes
    size: tuple[float, float]
    head: float


def draw(audit: Audit) -> list[Picture]:
    """All figures of an audit, in the report's order."""
    view = View(audit)
    names = _Names()
    with _style():
        return [
            *(p for a in view.groupings or [EVERYONE] for p in _overview(view, a, names)),
            *_gaps(view, names),
            *(p for r in RATES for p in _rate_heatmaps(view, r, names)),
            *(p for label in view.labels for p in _label_heatmaps(view, label, names)),
            *(_bars(view, a, names) for a in view.groupings or [EVERYONE]),
            *_faces(view, names),
        ]


@contextmanager
def _style() -> Iterator[None]:
    """fairfer's own settings over matplotlib's defaults, whatever the user's matplotlibrc says."""
    with matplotlib.style.context(["default", STYLE]), warnings.catch_warnings():
        # A name may be in a script that DejaVu lacks; its box is drawn, and the table beside the figure has the name.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support .* natively", category=UserWarning)
        yield


class _Names:
    """File names: plain ASCII, each once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def __call__(self, *parts: str) -> str:
        plain = [unicodedata.normalize("NFKD", p).encode("ascii", "ignore").decode().casefold() for p in parts]
        name = "-".join(re.sub(r"[^a-z0-9]+", "-", p).strip("-")[:40].strip("-") or "x" for p in plain)
        number, found = 1, name
        while found in self._taken:
            number += 1
            found = f"{name}-{number}"
        self._taken.add(found)
        return found


# Paper and ink


class _Sheet:
    """A figure laid out in inches from its top left corner, with its title at the top.

    Parameters
    ----------
    width, height
        Of everything below the title.
    title
        Broken into as many lines as the width asks for.
    """

    def __init__(self, width: float, height: float, title: str) -> None:
        lines = _broken(title, width - 0.2, 10)
        self.head = 0.2 + 0.19 * len(lines)
        self.width, self.height = width, height + self.head
        self.figure = Figure(figsize=(self.width, self.height))
        for i, line in enumerate(lines):
            self.text(0.1, 0.24 + 0.19 * i - self.head, line, size=10, weight="bold")

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Axes in inches, below the title."""
        bottom = self.height - self.head - top - height
        return self.figure.add_axes((left / self.width, bottom / self.height, width / self.width, height / self.height))

    def text(self, left: float, top: float, text: str, **style: Any) -> None:  # noqa: ANN401 - matplotlib's
        """Text in inches, its baseline at `top` below the title."""
        self.figure.text(left / self.width, 1 - (self.head + top) / self.height, text, **{"size": 7.5, **style})

    def files(self) -> tuple[bytes, bytes]:
        """SVG and PNG."""
        svg, png = io.BytesIO(), io.BytesIO()
        self.figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
        self.figure.savefig(png, format="png", dpi=PNG_DPI, metadata={"Software": None})
        families = f"'{FAMILY}', Verdana, sans-serif"
        return svg.getvalue().replace(f"'{FAMILY}'".encode(), families.encode()), png.getvalue()


def _finish(sheet: _Sheet, name: str, section: Section, title: str, caption: str, table: Table) -> Picture:  # noqa: PLR0913
    svg, png = sheet.files()
    return Picture(name, section, title, caption, table, svg, png, (72 * sheet.width, 72 * sheet.height), 72 * sheet.head)


def _inches(text: str, size: float, weight: str = "normal") -> float:
    width, _, _ = text_to_path.get_text_width_height_descent(text, FontProperties([FAMILY], size=size, weight=weight), ismath=False)
    return float(width) / 72


def _broken(text: str, width: float, size: float) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and _inches(longer, size, "bold") > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def short(name: str) -> str:
    """A name as long as a picture has room for; both ends stay, since that is where long names differ."""
    plain = " ".join(name.split())
    return plain if len(plain) <= NAME else f"{plain[: NAME // 2]}…{plain[-(NAME // 2 - 1) :]}"


# Which groups, in which colour


def _blocks(view: View) -> list[list[Block]]:
    """Everyone and the groupings, dealt onto as many pictures as keep each legible."""
    pages: list[list[Block]] = [[(EVERYONE, [EVERYONE])]]
    for attribute in view.groupings:
        groups = _shown(view, attribute)
        for start in range(0, len(groups), MOST_ROWS):
            part = groups[start : start + MOST_ROWS]
            if sum(len(g) for _, g in pages[-1]) + len(part) > MOST_ROWS:
                pages.append([])
            pages[-1].append((attribute, part))
    return pages


def _shown(view: View, attribute: str) -> list[str]:
    """All groups of a grouping; of very many the largest, in display order."""
    groups = view.groups(attribute)
    if len(groups) <= MOST_GROUPS:
        return groups
    kept = set(sorted(groups, key=lambda g: -view.size(attribute, g))[:MOST_GROUPS])
    return [g for g in groups if g in kept]


def _left_out(view: View, blocks: Sequence[Block]) -> str:
    """What a caption says of groups that the picture has no room for."""
    more = [a for a, _ in blocks if len(view.groups(a)) > MOST_GROUPS]
    return "".join(f" Of {len(view.groups(a))} groups by {a} the {MOST_GROUPS} largest are shown." for a in more)


@dataclass(frozen=True)
class _Look:
    colour: str
    marker: str


def _looks(view: View, attribute: str) -> dict[str, _Look]:
    """Colour and marker of each group: the same in every figure of the report.

    Each attribute has its own stretch of the colours. A group of an intersection has the marker of its first level and the
    colour of its last, as long as that tells all groups apart.
    """
    single: dict[tuple[str, str], _Look] = {}
    start = 0
    for name in dict.fromkeys(n for by in view.audit.settings.by for n in by):
        levels = next((a.levels for a in view.audit.data.attributes if a.name == name), [])
        for i, level in enumerate(levels):
            grey = level == UNANNOTATED
            single[name, level] = _Look("#8C8C8C" if grey else COLOURS[(start + i) % len(COLOURS)], MARKERS[i % len(MARKERS)])
        start += len(levels)
    groups = view.groups(attribute)
    names = attribute.split(",")
    found: dict[str, _Look] = {}
    for i, group in enumerate(groups):
        levels = group.split(",") if len(names) > 1 else [group]
        first, last = single.get((names[0], levels[0])), single.get((names[-1], levels[-1]))
        plain = _Look(COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)])
        found[group] = _Look(last.colour, first.marker) if first and last else plain
    if len(set(found.values())) < len(groups):
        return {g: _Look(COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]) for i, g in enumerate(groups)}
    return found


# Dots


def _overview(view: View, attribute: str, names: _Names) -> list[Picture]:
    groups = _shown(view, attribute)
    table = tables.comparison_table(view, attribute, view.groups(attribute))
    title = _comparison_title(view, attribute)
    caption = (
        f"A dot is a group's rate with its {_per_cent(view)} interval; the grey band is as wide as the gap that chance alone gives, "
        "so a gap that sticks out on both sides is beyond chance. Open dots rest on too few faces and are compared with "
        f"nothing; – is not estimable. n: faces behind the TPR.{_left_out(view, [(attribute, groups)])}"
    )
    name = names("overview", attribute if attribute != EVERYONE else "everyone")
    if len(groups) > BY_COLOUR:
        return [_finish(_lanes(view, attribute, groups, title, "dot"), name, "overview", title, caption, table)]
    wide = _finish(_dots(view, attribute, groups, title), name, "overview", title, caption, table)
    slim = _finish(_slim_dots(view, attribute, groups, title), f"{name}-narrow", "overview", title, caption, table)
    return [wide, slim]


def _per_cent(view: View) -> str:
    return f"{100 * view.audit.settings.confidence:g} %"


def _comparison_title(view: View, attribute: str) -> str:
    """What a comparison shows: its first finding, or that there is none."""
    if attribute == EVERYONE:
        found = [r for label in view.labels if (r := view.rate("TPR", label)).value is not None]
        if not found:
            return "No TPR can be estimated"
        best, worst = max(found, key=lambda r: r.value or 0), min(found, key=lambda r: r.value or 0)
        return f"{capital(best.label)} is found most often (TPR {rate(best.value)}), {worst.label} least ({rate(worst.value)})"
    tested = [g for g in view.tested if g.attribute == attribute and g.label in view.labels]
    mine = [g for g in tested if is_found(g)]
    if mine:
        return sentence(view, mine[0])
    if not tested:
        return f"No gap by {with_source(view.audit, attribute)} could be tested"
    return f"No gap by {with_source(view.audit, attribute)} is beyond what chance gives"


def _scale(view: View, attribute: str, groups: Sequence[str], name: str) -> float:
    """Right end of an axis: 1 for TPR; for FPR, which is small, as far as rates and bands reach."""
    if name == "TPR":
        return 1.0
    found = [view.rate(name, label, attribute, g) for label in view.labels for g in groups]
    far = max((f.value or 0.0 for f in found), default=0.0)
    far = max([far, *(f.high for f in found if f.high is not None and f.status == "ok")])
    return next((end for end in (0.05, 0.1, 0.2, 0.3, 0.5) if far <= end), 1.0)


def _ticks(end: float, most: int = 5) -> list[float]:
    step = next(s for s in (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0) if end / s <= most + 1e-9)
    return [float(t) for t in np.arange(0, end + step / 2, step)]


def _axis(ax: Axes, end: float, most: int = 5, *, grid: bool = True) -> None:
    ticks = _ticks(end, most)
    ax.set_xlim(-0.02 * end, 1.02 * end)
    decimals = 2 if any(round(100 * t) % 10 for t in ticks) else 1
    ax.set_xticks(ticks, [f"{t:.{decimals}f}".removeprefix("0") if 0 < t < 1 else f"{t:.0f}" for t in ticks])
    if grid:
        ax.grid(axis="x", color="#ebebeb", linewidth=0.6)
        ax.set_axisbelow(True)


def _panel(  # noqa: PLR0913 - a panel is drawn from exactly these
    ax: Axes, view: View, attribute: str, groups: Sequence[str], name: str, at: dict[str, float], lane: float, end: float
) -> None:
    """Dots of one rate: labels at the heights `at`, groups in lanes below one another, chance bands behind."""
    looks = _looks(view, attribute)
    middle = (len(groups) - 1) / 2
    for label, y in at.items():
        _band(ax, view, attribute, name, label, (y - (middle + 0.75) * lane, (2 * middle + 1.5) * lane))
    for i, group in enumerate(groups):
        look = looks[group]
        found = [(view.rate(name, label, attribute, group), y + (i - middle) * lane) for label, y in at.items()]
        _marks(ax, found, look)


def _marks(ax: Axes, found: Sequence[tuple[Rate, float]], look: _Look, size: float = 4.6) -> None:
    """Dots with intervals; open ones where there are too few faces, a dash where there is nothing."""
    for status, fill in (("ok", look.colour), ("small", "white")):
        these = [(r, y) for r, y in found if r.status == status and r.value is not None]
        if not these:
            continue
        y = [y for _, y in these]
        quiet = status == "small"
        low, high = [r.low or 0.0 for r, _ in these], [r.high if r.high is not None else 1.0 for r, _ in these]
        ax.hlines(y, low, high, color=look.colour, linewidth=0.8 if quiet else 1.5, alpha=0.55 if quiet else 1.0)
        x = [r.value or 0.0 for r, _ in these]
        style = {"markersize": size, "markeredgecolor": look.colour if quiet else "white", "markeredgewidth": 0.9 if quiet else 0.5}
        ax.plot(x, y, look.marker, color=fill, markerfacecolor=fill, clip_on=False, zorder=3, **style)
    for r, y in found:
        if r.value is None:
            ax.text(0, y, "–", ha="center", va="center", color=QUIET, size=7)


def _band(ax: Axes, view: View, attribute: str, name: str, label: str, span: tuple[float, float]) -> None:
    """The chance gap, around the middle between the highest and the lowest rate that are compared."""
    gap = view.gap(name, label, attribute)
    if gap is None or not gap.chance:
        return
    ends = [view.rate(name, label, attribute, g).value or 0.0 for g in (gap.worst or "", gap.best or "")]
    left = sum(ends) / 2 - gap.chance / 2
    right = max(left, 0.0), min(left + gap.chance, 1.0)
    ax.add_patch(Rectangle((right[0], span[0]), right[1] - right[0], span[1], facecolor=BAND, edgecolor="none", zorder=1))


def _legend(sheet: _Sheet, view: View, attribute: str, groups: Sequence[str], left: float, *, mark: str = "dot") -> float:  # noqa: PLR0913
    """Groups with their colours and markers, in rows below the title; returns the height it takes."""
    looks = _looks(view, attribute)
    size = 7.5
    x, y = left, 0.14
    heading = short(with_source(view.audit, attribute)) if attribute == EVERYONE else with_source(view.audit, attribute)
    sheet.text(x, y + 0.05, heading, color=QUIET)
    x += _inches(heading, size) + 0.2
    for group in groups:
        text = short(group_words(group))
        wide = _inches(text, size) + 0.42
        if x + wide > sheet.width:
            x, y = left, y + 0.19
        look = looks[group]
        if mark == "dot":
            artist: Any = Line2D([(x + 0.06) / sheet.width], [1 - (sheet.head + y) / sheet.height], marker=look.marker, color=look.colour,
                                 markersize=5.2, markeredgecolor="white", markeredgewidth=0.4, linestyle="none",
                                 transform=sheet.figure.transFigure)
        else:
            artist = Rectangle((x / sheet.width, 1 - (sheet.head + y + 0.05) / sheet.height), 0.12 / sheet.width, 0.1 / sheet.height,
                               facecolor=look.colour, transform=sheet.figure.transFigure)
        sheet.figure.add_artist(artist)
        sheet.text(x + 0.17, y + 0.05, text)
        x += wide
    return y + 0.12
