"""Action units of the Facial Action Coding System (FACS, Ekman & Friesen 1978) as data, and pure functions of them.

Nothing here knows images, models or audits. Sets of action units are sets of codes such as ``"AU12"``.

* `ACTION_UNITS`, `parse`: names, descriptions, muscles, regions (`fairfer.facs.action_units`)
* `SOURCES`, `prototype`: sets that sources assign to emotions (`fairfer.facs.prototypes`)
* `jaccard`: similarity of two sets (`fairfer.facs.similarity`)
* `describe`, `prescriptions`: sets in words (`fairfer.facs.words`)
* `fairfer.facs.geometry`: estimates from landmarks
"""

from fairfer.facs.action_units import ACTION_UNITS, REGIONS, ActionUnit, Region, parse
from fairfer.facs.prototypes import SOURCES, prototype
from fairfer.facs.similarity import jaccard
from fairfer.facs.words import Prescription, describe, prescriptions

__all__ = [
    "ACTION_UNITS",
    "REGIONS",
    "SOURCES",
    "ActionUnit",
    "Prescription",
    "Region",
    "describe",
    "jaccard",
    "parse",
    "prescriptions",
    "prototype",
]
