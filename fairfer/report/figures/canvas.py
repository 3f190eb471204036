"""The canvas that a figure is laid out on, and the finished figure: PNG, SVG, title, caption and table."""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from matplotlib.figure import Figure

from fairfer.report.figures.style import FAMILY, INK, PNG_DPI
from fairfer.report.figures.text_layout import SMALL, wrap
from fairfer.report.text.markup import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fairfer.report.tables.table import Table
    from fairfer.vocabulary import Grouping

MAX_FILE_NAME_PART = 40
_TITLE_SIZE, _TITLE_LINE = 10.0, 0.19
_PNG_COMPRESSION = 1
"""The fastest level of zlib; higher levels take longer and make files of figures no smaller."""


@dataclass(frozen=True)
class Picture:
    """A finished figure.

    Attributes
    ----------
    name
        File name without suffix.
    kind
        Which figure it is, as `fairfer.report.figures.FIGURES` names it.
    title
        What it shows, as a statement.
    caption
        How to read it.
    table
        The same numbers as text.
    svg, png
        The files.
    size
        Width and height of the SVG, in points.
    title_height
        Height of the title at the top, in points: the report shows the title as text and crops it from the figure.
    grouping
        The grouping that an overview compares; ``None`` for other figures.
    narrow
        The same figure for a narrow screen.
    """

    name: str
    kind: str
    title: str
    caption: str
    table: Table
    svg: bytes
    png: bytes
    size: tuple[float, float]
    title_height: float
    grouping: Grouping | None = None
    narrow: Picture | None = None


def file_name(*parts: str) -> str:
    """A file name in plain ASCII made of these parts.

    >>> file_name("overview", "gender,race"), file_name("overview", "*")
    ('overview-gender-race', 'overview-x')
    """
    ascii_parts = [unicodedata.normalize("NFKD", p).encode("ascii", "ignore").decode().casefold() for p in parts]
    hyphenated = [re.sub(r"[^a-z0-9]+", "-", p).strip("-") for p in ascii_parts]
    return "-".join(p[:MAX_FILE_NAME_PART].strip("-") or "x" for p in hyphenated)


def with_unique_names(pictures: Sequence[Picture]) -> list[Picture]:
    """The same figures, with a number after a file name that another figure already has."""
    taken: set[str] = set()

    def unique(name: str) -> str:
        candidate, number = name, 1
        while candidate in taken:
            number += 1
            candidate = f"{name}-{number}"
        taken.add(candidate)
        return candidate

    renamed = []
    for picture in pictures:
        name = unique(picture.name)
        narrow = replace(picture.narrow, name=unique(f"{name}-narrow")) if picture.narrow else None
        renamed.append(replace(picture, name=name, narrow=narrow))
    return renamed


class Canvas:
    """A figure laid out in inches from its top left corner, with its title at the top.

    Parameters
    ----------
    width, height
        Size of everything below the title.
    title
        Wrapped into as many lines as the width requires.
    """

    def __init__(self, width: float, height: float, title: str) -> None:
        lines = wrap(title, width - 0.2, _TITLE_SIZE)
        self.title_height = 0.2 + _TITLE_LINE * len(lines)
        self.width, self.height = width, height + self.title_height
        self.figure = Figure(figsize=(self.width, self.height))
        for i, line in enumerate(lines):
            self.text(0.1, 0.24 + _TITLE_LINE * i - self.title_height, line, size=_TITLE_SIZE, weight="bold")

    def position(self, left: float, top: float) -> tuple[float, float]:
        """A position in inches below the title, as a fraction of the figure."""
        return left / self.width, 1 - (self.title_height + top) / self.height

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Axes in inches, below the title."""
        x, y = self.position(left, top + height)
        return self.figure.add_axes((x, y, width / self.width, height / self.height))

    def text(
        self,
        left: float,
        top: float,
        text: str,
        *,
        size: float = SMALL,
        weight: Literal["normal", "bold"] = "normal",
        color: str = INK,
        ha: Literal["left", "center", "right"] = "left",
        va: Literal["baseline", "bottom"] = "baseline",
        rotation: float = 0.0,
    ) -> None:
        """Text in inches, its baseline at `top` below the title."""
        x, y = self.position(left, top)
        self.figure.text(
            x,
            y,
            printable(text),
            size=size,
            weight=weight,
            color=color,
            ha=ha,
            va=va,
            rotation=rotation,
            rotation_mode="anchor",
        )

    def column_head(self, center: float, top: float, text: str, *, size: float, angle: float) -> None:
        """The label above a column: centered, or starting at the center when it is rotated."""
        self.text(center, top, text, size=size, va="bottom", ha="left" if angle else "center", rotation=angle)

    def files(self) -> tuple[bytes, bytes]:
        """SVG and PNG."""
        svg, png = io.BytesIO(), io.BytesIO()
        self.figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
        self.figure.savefig(
            png, format="png", dpi=PNG_DPI, metadata={"Software": None}, pil_kwargs={"compress_level": _PNG_COMPRESSION}
        )
        families = f"'{FAMILY}', Verdana, sans-serif"
        return svg.getvalue().replace(f"'{FAMILY}'".encode(), families.encode()), png.getvalue()

    def finish(self, name: str, kind: str, caption: str, table: Table, title: str) -> Picture:
        """The finished figure."""
        svg, png = self.files()
        points = 72.0
        size = (points * self.width, points * self.height)
        return Picture(name, kind, title, caption, table, svg, png, size, points * self.title_height)
