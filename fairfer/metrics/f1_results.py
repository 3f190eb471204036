"""Rows of the table of differences in macro-F1, as those in `fairfer.metrics.results`."""

from __future__ import annotations

from typing import Literal

from fairfer.metrics.results import ExcludedGroup, GroupDifference
from fairfer.schema import Strict
from fairfer.vocabulary import Group, Grouping

F1Measure = Literal["macro-F1", "weighted macro-F1"]
F1GapStatus = Literal["ok", "too_few_groups", "no_variation", "shared_subjects"]
"""
``no_variation``: no outcome with these numbers would be significant; ``shared_subjects``: a subject has samples in several
groups, so that whole subjects cannot be reassigned.
"""


class F1Gap(Strict):
    """The differences between the groups of one grouping in F1 averaged over all audited labels.

    ``worst`` and ``best`` are the groups with the lowest and the highest value, ``difference`` is theirs, and
    ``expected_by_chance`` its 95th percentile under permutation. ``p`` is that of the largest studentized difference of all
    pairs and of each group vs. the rest (permutation max-T), ``q`` the same, FDR-adjusted (Benjamini-Hochberg) over all rows
    of this table. ``differences`` are those of pairs and of each group vs. the rest. Their limits are simultaneous for the
    comparisons of a row, and allow for the number of significant rows. Differences that are not significant have them too,
    unlike those of a `Gap`.
    """

    attribute: Grouping
    measure: F1Measure
    worst: Group | None
    best: Group | None
    difference: float | None
    expected_by_chance: float | None
    p: float | None
    q: float | None
    significant: bool
    borderline: bool
    critical_value: float | None
    status: F1GapStatus
    differences: list[GroupDifference]
    groups: list[Group]
    excluded: list[ExcludedGroup]
