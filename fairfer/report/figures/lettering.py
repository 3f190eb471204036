"""Lettering: names as wide as a picture has room for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from fairfer.report.figures.style import FAMILY
from fairfer.report.text.markup import printable

NAME = 30
"""Characters of a name in a picture; the middle of a longer one is left out."""


@cache
def inches(text: str, size: float, weight: str = "normal") -> float:
    """How wide a text is."""
    width, _, _ = text_to_path.get_text_width_height_descent(
        text, FontProperties(family=[FAMILY], size=size, weight=weight), ismath=False
    )
    return float(width) / 72


def short(name: str) -> str:
    """A name as long as a picture has room for; both ends stay, since that is where long names differ."""
    plain = printable(" ".join(name.split()))
    return plain if len(plain) <= NAME else f"{plain[: NAME // 2]}…{plain[-(NAME // 2 - 1) :]}"


def broken(text: str, width: float, size: float) -> list[str]:
    """A text in lines that are no wider than this."""
    lines = [""]
    for word in map(short, text.split()):
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and inches(longer, size, "bold") > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def cut(text: str, width: float) -> str:
    """A name cut to a width, for a column's head."""
    text = short(text)
    while len(text) > 2 and inches(text, 7.5, "bold") > width:
        text = text[:-2] + "…"
    return text


def feet(labels: Sequence[str], slot: float) -> tuple[float, float]:
    """Height of the labels below (or above) columns of this width, and the angle at which they fit."""
    words = max(inches(w, 8) for label in labels for w in [*label.split(), ""])
    if words <= slot - 0.04:
        return 0.14 * max(len(broken(label, slot - 0.04, 8)) for label in labels) + 0.1, 0.0
    return 0.7 * max(inches(label, 8) for label in labels) + 0.2, 45.0


def folded(label: str, slot: float, angle: float) -> str:
    """A label as it stands at columns of this width: upright in lines, or aslant in one."""
    return label if angle else "\n".join(broken(label, slot - 0.04, 8))
