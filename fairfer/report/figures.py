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
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import matplotlib.style
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.textpath import text_to_path

from fairfer.report import tables
from fairfer.report.narrative import sentence
from fairfer.report.numerals import DASH, listed, many, probability, rate, whole
from fairfer.report.people import EVERYONE, UNANNOTATED, capital, faces, group_words, with_source
from fairfer.report.view import RATES, SAYS, View, is_found

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fairfer.report.tables import Table
    from fairfer.result import Audit, Rate

Section = Literal["overview", "gaps", "rate", "emotion", "bars", "faces"]

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

BY_COLOUR = 8
"""Up to so many groups are told apart by colour and marker; more are named on their own line each."""
MOST_GROUPS = 36
"""A picture shows at most so many groups of one grouping, the largest; its table has all."""
MOST_ROWS = 36
"""More rows than this are cut into several pictures, each with whole groupings as far as they go."""
_PANELS = {"TPR": "TPR: share of these faces that is found", "FPR": "FPR: share of all other faces wrongly read so"}
_ABREAST = 8
"""Columns of labels beside one another."""
_MOST_GAPS = 20
_BAR, _WIDEST = 0.13, 13.0
"""Inches of one bar, and of the widest picture with bars side by side."""
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
    attribute
        The grouping that an overview compares.
    slim
        The same figure for a narrow screen.
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
    attribute: str = ""
    slim: Picture | None = None


def draw(audit: Audit) -> list[Picture]:
    """All figures of an audit, in the report's order."""
    view = View(audit)
    names = _Names()
    with _style():
        return [
            *(_overview(view, a, names) for a in view.groupings or [EVERYONE]),
            *_gaps(view, names),
            *(p for r in RATES for p in _rate_heatmaps(view, r, names)),
            *(p for label in view.labels for p in _label_heatmaps(view, label, names)),
            *(_bars(view, a, names) for a in view.groupings or [EVERYONE]),
            *_faces(view, names),
        ]


@contextmanager
def _style() -> Iterator[None]:
    """Fairfer's own settings over matplotlib's defaults, whatever the user's matplotlibrc says."""
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
        self.figure.text(left / self.width, 1 - (self.head + top) / self.height, _printable(text), **{"size": 7.5, **style})

    def files(self) -> tuple[bytes, bytes]:
        """SVG and PNG."""
        svg, png = io.BytesIO(), io.BytesIO()
        self.figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
        self.figure.savefig(png, format="png", dpi=PNG_DPI, metadata={"Software": None}, pil_kwargs={"compress_level": 4})
        families = f"'{FAMILY}', Verdana, sans-serif"
        return svg.getvalue().replace(f"'{FAMILY}'".encode(), families.encode()), png.getvalue()


def _finish(sheet: _Sheet, name: str, section: Section, title: str, caption: str, table: Table) -> Picture:
    svg, png = sheet.files()
    return Picture(name, section, title, caption, table, svg, png, (72 * sheet.width, 72 * sheet.height), 72 * sheet.head)


@cache
def _inches(text: str, size: float, weight: str = "normal") -> float:
    width, _, _ = text_to_path.get_text_width_height_descent(
        text, FontProperties(family=[FAMILY], size=size, weight=weight), ismath=False
    )
    return float(width) / 72


def _broken(text: str, width: float, size: float) -> list[str]:
    lines = [""]
    for word in map(short, text.split()):
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and _inches(longer, size, "bold") > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _printable(text: str) -> str:
    """Characters that XML cannot hold would make a broken picture of the whole figure."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def short(name: str) -> str:
    """A name as long as a picture has room for; both ends stay, since that is where long names differ."""
    plain = _printable(" ".join(name.split()))
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
    """Colour and marker of a group."""

    colour: str
    marker: str


def _looks(view: View, attribute: str) -> dict[str, _Look]:
    """Colour and marker of each group: the same in every figure of the report.

    Each attribute has its own stretch of the colours. A group of an intersection has the marker of its first level and a shade
    of the colour of its last, as long as that tells all groups apart.
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
        found[group] = (
            _Look(_shaded(last.colour, first.marker if len(names) > 1 else ""), first.marker) if first and last else plain
        )
    if len(set(found.values())) < len(groups):
        return {g: _Look(COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]) for i, g in enumerate(groups)}
    return found


def _shaded(colour: str, marker: str) -> str:
    """A colour of an intersection: darker or paler by its marker, so that bars, which have none, can be told apart too."""
    step = MARKERS.index(marker) % 3 if marker else 0
    towards, part = {0: ("white", 0.0), 1: ("black", 0.4), 2: ("white", 0.5)}[step]
    mixed = np.array(to_rgb(colour)) * (1 - part) + np.array(to_rgb(towards)) * part
    return to_hex((float(mixed[0]), float(mixed[1]), float(mixed[2])))


# Groups side by side: dots and bars


def _overview(view: View, attribute: str, names: _Names) -> Picture:
    groups = _shown(view, attribute)
    table = tables.comparison_table(view, attribute, view.groups(attribute))
    title = _comparison_title(view, attribute)
    name = names("overview", "everyone" if attribute == EVERYONE else attribute)
    caption = f"Dot: a group's rate; line: its {_per_cent(view)} interval. "
    if any(g.attribute == attribute for g in view.tested):
        caption += (
            "Grey band: as wide as chance alone makes the gap; dots outside of it at both ends are farther apart than that, "
            "and where this holds among all the gaps tested, q is given. "
        )
    caption += f"Open dot: too few faces, compared with nothing. {DASH}: not estimable. "
    caption += "In brackets: all faces of the group." if len(groups) > BY_COLOUR else "n: faces behind the TPR."
    caption += _left_out(view, [(attribute, groups)])
    if len(groups) > BY_COLOUR:
        named = _finish(_lanes(view, attribute, groups, title, bars=False), name, "overview", title, caption, table)
        return replace(named, attribute=attribute)
    wide = _finish(_dots(view, attribute, groups, title), name, "overview", title, caption, table)
    slim = _finish(_dots(view, attribute, groups, title, slim=True), names(name, "narrow"), "overview", title, caption, table)
    return replace(wide, attribute=attribute, slim=slim)


def _bars(view: View, attribute: str, names: _Names) -> Picture:
    groups = _shown(view, attribute)
    table = tables.comparison_table(view, attribute, view.groups(attribute))
    title = _widest(view, attribute)
    caption = (
        f"Bars are rates, the thin lines their {_per_cent(view)} intervals. Pale hatched bars rest on too few faces; "
        f"{DASH} is not estimable.{_left_out(view, [(attribute, groups)])}"
    )
    slot = _BAR * len(groups) + 0.3
    if len(groups) > BY_COLOUR or slot * len(view.labels) > _WIDEST:
        sheet = _lanes(view, attribute, groups, title, bars=True)
    else:
        sheet = _columns(view, attribute, groups, title, slot)
    return _finish(sheet, names("bars", "everyone" if attribute == EVERYONE else attribute), "bars", title, caption, table)


def _widest(view: View, attribute: str) -> str:
    """For which label the groups' TPR and FPR are farthest apart; for everyone together, the extremes."""
    if attribute == EVERYONE:
        return f"TPR: {_extremes(view, 'TPR')}; FPR: {_extremes(view, 'FPR')}"
    parts = []
    for name in ("TPR", "FPR"):
        spans = []
        for label in view.labels:
            known = [
                r.value or 0.0 for g in view.groups(attribute) if (r := view.rate(name, label, attribute, g)).status == "ok"
            ]
            if len(known) > 1:
                spans.append((max(known) - min(known), label, f"{rate(min(known))} to {rate(max(known))}"))
        if spans:
            _, label, texts = max(spans, key=lambda s: s[0])
            parts.append(f"{name} differs most for {label} ({texts})")
    about = with_source(view.audit, attribute)
    return f"By {about} {', '.join(parts)}" if parts else f"TPR and FPR by {about}: too few faces to compare groups"


def _per_cent(view: View) -> str:
    return f"{100 * view.audit.settings.confidence:g} %"


def _comparison_title(view: View, attribute: str) -> str:
    """What a comparison shows: its first finding, or that there is none."""
    if attribute == EVERYONE:
        return _extremes(view, "TPR")
    tested = [g for g in view.tested if g.attribute == attribute and g.label in view.labels]
    mine = [g for g in tested if is_found(g)]
    if mine:
        return sentence(view, mine[0])
    if not tested:
        return f"No gap by {with_source(view.audit, attribute)} could be tested"
    return f"No gap by {with_source(view.audit, attribute)} is beyond what chance gives"


def _end(view: View, attribute: str, groups: Sequence[str], name: str) -> float:
    """Right end of an axis: 1 for TPR; for FPR, which is small, as far as rates and intervals reach."""
    if name == "TPR":
        return 1.0
    found = [view.rate(name, label, attribute, g) for label in view.labels for g in groups]
    far = max([0.0, *(f.value for f in found if f.value is not None), *(f.high or 0.0 for f in found if f.status == "ok")])
    return next((end for end in (0.05, 0.1, 0.2, 0.3, 0.4, 0.5) if far <= end), 1.0)


def _ticks(end: float, most: int) -> tuple[list[float], list[str]]:
    step = next(s for s in (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0) if end / s <= most + 1e-9)
    ticks = [float(t) for t in np.arange(0, end + step / 2, step)]
    decimals = 2 if any(round(100 * t) % 10 for t in ticks) else 1
    return ticks, ["0" if t == 0 else "1" if t == 1 else f"{t:.{decimals}f}".removeprefix("0") for t in ticks]


def _axis(ax: Axes, end: float, most: int) -> None:
    ticks, texts = _ticks(end, most)
    ax.set_xlim(-0.02 * end, 1.02 * end)
    ax.set_xticks(ticks, texts)
    ax.grid(axis="x", color="#ebebeb", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)


def _dots(view: View, attribute: str, groups: list[str], title: str, *, slim: bool = False) -> _Sheet:
    """A row per label, a lane per group; TPR at the left, FPR at the right. `slim`: names above the rows, for a telephone."""
    width = 3.5 if slim else 9.6
    names = {label: short(label) for label in view.labels}
    lane = 0.15 if len(groups) <= 4 else 0.125  # noqa: PLR2004 - where a row would grow tall
    head = 0.24 if slim else 0.0
    row = max(len(groups) * lane + 0.17, 0.3) + head
    left = 0.1 if slim else 0.3 + max(_inches(n, 8, "bold") for n in names.values())
    key, top = _key(view, attribute, groups, width)
    top += 0.32
    height = row * len(names)
    sheet = _Sheet(width, top + height + 0.3, title)
    _draw_key(sheet, view, attribute, key, bars=False)
    room = (width - left - (0.3 if slim else 1.75)) / (1.0 if slim else 1.75)
    panels = {"TPR": (left, room * (0.56 if slim else 1.0))}
    panels["FPR"] = (left + panels["TPR"][1] + (0.2 if slim else 1.1), room * (0.44 if slim else 0.75))
    for name, (x, wide) in panels.items():
        ax = sheet.axes(x, top, wide, height)
        ax.set_ylim(height, 0)
        end = _end(view, attribute, groups, name)
        _axis(ax, end, 2 if slim else 5)
        sheet.text(
            x,
            top - 0.08,
            name if slim else f"{_PANELS[name]}",
            color=QUIET,
            weight="bold" if slim else "normal",
        )
        for i, label in enumerate(names):
            y = row * i + head + (row - head) / 2
            if i:
                ax.axhline(row * i, color="#e2e2e2", linewidth=0.6)
            _band(ax, view, attribute, name, label, (y - (row - head) / 2 + 0.03, row - head - 0.06))
            gap = view.gap(name, label, attribute)
            if gap and is_found(gap):
                where = (x + wide, row * i + 0.17) if slim else (x + wide + (0.85 if name == "TPR" else 0.55), y + 0.03)
                sheet.text(where[0], top + where[1], probability("q", gap.q), weight="bold", ha="right")
        for i, group in enumerate(groups):
            at = [
                (view.rate(name, label, attribute, group), row * k + head + (row - head) / 2) for k, label in enumerate(names)
            ]
            shift = (i - (len(groups) - 1) / 2) * lane
            _marks(ax, [(r, y + shift) for r, y in at], _looks(view, attribute)[group])
    after = panels["TPR"][0] + panels["TPR"][1] + 0.4
    if not slim:
        sheet.text(after, top - 0.08, "n", color=QUIET, ha="right")
    for i, (label, text) in enumerate(names.items()):
        y = top + row * i
        if slim:
            sheet.text(left, y + 0.17, text, size=8, weight="bold")
            continue
        sheet.text(left - 0.12, y + row / 2 + 0.04, text, size=8, ha="right")
        for k, group in enumerate(groups):
            shift = (k - (len(groups) - 1) / 2) * lane
            count = view.rate("TPR", label, attribute, group).denominator
            sheet.text(after, y + row / 2 + shift + 0.033, whole(count or 0), size=6.5, ha="right", color=QUIET)
    return sheet


def _marks(ax: Axes, found: Sequence[tuple[Rate, float]], look: _Look) -> None:
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


def _band(ax: Axes, view: View, attribute: str, name: str, label: str, span: tuple[float, float]) -> None:
    """The chance gap, around the middle between the highest and the lowest rate that are compared."""
    gap = view.gap(name, label, attribute)
    if gap is None or not gap.chance:
        return
    middle = sum(view.rate(name, label, attribute, g or "").value or 0.0 for g in (gap.worst, gap.best)) / 2
    left, right = max(middle - gap.chance / 2, 0.0), min(middle + gap.chance / 2, 1.0)
    ax.add_patch(Rectangle((left, span[0]), right - left, span[1], facecolor=BAND, edgecolor="none", zorder=1))


def _key(view: View, attribute: str, groups: Sequence[str], width: float) -> tuple[list[tuple[str, float, float]], float]:
    """Where the names of the groups stand above a figure (name, left, top), and how high they are together."""
    x, y = 0.1, 0.14
    found = [("", x, y)]
    x += _inches(_heading(view, attribute), 7.5) + 0.15
    for group in groups:
        wide = _inches(short(group_words(group)), 7.5) + 0.36
        if x + wide > width:
            x, y = 0.1, y + 0.19
        found.append((group, x, y))
        x += wide
    return found, y + 0.1


def _heading(view: View, attribute: str) -> str:
    return "" if attribute == EVERYONE else f"{with_source(view.audit, attribute)}:"


def _draw_key(sheet: _Sheet, view: View, attribute: str, key: Sequence[tuple[str, float, float]], *, bars: bool) -> None:
    looks = _looks(view, attribute)
    for group, x, y in key:
        if not group:
            sheet.text(x, y + 0.04, _heading(view, attribute), color=QUIET)
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


def _columns(view: View, attribute: str, groups: list[str], title: str, slot: float) -> _Sheet:
    """Grouped bars, a panel for TPR over one for FPR."""
    width = max(slot * len(view.labels) + 0.75, 6.5)
    slot = (width - 0.75) / len(view.labels)
    bar = (slot - 0.3 * slot / (_BAR * len(groups) + 0.3)) / len(groups)
    key, top = _key(view, attribute, groups, width)
    foot, angle = _feet([short(n) for n in view.labels], slot)
    high = 1.5
    sheet = _Sheet(width, top + 2 * (high + 0.4) + foot, title)
    _draw_key(sheet, view, attribute, key, bars=True)
    looks = _looks(view, attribute)
    for panel, name in enumerate(("TPR", "FPR")):
        ax = sheet.axes(0.6, top + 0.3 + panel * (high + 0.4), width - 0.75, high)
        end = _end(view, attribute, groups, name)
        sheet.text(0.6, top + 0.24 + panel * (high + 0.4), f"{_PANELS[name]}", color=QUIET)
        ax.set_xlim(0, slot * len(view.labels))
        ax.set_ylim(0, end * 1.02)
        ax.set_yticks(*_ticks(end, 5))
        ax.grid(axis="y", color="#ebebeb", linewidth=0.6)
        ax.set_axisbelow(True)
        at = [slot * (i + 0.5) for i in range(len(view.labels))]
        ax.set_xticks(at, [_folded(short(n), slot, angle) for n in view.labels] if panel else [""] * len(at))
        ax.tick_params(axis="x", length=0)
        if panel and angle:
            for text in ax.get_xticklabels():
                text.set(rotation=angle, ha="right", rotation_mode="anchor")
        for i, group in enumerate(groups):
            shift = (i - (len(groups) - 1) / 2) * bar
            _upright(
                ax,
                [(view.rate(name, n, attribute, group), x + shift) for n, x in zip(view.labels, at, strict=True)],
                looks[group],
                bar,
            )
    return sheet


def _upright(ax: Axes, found: Sequence[tuple[Rate, float]], look: _Look, bar: float) -> None:
    for status in ("ok", "small"):
        these = [(r, x) for r, x in found if r.status == status and r.value is not None]
        if not these:
            continue
        quiet = status == "small"
        at, value = [x for _, x in these], [r.value or 0.0 for r, _ in these]
        paint: dict[str, Any] = {"color": FAINT, "edgecolor": look.colour, "hatch": "////"} if quiet else {"color": look.colour}
        ax.bar(at, value, width=bar * 0.9, linewidth=0.5, **paint)
        ax.vlines(
            at,
            [r.low or 0.0 for r, _ in these],
            [r.high or 0.0 for r, _ in these],
            color=INK,
            linewidth=0.8,
            alpha=0.4 if quiet else 0.9,
        )
    for r, x in found:
        if r.value is None:
            ax.text(x, 0, DASH, ha="center", va="bottom", color=QUIET, size=7)


def _feet(labels: Sequence[str], slot: float) -> tuple[float, float]:
    """Height of the labels below (or above) columns of this width, and the angle at which they fit."""
    words = max(_inches(w, 8) for label in labels for w in [*label.split(), ""])
    if words <= slot - 0.04:
        return 0.14 * max(len(_broken(label, slot - 0.04, 8)) for label in labels) + 0.1, 0.0
    return 0.7 * max(_inches(label, 8) for label in labels) + 0.2, 45.0


def _folded(label: str, slot: float, angle: float) -> str:
    return label if angle else "\n".join(_broken(label, slot - 0.04, 8))


def _lanes(view: View, attribute: str, groups: list[str], title: str, *, bars: bool) -> _Sheet:
    """For many groups: each has its own line, named at the left; a column per label; TPR above FPR."""
    names = [f"{short(group_words(g))} ({view.size(attribute, g):,})" for g in groups]
    left = 0.25 + max(_inches(n, 7.5) for n in names)
    per_row = [view.labels[i : i + _ABREAST] for i in range(0, len(view.labels), _ABREAST)]
    column, lane = 0.98, 0.17
    high = lane * len(groups) + 0.1
    strip = high + 0.85
    sheet = _Sheet(left + column * min(len(view.labels), _ABREAST) + 0.15, 0.2 + strip * 2 * len(per_row), title)
    sheet.text(0.1, 0.18, _heading(view, attribute).rstrip(":"), color=QUIET)
    looks = _looks(view, attribute)
    strips = [(name, labels) for name in ("TPR", "FPR") for labels in per_row]
    for number, (name, labels) in enumerate(strips):
        top = 0.2 + strip * number + 0.55
        end = _end(view, attribute, groups, name)
        sheet.text(left, top - 0.36, f"{_PANELS[name]}", color=QUIET)
        for i, text in enumerate(names):
            sheet.text(left - 0.1, top + 0.05 + lane * (i + 0.5) + 0.035, text, ha="right")
        for k, label in enumerate(labels):
            ax = sheet.axes(left + column * k, top, column - 0.14, high)
            ax.set_ylim(high, 0)
            _axis(ax, end, 2)
            sheet.text(left + column * k, top - 0.07, _cut(label, column - 0.1), weight="bold")
            gap = None if bars else view.gap(name, label, attribute)
            if gap:
                _band(ax, view, attribute, name, label, (0, high))
            if gap and is_found(gap):
                sheet.text(left + column * k, top - 0.2, probability("q", gap.q), weight="bold")
            for i, group in enumerate(groups):
                y, found = 0.05 + lane * (i + 0.5), view.rate(name, label, attribute, group)
                if bars:
                    _level(ax, found, y, looks[group], lane)
                else:
                    _marks(ax, [(found, y)], looks[group])
    return sheet


def _level(ax: Axes, found: Rate, y: float, look: _Look, lane: float) -> None:
    if found.value is None:
        ax.text(0, y, DASH, ha="center", va="center", color=QUIET, size=7)
        return
    quiet = found.status == "small"
    paint: dict[str, Any] = {"color": FAINT, "edgecolor": look.colour, "hatch": "////"} if quiet else {"color": look.colour}
    ax.barh(y, found.value, height=lane * 0.8, linewidth=0.5, **paint)
    ax.hlines(y, found.low or 0.0, found.high or 0.0, color=INK, linewidth=0.8, alpha=0.4 if quiet else 0.9)


def _cut(text: str, width: float) -> str:
    """A name cut to a width, for a column's head."""
    text = short(text)
    while len(text) > 2 and _inches(text, 7.5, "bold") > width:  # noqa: PLR2004 - something must be left
        text = text[:-2] + "…"
    return text


# Heatmaps


def _rate_heatmaps(view: View, name: str, names: _Names) -> list[Picture]:
    pictures = []
    for blocks in _blocks(view):
        title = (
            f"{name}: {_extremes(view, name)}"
            if len(_blocks(view)) == 1
            else f"{name}: {_extremes(view, name)} ({_by(blocks)})"
        )
        caption = f"{name}, the {RATES[name]}: {SAYS[name]}. {_cells(view)}{_left_out(view, blocks)}"
        cells = {(a, g): [view.rate(name, label, a, g) for label in view.labels] for a, groups in blocks for g in groups}
        sheet = _heatmap(view, blocks, view.labels, cells, title, RATES[name])
        table = tables.rate_table(view, name, _whole(view, blocks))
        pictures.append(_finish(sheet, names("rate", name), "rate", title, caption, table))
    return pictures


def _label_heatmaps(view: View, label: str, names: _Names) -> list[Picture]:
    pictures = []
    for blocks in _blocks(view):
        title = f"{capital(label)}: {_spread(view, label)}" + ("" if len(_blocks(view)) == 1 else f" ({_by(blocks)})")
        caption = f"Error rates of {faces(label)}, one against the rest. {_cells(view)}{_left_out(view, blocks)}"
        cells = {(a, g): [view.rate(name, label, a, g) for name in RATES] for a, groups in blocks for g in groups}
        sheet = _heatmap(view, blocks, list(RATES), cells, title, "rate")
        table = tables.label_table(view, label, _whole(view, blocks))
        pictures.append(
            _finish(sheet, names("emotion" if view.noun == "emotion" else "label", label), "emotion", title, caption, table)
        )
    return pictures


def _cells(view: View) -> str:
    least = many(view.audit.settings.minimum, "face")
    return f"Below each rate: how many of how many faces. Hatched: fewer than {least}. {DASH}: no face to estimate it from."


def _by(blocks: Sequence[Block]) -> str:
    return "; ".join("everyone" if a == EVERYONE else a.replace(",", " and ") for a, _ in blocks)


def _whole(view: View, blocks: Sequence[Block]) -> list[Block]:
    """For the table of a picture: with the groups that the picture has no room for, once."""
    return [(a, view.groups(a) if len(view.groups(a)) > MOST_GROUPS and g[0] == _shown(view, a)[0] else g) for a, g in blocks]


def _extremes(view: View, name: str) -> str:
    """For which label a rate is highest and lowest, over everyone."""
    found = [r for label in view.labels if (r := view.rate(name, label)).status == "ok"]
    if not found:
        return f"too few faces of every {view.noun}"
    high, low = max(found, key=lambda r: r.value or 0.0), min(found, key=lambda r: r.value or 0.0)
    does = {
        "TPR": ("is found most often", "least"),
        "FPR": ("is most often read wrongly", "least"),
        "TNR": ("is most surely ruled out", "least"),
        "FNR": ("is missed most often", "least"),
    }[name]
    if high.label == low.label or high.value == low.value:
        return f"{rate(high.value)} for {'every ' + view.noun if len(found) > 1 else high.label}"
    return f"{high.label} {does[0]} ({rate(high.value)}), {low.label} {does[1]} ({rate(low.value)})"


def _spread(view: View, label: str) -> str:
    """How far the groups of the first grouping are apart in TPR and FPR."""
    for attribute in view.groupings:
        parts = []
        for name in ("TPR", "FPR"):
            known = [r for g in view.groups(attribute) if (r := view.rate(name, label, attribute, g)).status == "ok"]
            if len(known) > 1:
                low, high = min(known, key=lambda r: r.value or 0.0), max(known, key=lambda r: r.value or 0.0)
                texts = rate(low.value), rate(high.value)
                if texts[0] == texts[1]:
                    parts.append(f"{name} {texts[0]} for each group")
                else:
                    parts.append(f"{name} {texts[0]} ({group_words(low.group)}) to {texts[1]} ({group_words(high.group)})")
        if parts:
            return ", ".join(parts)
    overall = [f"{name} {rate(view.rate(name, label).value)}" for name in ("TPR", "FPR")]
    return f"{', '.join(overall)} over everyone"


def _heatmap(
    view: View,
    blocks: Sequence[Block],
    columns: Sequence[str],
    cells: dict[tuple[str, str], list[Rate]],
    title: str,
    scale: str,
) -> _Sheet:
    """Groups by columns, blocks of groups below one another; colour from 0 to 1 in every heatmap of the report."""
    rows: list[tuple[str, str] | None] = []
    heads: list[tuple[int, str]] = []
    for attribute, groups in blocks:
        if attribute != EVERYONE:
            heads.append((len(rows), with_source(view.audit, attribute)))
            rows.append(None)  # a line for the name of the grouping
        rows += [(attribute, g) for g in groups]
    texts = [short(group_words(r[1])) if r else "" for r in rows]
    left = 0.25 + max(_inches(t, 8) for t in texts)
    wide, high = (0.78 if len(columns) > len(RATES) else 0.95), 0.33
    top, angle = _feet([short(c) for c in columns], wide)
    left = max(left, 1.15)  # the scale's name stands there
    width = max(left + wide * len(columns) + 0.2 + (0.4 if angle else 0), 4.4)
    sheet = _Sheet(width, top + 0.12 + high * len(rows) + 0.62, title)
    ax = sheet.axes(left, top + 0.12, wide * len(columns), high * len(rows))
    value = np.array([[_shade(r) for r in cells[key]] if key else [np.nan] * len(columns) for key in rows], float)
    sns.heatmap(
        pd.DataFrame(value), ax=ax, cmap=MAP, vmin=0, vmax=1, cbar=False, linewidths=1.2, linecolor="white",
        xticklabels=False, yticklabels=False,
    )  # fmt: skip
    ax.set(xlabel="", ylabel="")
    colours = sns.color_palette(MAP, as_cmap=True)
    for y, key in enumerate(rows):
        for x, found in enumerate(cells[key] if key else ()):
            _cell(ax, x, y, found, colours)
        if key:
            sheet.text(left - 0.1, top + 0.12 + high * (y + 0.5) + 0.04, texts[y], size=8, ha="right")
    for y, text in heads:
        sheet.text(left, top + 0.12 + high * (y + 1) - 0.07, text, color=QUIET)
    for x, name in enumerate(columns):
        middle = left + wide * (x + 0.5)
        turned: dict[str, Any] = {"rotation": angle, "rotation_mode": "anchor", "ha": "left"} if angle else {"ha": "center"}
        sheet.text(middle, top + 0.04, _folded(short(name), wide, angle), size=8, va="bottom", **turned)
    _scale(sheet, left, top + 0.12 + high * len(rows) + 0.16, scale)
    return sheet


def _shade(found: Rate) -> float:
    """What is coloured: a rate with enough faces behind it, and nothing else."""
    return found.value if found.status == "ok" and found.value is not None else np.nan


def _cell(ax: Axes, x: int, y: int, found: Rate, colours: Callable[[float], tuple[float, float, float, float]]) -> None:
    if found.value is None:
        ax.add_patch(Rectangle((x + 0.03, y + 0.06), 0.94, 0.88, facecolor="white", edgecolor="#e2e2e2", linewidth=0.6))
        ax.text(x + 0.5, y + 0.5, DASH, ha="center", va="center", color=QUIET, size=8)
        return
    ink = INK
    if found.status == "small":
        ax.add_patch(Rectangle((x + 0.03, y + 0.06), 0.94, 0.88, facecolor="white", edgecolor=HATCH, hatch="////", linewidth=0))
        ax.add_patch(Rectangle((x + 0.2, y + 0.14), 0.6, 0.72, facecolor="white", edgecolor="none"))
    else:
        red, green, blue, _ = colours(found.value)
        light = np.array([red, green, blue])
        luminance = np.where(light > 0.04045, ((light + 0.055) / 1.055) ** 2.4, light / 12.92) @ [0.2126, 0.7152, 0.0722]  # noqa: PLR2004
        ink = "black" if luminance > 0.179 else "white"  # noqa: PLR2004 - where both have a contrast of 4.6, the least there is
    ax.text(x + 0.5, y + 0.36, rate(found.value), ha="center", va="center", color=ink, size=8)
    if found.denominator is not None:
        ax.text(
            x + 0.5,
            y + 0.75,
            f"{whole(found.numerator)}/{whole(found.denominator)}",
            ha="center",
            va="center",
            color=ink,
            size=5.5,
        )


def _scale(sheet: _Sheet, left: float, top: float, name: str) -> None:
    """The colours from 0 to 1, and what is hatched or blank."""
    steps = 25
    ax = sheet.axes(left, top, 1.6, 0.1)
    ax.pcolormesh(np.linspace(0, 1, steps + 1), [0, 1], np.linspace(0, 1, steps)[None, :], cmap=MAP, vmin=0, vmax=1)
    ax.set_yticks([])
    ax.set_xticks([0, 0.5, 1], ["0", ".5", "1"])
    ax.tick_params(labelsize=7, pad=1.5)
    for side in ax.spines.values():
        side.set_visible(False)
    sheet.text(left - 0.08, top + 0.1, name, size=7, ha="right", color=QUIET)
    box = Rectangle(
        ((left + 1.8) / sheet.width, 1 - (sheet.head + top + 0.13) / sheet.height), 0.22 / sheet.width, 0.15 / sheet.height,
        facecolor="white", edgecolor=HATCH, hatch="//////", linewidth=0.4, transform=sheet.figure.transFigure,
    )  # fmt: skip
    sheet.figure.add_artist(box)
    sheet.text(left + 2.07, top + 0.1, "too few", size=7, color=QUIET)
    sheet.text(left + 2.07, top + 0.28, f"none: {DASH}", size=7, color=QUIET)


# Gaps, and who is in the data


def _gaps(view: View, names: _Names) -> list[Picture]:
    """Observed gaps against those that chance gives."""
    shown = [g for g in view.tested if g.label in view.labels and g.difference][:_MOST_GAPS]
    if not shown:
        return []
    found = sum(is_found(g) for g in view.tested)
    title = (
        f"{many(found, 'gap is', 'gaps are')} beyond chance, of {len(view.tested):,} tested"
        if found
        else (f"Of {many(len(view.tested), 'gap')} tested none is beyond chance")
    )
    texts = [f"{short(g.label)} {g.rate}, {short(g.attribute.replace(',', ' and '))}" for g in shown]
    left = 0.25 + max(_inches(t, 7.5, "bold") for t in texts)
    lane, width = 0.2, left + 4.4
    height = lane * len(shown) + 0.1
    sheet = _Sheet(width, height + 0.65, title)
    ax = sheet.axes(left, 0.12, 3.6, height)
    ax.set_ylim(height, 0)
    far = max(max(g.difference or 0.0, g.chance or 0.0) for g in shown)
    end = next((e for e in (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75) if far <= e), 1.0)
    _axis(ax, end, 5)
    for i, gap in enumerate(shown):
        y = 0.05 + lane * (i + 0.5)
        sure = is_found(gap)
        ax.add_patch(Rectangle((0, y - 0.07), gap.chance or 0.0, 0.14, facecolor=BAND, edgecolor="none", zorder=1))
        ax.plot(
            gap.difference or 0.0, y, "o", markersize=5.5, clip_on=False, zorder=3, markeredgewidth=1.1,
            markeredgecolor=COLOURS[0] if sure else "#6e6e6e", markerfacecolor=COLOURS[0] if sure else "white",
        )  # fmt: skip
        sheet.text(left - 0.1, 0.12 + y + 0.035, texts[i], ha="right", weight="bold" if sure else "normal")
        sheet.text(width - 0.1, 0.12 + y + 0.035, probability("q", gap.q), ha="right", weight="bold" if sure else "normal")
    sheet.text(left, 0.12 + height + 0.36, "gap: highest minus lowest rate of a group", color=QUIET)
    caption = (
        "Dot: the gap seen. Grey bar: how wide chance alone makes it, with groups of these sizes. Filled: beyond chance, with "
        "q below .05."
    )
    if len(view.tested) > len(shown):
        caption += f" At most {_MOST_GAPS} are shown, the farthest beyond chance, and none of 0; the table has all."
    return [_finish(sheet, names("gaps"), "gaps", title, caption, tables.gaps_table(view))]


def _faces(view: View, names: _Names) -> list[Picture]:
    """How many faces of each group show each label."""
    pages = [[b for b in page if b[0] != EVERYONE or not view.groupings] for page in _blocks(view)]
    pictures = []
    for blocks in [p for p in pages if p]:
        title = _composition(view) if len(pages) == 1 else f"{_composition(view)} ({_by(blocks)})"
        caption = (
            f"Faces of each group by the {view.noun} they show; in brackets all faces of the group.{_left_out(view, blocks)}"
        )
        table = tables.faces_table(view, _whole(view, blocks))
        pictures.append(_finish(_count_bars(view, blocks, title), names("faces"), "faces", title, caption, table))
    return pictures


def _composition(view: View) -> str:
    """The commonest and the rarest label, and the groups of the first attribute when they are few."""
    most, least = (pick(view.labels, key=view.support) for pick in (max, min))
    text = f"{capital(most)} is commonest ({many(view.support(most), 'face')}), {least} rarest ({view.support(least):,})"
    first = view.groupings[0] if view.groupings else EVERYONE
    groups = view.groups(first)
    if 1 < len(groups) <= 4:  # noqa: PLR2004 - a title's worth
        text += f"; {listed([f'{view.size(first, g):,} {group_words(g)}' for g in groups])}"
    return text


def _count_bars(view: View, blocks: Sequence[Block], title: str) -> _Sheet:
    """Bars of counts: a line per group, a column per label; one scale per grouping."""
    labels = view.labels
    names = {(a, g): f"{short(group_words(g))} ({view.size(a, g):,})" for a, groups in blocks for g in groups}
    left = 0.25 + max(_inches(n, 7.5) for n in names.values())
    per_row = [labels[i : i + _ABREAST] for i in range(0, len(labels), _ABREAST)]
    column, lane = 1.0, 0.19
    heights = [lane * len(groups) + 0.5 for _, groups in blocks]
    sheet = _Sheet(left + column * min(len(labels), _ABREAST) + 0.2, 0.1 + sum(heights) * len(per_row), title)
    top = 0.1
    for part in per_row:
        for (attribute, groups), height in zip(blocks, heights, strict=True):
            looks = _looks(view, attribute)
            most = max((view.support(n, attribute, g) for n in labels for g in groups), default=0) or 1
            sheet.text(0.1, top + 0.2, _heading(view, attribute), color=QUIET) if len(
                blocks
            ) > 1 or attribute != EVERYONE else None
            for k, label in enumerate(part):
                ax = sheet.axes(left + column * k, top + 0.38, column - 0.12, height - 0.5)
                ax.set_xlim(0, most * 1.45)  # room for the number at the end of the longest bar
                ax.set_ylim(len(groups), 0)
                ax.set_axis_off()
                sheet.text(left + column * k, top + 0.33, _cut(label, column - 0.1), weight="bold")
                counts = [view.support(label, attribute, g) for g in groups]
                ax.barh(np.arange(len(groups)) + 0.5, counts, height=0.74, color=[looks[g].colour for g in groups])
                ax.axvline(0, color="#8a8a8a", linewidth=0.6)
                for i, count in enumerate(counts):
                    ax.text(count + most * 0.04, i + 0.5, whole(count), va="center", size=6.5, color=INK if count else QUIET)
            for i, group in enumerate(groups):
                sheet.text(left - 0.1, top + 0.38 + lane * (i + 0.5) + 0.035, names[attribute, group], ha="right")
            top += height
    return sheet
