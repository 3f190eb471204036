"""Prototypes: sets of action units that sources assign to emotions.

They are **hypotheses of their authors, not ground truth**. The sources disagree with each other, few real expressions match a
prototype in full, and a facial movement does not reliably tell what a person feels: people show an emotion in many ways, and
show the same movements without it (Barrett, Adolphs, Marsella, Martinez & Pollak 2019, Psychological Science in the Public
Interest 20, 1-68). fairfer uses them to put words to a face and to compare sets of action units, never as labels.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, cast

from fairfer.errors import LabelError, UsageError, did_you_mean
from fairfer.facs.action_units import parse
from fairfer.labels import canonical

Side = Literal["left", "right", "one side", ""]

_COMPONENT = re.compile(r"(\()?([LRU]?)(\d+)([A-Ea-e]|\([xyz]\))?(\))?")
_SIDES: Mapping[str, Side] = {"L": "left", "R": "right", "U": "one side", "": ""}


@dataclass(frozen=True)
class Component:
    """One action unit of a prototype.

    Attributes
    ----------
    unit
        Code.
    intensity
        Letter that the source prints: A (trace) to E (maximum), or x, y or z in the older notation; empty if it prints none.
        Sets of units ignore it.
    side
        Side of the person's face, where the source has the movement on one side only. Sets of units ignore it.
    optional
        Whether the source has the unit in parentheses: it may be absent.
    """

    unit: str
    intensity: str = ""
    side: Side = ""
    optional: bool = False


@dataclass(frozen=True)
class Prototype:
    """One set of action units that a source assigns to an emotion.

    Attributes
    ----------
    notation
        As the source prints it: ``"1+2+5B+26"``. U is fairfer's letter for a movement on one side, whichever.
    components
        Its action units.
    """

    notation: str
    components: tuple[Component, ...]

    @property
    def units(self) -> frozenset[str]:
        """Codes of the units that are not optional."""
        return frozenset(c.unit for c in self.components if not c.optional)

    @property
    def sets(self) -> tuple[frozenset[str], ...]:
        """All sets that it permits: without the optional units, then with all of them if there are any."""
        full = frozenset(c.unit for c in self.components)
        return (self.units,) if full == self.units else (self.units, full)


@dataclass(frozen=True)
class Source:
    """Where prototypes come from.

    Attributes
    ----------
    name
        Name for the parameter `source`.
    citation
        What was read, and what it goes back to.
    prototypes
        By emotion, as `fairfer.labels` names it. Several are alternatives, the usual one first.
    """

    name: str
    citation: str
    prototypes: Mapping[str, tuple[Prototype, ...]]


def _parse(notation: str) -> Prototype:
    components = []
    for part in filter(None, notation.split("+")):
        match = _COMPONENT.fullmatch(part)
        if match is None or bool(match[1]) != bool(match[5]):
            message = f"{part!r} in the prototype {notation!r} is not an action unit; write one such as 12, R12A or (25)"
            raise LabelError(message)
        letter = (match[4] or "").strip("()")
        components.append(Component(parse(match[3]), letter, _SIDES[match[2]], optional=match[1] is not None))
    return Prototype(notation, tuple(components))


def _source(name: str, citation: str, **notations: str) -> Source:
    prototypes = {emotion: tuple(_parse(n) for n in text.split("|")) for emotion, text in notations.items()}
    return Source(name, citation, MappingProxyType(prototypes))


SOURCES: Mapping[str, Source] = MappingProxyType({
    source.name: source
    for source in (
        _source(
            "EMFACS",
            "EMFACS (Friesen & Ekman 1983) as the article on FACS in Wikipedia and openDBM print it; some copies have 17 "
            "instead of 16 for disgust",
            neutral="",
            happiness="6+12",
            surprise="1+2+5B+26",
            sadness="1+4+15",
            anger="4+5+7+23",
            disgust="9+15+16|9+15+17",
            fear="1+2+4+5+7+20+26",
            contempt="R12A+R14A",
        ),
        _source(
            "FACS manual",
            "variants of table 11-1 of the FACS manual (Ekman & Friesen 1978) as a page of the German Psychological Society "
            "prints them; the manual itself was not seen",
            neutral="",
            happiness="6+12(y)+(25)",
            surprise="1+2+5+26",
            sadness="1+4+15",
            anger="4+5+7+24",
            disgust="10+17+4",
            fear="1+2+4+5+20+25",
            contempt="U14",
        ),
    )
})  # fmt: skip
"""The sources by name. ``neutral`` is the absence of action units (code 0 of FACS), in both."""


def prototype(emotion: str, source: str = "EMFACS") -> tuple[frozenset[str], ...]:
    """Sets of action units that a source assigns to an emotion; hypotheses, see the module.

    Parameters
    ----------
    emotion
        Name in any spelling that `fairfer.labels` knows, such as ``happiness`` or ``happy``.
    source
        A key of `SOURCES`.

    Returns
    -------
    tuple of frozenset
        Alternatives, the usual one first. A prototype with optional units is there without and with them.

    Raises
    ------
    LabelError
        If the source has no prototype of such an emotion.
    UsageError
        If there is no such source.

    Examples
    --------
    >>> [sorted(units) for units in prototype("happy", source="FACS manual")]
    [['AU12', 'AU6'], ['AU12', 'AU25', 'AU6']]
    """
    if source not in SOURCES:
        message = f"there is no source of prototypes {source!r}; {did_you_mean(source, SOURCES)}"
        raise UsageError(message)
    prototypes = SOURCES[source].prototypes
    name = canonical(emotion)
    if name not in prototypes:
        message = f"{source} has no prototype of {emotion!r}; {did_you_mean(emotion, prototypes)}"
        raise LabelError(message)
    return tuple(units for alternative in prototypes[cast("str", name)] for units in alternative.sets)
