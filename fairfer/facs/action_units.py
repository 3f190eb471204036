"""Action units (AUs) of the Facial Action Coding System as data: names, what one sees, muscles, regions, instructions.

Numbers and names are those of FACS (Ekman & Friesen 1978; Ekman, Friesen & Hager 2002). Descriptions and instructions are
fairfer's own words. Muscles follow the manual's "muscular basis" as Kanade, Cohn & Tian (2000, table 1) and the list of action
units on Wikipedia print it; where the two differ, as for AU4 and AU26, the longer list is given.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

from fairfer.errors import LabelError, did_you_mean

Region = Literal["forehead", "brows", "eyes", "nose", "cheeks", "mouth", "chin"]
REGIONS: tuple[Region, ...] = get_args(Region)
"""Regions of the face, from top to bottom."""

_CODE = re.compile(r"(?:au[ _-]?)?0*([1-9]\d?)(?:_[rc])?")


@dataclass(frozen=True)
class ActionUnit:
    """One action unit.

    Attributes
    ----------
    number
        Number in FACS.
    name
        Name in FACS, in lower case.
    subject
        What moves, with ``{the}`` for its article or for "your": ``"{the} lip corners"``.
    state
        What is seen of it, with its verb: ``"are pulled up"``.
    instruction
        How to do it: ``"pull up your lip corners"``.
    muscle
        Muscles that produce it; "none stated" where FACS names none.
    regions
        Regions of the face in which it shows, from top to bottom.
    both_sides
        Whether the left and the right half of the face can do it separately, so that it may be one-sided.
    reliability
        Why detectors often err, or empty text.
    """

    number: int
    name: str
    subject: str
    state: str
    instruction: str
    muscle: str
    regions: tuple[Region, ...]
    both_sides: bool
    reliability: str = ""

    @property
    def code(self) -> str:
        """Code in sets, tables and files: ``"AU12"``."""
        return f"AU{self.number}"

    @property
    def description(self) -> str:
        """What one sees, as a sentence: ``"The lip corners are pulled up."``."""
        clause = f"{self.subject} {self.state}".format(the="the")
        return f"{clause[0].upper()}{clause[1:]}."

    @property
    def restraint(self) -> str:
        """The instruction not to do it: ``"try not to pull up your lip corners"``."""
        return f"try not to {self.instruction}"


_BROWS: tuple[Region, ...] = ("forehead", "brows")
_SHORT = "a still picture cannot tell a blink from closed eyes"
_WEAK = "computed from a mesh of the face, it is nearly always close to 0"

_UNITS = (
    ActionUnit(
        1, "inner brow raiser", "the inner ends of {the} eyebrows", "are raised", "raise the inner ends of your eyebrows",
        "frontalis, pars medialis", _BROWS, both_sides=True,
    ),
    ActionUnit(
        2, "outer brow raiser", "the outer ends of {the} eyebrows", "are raised", "raise the outer ends of your eyebrows",
        "frontalis, pars lateralis", _BROWS, both_sides=True,
    ),
    ActionUnit(
        4, "brow lowerer", "{the} eyebrows", "are lowered", "lower your eyebrows",
        "corrugator supercilii, depressor supercilii, depressor glabellae (procerus)", ("brows",), both_sides=True,
    ),
    ActionUnit(
        5, "upper lid raiser", "{the} upper eyelids", "are raised", "raise your upper eyelids",
        "levator palpebrae superioris", ("eyes",), both_sides=True,
    ),
    ActionUnit(
        6, "cheek raiser", "{the} cheeks", "are raised", "raise your cheeks",
        "orbicularis oculi, pars orbitalis", ("eyes", "cheeks"), both_sides=True, reliability=_WEAK,
    ),
    ActionUnit(
        7, "lid tightener", "{the} eyelids", "are tightened", "tighten your eyelids",
        "orbicularis oculi, pars palpebralis", ("eyes",), both_sides=True,
    ),
    ActionUnit(
        9, "nose wrinkler", "{the} nose", "is wrinkled", "wrinkle your nose",
        "levator labii superioris alaeque nasi", ("nose",), both_sides=True, reliability=_WEAK,
    ),
    ActionUnit(
        10, "upper lip raiser", "{the} upper lip", "is raised", "raise your upper lip",
        "levator labii superioris, caput infraorbitalis", ("nose", "mouth"), both_sides=True,
    ),
    ActionUnit(
        11, "nasolabial deepener", "the folds beside {the} nose", "are deepened", "deepen the folds beside your nose",
        "zygomaticus minor", ("nose", "cheeks"), both_sides=True,
    ),
    ActionUnit(
        12, "lip corner puller", "{the} lip corners", "are pulled up", "pull up your lip corners",
        "zygomaticus major", ("cheeks", "mouth"), both_sides=True,
    ),
    ActionUnit(
        13, "sharp lip puller", "{the} lip corners", "are pulled sharply up", "pull your lip corners sharply up",
        "levator anguli oris (caninus)", ("cheeks", "mouth"), both_sides=True,
    ),
    ActionUnit(
        14, "dimpler", "{the} lip corners", "are tightened into dimples", "tighten your lip corners into dimples",
        "buccinator", ("cheeks", "mouth"), both_sides=True,
    ),
    ActionUnit(
        15, "lip corner depressor", "{the} lip corners", "are pulled down", "pull down your lip corners",
        "depressor anguli oris (triangularis)", ("mouth", "chin"), both_sides=True,
    ),
    ActionUnit(
        16, "lower lip depressor", "{the} lower lip", "is pulled down", "pull down your lower lip",
        "depressor labii inferioris", ("mouth", "chin"), both_sides=True,
    ),
    ActionUnit(
        17, "chin raiser", "{the} chin", "is pushed up", "push up your chin",
        "mentalis", ("chin",), both_sides=False,
    ),
    ActionUnit(
        18, "lip pucker", "{the} lips", "are puckered", "pucker your lips",
        "incisivii labii superioris, incisivii labii inferioris", ("mouth",), both_sides=False,
    ),
    ActionUnit(
        20, "lip stretcher", "{the} lips", "are stretched sideways", "stretch your lips sideways",
        "risorius, with platysma", ("cheeks", "mouth"), both_sides=True,
    ),
    ActionUnit(
        22, "lip funneler", "{the} lips", "are shaped like a funnel", "shape your lips like a funnel",
        "orbicularis oris", ("mouth",), both_sides=False,
    ),
    ActionUnit(
        23, "lip tightener", "{the} lips", "are tightened", "tighten your lips",
        "orbicularis oris", ("mouth",), both_sides=False,
    ),
    ActionUnit(
        24, "lip pressor", "{the} lips", "are pressed together", "press your lips together",
        "orbicularis oris", ("mouth",), both_sides=False,
    ),
    ActionUnit(
        25, "lips part", "{the} lips", "are parted", "part your lips",
        "depressor labii inferioris, or relaxation of mentalis or orbicularis oris", ("mouth",), both_sides=False,
        reliability="lips that are slightly open at rest are taken for it",
    ),
    ActionUnit(
        26, "jaw drop", "{the} jaw", "is dropped", "drop your jaw",
        "relaxation of masseter, temporalis and internal pterygoid", ("mouth", "chin"), both_sides=False,
    ),
    ActionUnit(
        27, "mouth stretch", "{the} mouth", "is stretched wide open", "stretch your mouth wide open",
        "pterygoids, digastric", ("mouth", "chin"), both_sides=False,
    ),
    ActionUnit(
        28, "lip suck", "{the} lips", "are sucked in", "suck in your lips",
        "orbicularis oris", ("mouth",), both_sides=False,
    ),
    ActionUnit(
        34, "puff", "{the} cheeks", "are puffed out", "puff out your cheeks",
        "none stated", ("cheeks",), both_sides=True, reliability=_WEAK,
    ),
    ActionUnit(
        43, "eyes closed", "{the} eyes", "are closed", "close your eyes",
        "relaxation of levator palpebrae superioris", ("eyes",), both_sides=True,
        reliability="narrow eyes and a downward gaze are taken for it; " + _SHORT,
    ),
    ActionUnit(
        45, "blink", "{the} eyes", "are blinking", "blink",
        "relaxation of levator palpebrae superioris, and orbicularis oculi, pars palpebralis", ("eyes",), both_sides=True,
        reliability=_SHORT,
    ),
)  # fmt: skip

ACTION_UNITS: Mapping[str, ActionUnit] = MappingProxyType({unit.code: unit for unit in _UNITS})
"""The action units by code, in the order of their numbers."""


def parse(code: str | int) -> str:
    """Return the code of an action unit from one of its usual spellings.

    Parameters
    ----------
    code
        Its number, or text such as ``AU1``, ``AU01``, ``au 1``, ``1`` or, as OpenFace names its columns, ``AU01_r``.

    Returns
    -------
    str
        A key of `ACTION_UNITS`.

    Raises
    ------
    LabelError
        If it is not one of them.

    Examples
    --------
    >>> parse("AU06"), parse(12), parse("AU01_c")
    ('AU6', 'AU12', 'AU1')
    """
    match = _CODE.fullmatch(str(code).strip().casefold())
    name = f"AU{match[1]}" if match else str(code)
    if name not in ACTION_UNITS:
        message = f"{str(code)!r} is not an action unit that fairfer knows; {did_you_mean(name, ACTION_UNITS)}"
        raise LabelError(message)
    return name


def in_order(units: Iterable[str]) -> tuple[str, ...]:
    """Codes, in any spelling, without repetition and in the order of their numbers.

    Raises
    ------
    LabelError
        If one is not an action unit.
    """
    present = {parse(unit) for unit in units}
    return tuple(code for code in ACTION_UNITS if code in present)
