"""Rows of the results on action units beside an emotion audit."""

from __future__ import annotations

from typing import Literal

from fairfer.schema import Strict
from fairfer.vocabulary import Group, Grouping

UnitKind = Literal["labels", "detected", "estimated"]
"""``labels``: coded by people; ``detected``: by a model; ``estimated``: from landmarks, by geometry."""

ShareStatus = Literal["ok", "correct", "small", "few_subjects", "no_reference", "cannot_reject", "unannotated"]
"""
``ok``: tested; ``correct``: faces classified correctly, which the others are compared with; ``small``: fewer faces than the
minimum; ``few_subjects``: fewer subjects than the minimum; ``no_reference``: too few faces were classified correctly to compare
with; ``cannot_reject``: so few or so many faces show the unit that no difference could be significant; ``unannotated``: a group
without a value of the attribute, which is not tested.
"""

GapOutcome = Literal["labels", "predictions", "difference"]
"""
``labels``: how often faces have the label; ``predictions``: how often it is predicted; ``difference``: predictions minus labels
of the same faces, which is what the model adds to the labels.
"""

GapStatus = Literal["ok", "no_units", "too_few_groups", "no_common_patterns", "no_variation", "few_expected"]
"""
``no_units``: the table has no unit that the label is conditioned on; ``too_few_groups``: no two groups have enough faces;
``no_common_patterns``: no pattern occurs in both; ``no_variation``: nothing differs between faces of one pattern;
``few_expected``: too few faces for the test, so that it has no p-value.
"""

PatternStatus = Literal["ok", "small", "few_expected", "subjects"]
"""
``small``: a group has fewer faces than the minimum; ``few_expected``: an expected count is below 5; ``subjects``: not tested,
because several faces show one subject.
"""


class ActionUnitInfo(Strict):
    """The table of action units.

    ``known`` is the number of audited faces for which a unit is known, by unit; ``notes`` are what the reader of the table
    stated, such as the threshold of a unit.
    """

    source: str
    kind: UnitKind
    notes: list[str]
    known: dict[str, int]


class ActionUnitShare(Strict):
    """How many faces of one group, true label and prediction show an action unit.

    ``present`` of the ``known`` faces show it, of ``faces`` in all. ``correct_present`` of ``correct_known`` are those of the
    same group and label that were classified correctly; ``p`` compares both. ``q`` is ``p``, adjusted over all of these tests.
    A row with the unit ``*`` stands for a cell with too few faces, for which no share is given.
    """

    attribute: Grouping
    group: Group
    truth: str
    predicted: str
    unit: str
    faces: int
    present: int | None
    known: int | None
    value: float | None
    low: float | None
    high: float | None
    correct_present: int | None
    correct_known: int | None
    correct_value: float | None
    p: float | None
    q: float | None
    status: ShareStatus


class ConditionedGap(Strict):
    """A difference between two groups in how often a label is given, at equal patterns of action units.

    ``group`` is compared with ``reference``, or with all other compared groups together where that is ``None``. ``rate`` and
    ``reference_rate`` are directly standardized to the patterns of both, ``value`` is their difference, and ``unconditioned``
    the plain difference of the same faces. ``p`` is that of the Mantel-Haenszel test over all patterns; ``q`` is the same,
    adjusted over all gaps of the audit; where it is below 0.05 the interval allows for the selection of such gaps. ``faces``
    have known units and an answer, ``left_out`` faces of these groups do not.
    """

    label: str
    attribute: Grouping
    group: Group | None
    reference: Group | None
    outcome: GapOutcome
    units: list[str]
    lacking: list[str]
    faces: int
    left_out: int
    patterns: int
    covered_share: float | None
    rate: float | None
    reference_rate: float | None
    unconditioned: float | None
    value: float | None
    low: float | None
    high: float | None
    statistic: float | None
    p: float | None
    q: float | None
    status: GapStatus


class PatternGap(Strict):
    """The same difference in the faces of one pattern, with its chi-square test, as Chen and Joo (2021) report it.

    ``pattern`` names the units that are present, of ``units``. ``low`` and ``high`` are Newcombe's limits. ``q`` is adjusted
    over all patterns of the audit.
    """

    label: str
    attribute: Grouping
    group: Group
    reference: Group | None
    outcome: GapOutcome
    units: list[str]
    pattern: str
    numerator: int
    denominator: int
    value: float | None
    reference_numerator: int
    reference_denominator: int
    reference_value: float | None
    difference: float | None
    low: float | None
    high: float | None
    chi_square: float | None
    p: float | None
    q: float | None
    status: PatternStatus
