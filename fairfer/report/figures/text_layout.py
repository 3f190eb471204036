"""Text layout: how wide a text is, and how a long name is shortened or wrapped."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from fairfer.report.figures.style import FAMILY
from fairfer.report.text.markup import printable

MAX_NAME_LENGTH = 30
"""Characters of a name in a figure; the middle of a longer name is replaced by an ellipsis."""
SMALL, NORMAL = 7.5, 8.0
"""Font sizes, in points."""
_MIN_NAME_LENGTH = 2
_COLUMN_GAP = 0.04


@cache
def text_width(text: str, size: float, weight: str = "normal") -> float:
    """Width of a text, in inches."""
    width, _, _ = text_to_path.get_text_width_height_descent(
        text, FontProperties(family=[FAMILY], size=size, weight=weight), ismath=False
    )
    return float(width) / 72


def shorten(name: str) -> str:
    """A name of at most `MAX_NAME_LENGTH` characters; the start and the end are kept, where long names differ."""
    plain = printable(" ".join(name.split()))
    half = MAX_NAME_LENGTH // 2
    return plain if len(plain) <= MAX_NAME_LENGTH else f"{plain[:half]}…{plain[-(half - 1) :]}"


def wrap(text: str, width: float, size: float) -> list[str]:
    """Lines of a text, none wider than `width` inches unless a single word is."""
    lines = [""]
    for word in map(shorten, text.split()):
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and text_width(longer, size, "bold") > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def truncate(text: str, width: float) -> str:
    """A name truncated to a width in inches, for the head of a column."""
    text = shorten(text)
    while len(text) > _MIN_NAME_LENGTH and text_width(text, SMALL, "bold") > width:
        text = text[:-2] + "…"
    return text


def column_label_layout(labels: Sequence[str], width: float) -> tuple[float, float]:
    """Height in inches of the labels of columns this wide, and the angle in degrees at which they fit."""
    words = max(text_width(w, NORMAL) for label in labels for w in [*label.split(), ""])
    if words <= width - _COLUMN_GAP:
        return 0.14 * max(len(wrap(label, width - _COLUMN_GAP, NORMAL)) for label in labels) + 0.1, 0.0
    return 0.7 * max(text_width(label, NORMAL) for label in labels) + 0.2, 45.0


def column_label(label: str, width: float, angle: float) -> str:
    """A column's label: wrapped when it is upright, on one line when it is rotated."""
    return label if angle else "\n".join(wrap(label, width - _COLUMN_GAP, NORMAL))
