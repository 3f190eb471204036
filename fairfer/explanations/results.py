"""Rows of the tables of an explanation.

Every row is strict and immutable. ``attribute`` is a grouping, ``group`` a tuple of levels (see `fairfer.vocabulary`). A value
that is not defined is ``None``, never 0 and never NaN.
"""

from __future__ import annotations

from typing import Literal

from fairfer.metrics.results import DifferenceStatus, ExcludedGroup, RateStatus
from fairfer.schema import Strict
from fairfer.vocabulary import Group, Grouping

Outcome = Literal["TP", "FN", "FP"]
"""The explained label is the true and the predicted label (TP), only the true one (FN), or only the predicted one (FP)."""


class RegionRelevance(Strict):
    """Where the relevance for one label is, on average over the faces of one group with one outcome.

    ``region`` is a region of the face or ``own``, the region in which the label shows. ``faces`` have a map with positive
    relevance and, for ``own``, such a region; ``subjects`` is their number of subjects, if subjects are known. ``mass`` is the
    mean share of the positive relevance, with its interval from ``low`` to ``high``; ``signed`` is the mean of the signed
    share, ``density`` of the area-normalized mass. ``rank_accuracy`` and ``pointing`` are those of ``own``, otherwise ``None``.
    Statuses are those of rates: with fewer faces or subjects than the minimum, a row takes part in no comparison.
    """

    label: str
    outcome: Outcome
    attribute: Grouping
    group: Group
    region: str
    faces: int
    subjects: int | None
    mass: float | None
    low: float | None
    high: float | None
    signed: float | None
    density: float | None
    rank_accuracy: float | None
    pointing: float | None
    status: RateStatus


class RegionDifference(Strict):
    """Difference of one measure of relevance between a group and another one, or all other groups together.

    ``measure`` is ``mass``, ``density`` or ``rank_accuracy``. ``difference`` is the mean of ``group`` minus that of
    ``reference`` (``None`` for the rest), without what the groups' mix of true and predicted labels explains, which is
    ``expected``. ``low`` and ``high`` are simultaneous confidence limits of it, and ``p`` is adjusted for all comparisons of
    all measures of the grouping (permutation max-T). ``standardized`` is the difference divided by the standard deviation of
    faces.
    """

    label: str
    outcome: Outcome
    attribute: Grouping
    region: str
    measure: str
    group: Group
    reference: Group | None
    difference: float
    expected: float
    low: float | None
    high: float | None
    standardized: float | None
    p: float
    significant: bool


class RegionComparison(Strict):
    """Whether the relevance of any label differs between the groups of one grouping, in any region.

    ``p`` is the p-value of the hypothesis that nothing differs: the smallest adjusted p-value of the ``tests`` (comparisons of
    measures). ``critical_value`` is the studentized difference, as a normal quantile, that is significant. ``differences`` are
    those of each group vs. the rest, and of pairs: the largest of each measure and all that are significant. ``groups`` took
    part, ``excluded`` have too few faces or subjects for each label and outcome, or no annotation.
    """

    attribute: Grouping
    p: float | None
    significant: bool
    tests: int
    permutations: int
    critical_value: float | None
    status: DifferenceStatus
    differences: list[RegionDifference]
    groups: list[Group]
    excluded: list[ExcludedGroup]
