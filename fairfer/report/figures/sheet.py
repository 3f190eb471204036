"""A sheet that a figure is laid out on, and the finished picture: PNG, SVG, title, caption and table."""

from __future__ import annotations

import io
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from fairfer.report.figures.lettering import broken
from fairfer.report.figures.style import FAMILY, PNG_DPI
from fairfer.report.text.markup import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fairfer.report.tables.rates import Table
    from fairfer.report.view import Section


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


class Names:
    """File names: plain ASCII, each once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def __call__(self, *parts: str) -> str:
        """A file name of these parts that is not taken yet."""
        plain = [unicodedata.normalize("NFKD", p).encode("ascii", "ignore").decode().casefold() for p in parts]
        name = "-".join(re.sub(r"[^a-z0-9]+", "-", p).strip("-")[:40].strip("-") or "x" for p in plain)
        number, found = 1, name
        while found in self._taken:
            number += 1
            found = f"{name}-{number}"
        self._taken.add(found)
        return found


class Sheet:
    """A figure laid out in inches from its top left corner, with its title at the top.

    Parameters
    ----------
    width, height
        Of everything below the title.
    title
        Broken into as many lines as the width asks for.
    """

    def __init__(self, width: float, height: float, title: str) -> None:
        lines = broken(title, width - 0.2, 10)
        self.head = 0.2 + 0.19 * len(lines)
        self.width, self.height = width, height + self.head
        self.figure = Figure(figsize=(self.width, self.height))
        for i, line in enumerate(lines):
            self.text(0.1, 0.24 + 0.19 * i - self.head, line, size=10, weight="bold")

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Axes in inches, below the title."""
        bottom = self.height - self.head - top - height
        return self.figure.add_axes((left / self.width, bottom / self.height, width / self.width, height / self.height))

    def text(self, left: float, top: float, text: str, **style: Any) -> None:
        """Text in inches, its baseline at `top` below the title."""
        self.figure.text(left / self.width, 1 - (self.head + top) / self.height, printable(text), **{"size": 7.5, **style})

    def files(self) -> tuple[bytes, bytes]:
        """SVG and PNG."""
        svg, png = io.BytesIO(), io.BytesIO()
        self.figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
        self.figure.savefig(png, format="png", dpi=PNG_DPI, metadata={"Software": None}, pil_kwargs={"compress_level": 4})
        families = f"'{FAMILY}', Verdana, sans-serif"
        return svg.getvalue().replace(f"'{FAMILY}'".encode(), families.encode()), png.getvalue()


def finish(sheet: Sheet, name: str, section: Section, title: str, caption: str, table: Table) -> Picture:
    """A sheet with all that is said about it."""
    svg, png = sheet.files()
    return Picture(name, section, title, caption, table, svg, png, (72 * sheet.width, 72 * sheet.height), 72 * sheet.head)
