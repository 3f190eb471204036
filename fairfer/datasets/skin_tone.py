"""Scales of skin tone: Fitzpatrick types, Monk tones, and classes of the individual typology angle (ITA).

A column that is named after Fitzpatrick or Monk and has only values of the scale is an attribute whose levels are in the order
of the scale. A second attribute, ``COLUMN_group``, joins them to light, medium and dark.

Fitzpatrick types state how skin reacts to sunlight; they predict its color poorly (Howard et al. 2021).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairfer.labels import fold

if TYPE_CHECKING:
    import pandas as pd

LIGHT, MEDIUM, DARK = "light", "medium", "dark"
ROMAN = ("I", "II", "III", "IV", "V", "VI")
GROUP_SUFFIX = "_group"
"""Of the name of the attribute with the levels light, medium and dark."""


@dataclass(frozen=True)
class Scale:
    """A scale of skin tone.

    Attributes
    ----------
    name
        Its usual name.
    columns
        Names of columns, folded (see `fairfer.labels.fold`), that hold its values.
    levels
        From the lightest to the darkest.
    groups
        Light, medium or dark, by level.
    source
        Who grouped the levels so.
    """

    name: str
    columns: frozenset[str]
    levels: tuple[str, ...]
    groups: Mapping[str, str]
    source: str

    def level(self, value: str) -> str | None:
        """The level that a value means, such as ``III`` for ``Type III`` and ``3``; ``None`` for another value.

        >>> FITZPATRICK.level("type iii"), FITZPATRICK.level("7"), MONK.level("Scale 10")
        ('III', None, '10')
        """
        text = _WORDS.sub("", fold(value)).strip(" .:#").removesuffix(".0").upper()
        if self.levels == ROMAN and text.isdecimal():
            text = dict(enumerate(ROMAN, 1)).get(int(text), "")
        text = str(int(text)) if text.isdecimal() else text
        return text if text in self.levels else None

    def describe_groups(self) -> str:
        """Which levels are light, medium and dark, in words."""
        members = {g: [n for n in self.levels if self.groups[n] == g] for g in (LIGHT, MEDIUM, DARK)}
        return f"{', '.join(f'{g}: {m[0]} to {m[-1]}' for g, m in members.items())} ({self.source})"


_WORDS = re.compile(r"\b(?:fitzpatrick|monk|skin|tone|type|scale|phototype)\b|\bmst")

FITZPATRICK = Scale(
    "Fitzpatrick",
    frozenset(
        {"fitzpatrick", "fitzpatrick type", "fitzpatrick skin type", "fitzpatrick skin tone", "fitzpatrick scale"}
        | {"fitzpatrick phototype", "skin type fitzpatrick", "skin tone fitzpatrick"}
    ),
    ROMAN,
    dict(zip(ROMAN, (LIGHT, LIGHT, MEDIUM, MEDIUM, DARK, DARK), strict=True)),
    "pairs of neighboring types",
)
MONK = Scale(
    "Monk",
    frozenset({"monk", "monk skin tone", "monk tone", "monk scale", "mst", "mst scale", "skin tone monk", "skin tone mst"}),
    tuple(str(i) for i in range(1, 11)),
    {**dict.fromkeys("123", LIGHT), **dict.fromkeys("456", MEDIUM), **dict.fromkeys(("7", "8", "9", "10"), DARK)},
    "Heldreth et al. 2024",
)
SCALES = (FITZPATRICK, MONK)


def scale_of(column: str, values: pd.Series) -> Scale | None:
    """The scale that a column holds: by its name, if all its values are of the scale.

    Parameters
    ----------
    column
        Name of the column.
    values
        Its values; missing ones are ignored.
    """
    scale = next((s for s in SCALES if fold(column) in s.columns), None)
    present = values.dropna().astype("str").unique()
    if scale is None or not len(present) or any(scale.level(v) is None for v in present):
        return None
    return scale


ITA_CLASSES: tuple[tuple[str, float], ...] = (
    ("very light", 55.0),
    ("light", 41.0),
    ("intermediate", 28.0),
    ("tan", 10.0),
    ("brown", -30.0),
    ("dark", float("-inf")),
)
"""Classes of ITA in degrees, each with the angle above which it begins (Chardon et al. 1991; Del Bino and Bernerd 2013)."""


def ita_class(angle: float) -> str:
    """The class of an individual typology angle in degrees.

    >>> ita_class(55.1), ita_class(55), ita_class(-30)
    ('very light', 'light', 'dark')
    """
    return next(name for name, low in ITA_CLASSES if angle > low)
