"""Which action units make the patterns at which an emotion is compared between groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from fairfer.errors import LabelError, UsageError
from fairfer.facs.action_units import in_order

DEFAULT_UNITS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "happiness": ("AU6", "AU12"),
        "sadness": ("AU1", "AU4", "AU15"),
        "surprise": ("AU1", "AU2", "AU5", "AU26"),
        "fear": ("AU1", "AU4", "AU5", "AU20"),
        "anger": ("AU4", "AU5", "AU7", "AU23"),
        "disgust": ("AU9", "AU15", "AU17"),
        "contempt": ("AU12", "AU14"),
    }
)
"""Units by emotion.

Happiness has those of Chen and Joo (2021, ICCV). The others have units of the prototypes of EMFACS (see
`fairfer.facs.prototypes`), at most four, because every further unit halves the faces of a pattern: fear is without AU2, AU7 and
AU26, disgust without AU16. A neutral face has no prototype. Prototypes are hypotheses, not ground truth (Barrett et al. 2019,
Psychol. Sci. Public Interest 20): other units can be chosen for every emotion.
"""

MAX_UNITS = 6
"""A pattern of more units has hardly any faces: there are 64 patterns of six units."""


@dataclass(frozen=True)
class PatternUnits:
    """Units of the patterns of one label.

    Attributes
    ----------
    label
        The label.
    units
        Those that the table of action units has.
    lacking
        Those that it does not have.
    """

    label: str
    units: tuple[str, ...]
    lacking: tuple[str, ...]


def pattern_units(label: str, available: Sequence[str], chosen: Mapping[str, Sequence[str]]) -> PatternUnits:
    """The units of a label.

    Parameters
    ----------
    label
        An audited label.
    available
        Units of the table.
    chosen
        Units by label that replace `DEFAULT_UNITS`.

    Returns
    -------
    PatternUnits
        Without units for a label that neither has.
    """
    wanted = tuple(chosen.get(label, DEFAULT_UNITS.get(label, ())))
    units = tuple(u for u in wanted if u in available)
    return PatternUnits(label, units, tuple(u for u in wanted if u not in available))


def parse_condition(label: str, units: object) -> tuple[str, ...]:
    """Units of one label of ``--condition-on`` by their codes.

    Raises
    ------
    UsageError
        When one is no action unit or there are too many; the message names it.
    """
    names = units.split(",") if isinstance(units, str) else units
    if not isinstance(names, list | tuple) or not names:
        message = f"--condition-on {label}: give action units, as in {label}=AU6,AU12"
        raise UsageError(message)
    try:
        codes = in_order(names)
    except LabelError as error:
        message = f"--condition-on {label}: {error}"
        raise UsageError(message) from error
    if len(codes) > MAX_UNITS:
        message = (
            f"--condition-on {label}: {len(codes)} action units make {2 ** len(codes):,} patterns, of which most have no face; "
            f"give at most {MAX_UNITS}"
        )
        raise UsageError(message)
    return codes


def pattern_name(units: Sequence[str], number: int) -> str:
    """A pattern in words: the units that are present, of those that are looked at.

    >>> pattern_name(["AU6", "AU12"], 2), pattern_name(["AU6", "AU12"], 3), pattern_name(["AU6"], 0)
    ('AU12', 'AU6+AU12', 'none')
    """
    return "+".join(u for i, u in enumerate(units) if number >> i & 1) or "none"
