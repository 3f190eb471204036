"""Building blocks of a page: what a section's part of the page consists of.

Blocks hold text and data only. `fairfer.report.html` renders them, escapes all text, and links the first mention of each
glossary term in paragraphs and bullets.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairfer.report.figures.canvas import Picture
    from fairfer.report.tables.table import Table


@dataclass(frozen=True)
class Link:
    """A link inside a text: to a file of the report (``tables/rates.csv``) or an anchor (``#gaps``)."""

    text: str
    target: str


Text = str | Sequence[str | Link]
"""Plain text, or text with links."""


@dataclass(frozen=True)
class Heading:
    """A heading inside a section."""

    text: str


@dataclass(frozen=True)
class Paragraph:
    """A paragraph."""

    text: Text


@dataclass(frozen=True)
class Bullets:
    """A bulleted list."""

    items: Sequence[Text]


@dataclass(frozen=True)
class Definition:
    """A term with its description; a definition with an anchor can be linked to."""

    term: str
    text: str
    anchor: str = ""


@dataclass(frozen=True)
class Definitions:
    """A list of definitions: in two columns for short entries, else below each other."""

    items: Sequence[Definition]
    columns: bool = False


@dataclass(frozen=True)
class Code:
    """Preformatted text."""

    text: str


@dataclass(frozen=True)
class TableBlock:
    """A table; with a summary, it is folded until the reader opens it."""

    table: Table
    summary: str = ""


@dataclass(frozen=True)
class FigureBlock:
    """A figure with its caption and table."""

    picture: Picture


@dataclass(frozen=True)
class FigureGrid:
    """Figures side by side where the window is wide enough."""

    pictures: Sequence[Picture]


Block = Heading | Paragraph | Bullets | Definitions | Code | TableBlock | FigureBlock | FigureGrid


def csv_links(names: Iterable[str]) -> Paragraph:
    """A paragraph with links to CSV files of the report."""
    parts: list[str | Link] = []
    for name in names:
        parts += [", " if parts else "All values: ", Link(name, f"tables/{name}")]
    return Paragraph((*parts, "."))


def figures(pictures: Sequence[Picture]) -> list[Block]:
    """Figures below each other."""
    return [FigureBlock(p) for p in pictures]
