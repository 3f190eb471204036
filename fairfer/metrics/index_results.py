"""Rows of the tables of confusion gaps, summary indices and impact ratios, as those in `fairfer.metrics.results`."""

from __future__ import annotations

from typing import Literal

from fairfer.metrics.results import ExcludedGroup
from fairfer.schema import Strict
from fairfer.vocabulary import Group, Grouping

ConfusionGapStatus = Literal["ok", "too_few_groups", "cannot_reject"]
"""``cannot_reject``: with this number of confusions and these group sizes, no outcome would have p ≤ 0.05."""

IndexName = Literal[
    "equalized-odds difference",
    "mean equalized-odds difference",
    "largest equalized-odds difference",
    "MERG",
    "SER",
    "MERA",
    "Gini",
    "GARBE",
    "Fairness Discrepancy Rate",
    "inequity rate",
    "impact ratio",
    "fair F1",
]
IndexStatus = Literal["ok", "too_few_groups", "zero_rate"]
"""``zero_rate``: not defined, because the rate of a group (or of all groups) is 0."""

ImpactStatus = Literal["ok", "small", "not_estimable", "unannotated", "no_comparison"]
"""``no_comparison``: fewer than two groups can be compared, or no group is ever selected."""


class ConfusionGap(Strict):
    """How much the groups of one grouping differ in one confusion: samples with one true label predicted as another.

    ``worst`` and ``best`` are the groups with the highest and the lowest rate; ``difference`` and ``ratio`` are theirs.
    ``group`` is the group that differs most, for its size, from the rest of the groups compared; ``ratio_to_rest`` is its rate
    divided by theirs. ``p`` is that of the largest difference from the rest under random reassignment, ``q`` the same,
    FDR-adjusted (Benjamini-Hochberg) over the confusions of all groupings that could be significant. ``low`` and ``high`` are
    confidence limits of ``ratio_to_rest``, adjusted for the selection (Benjamini and Yekutieli 2005): only with q < 0.05, and
    ``high`` is ``None`` where no limit exists.
    """

    attribute: Grouping
    truth: str
    predicted: str
    worst: Group | None
    best: Group | None
    worst_rate: float | None
    best_rate: float | None
    difference: float | None
    ratio: float | None
    group: Group | None
    group_rate: float | None
    rest_rate: float | None
    ratio_to_rest: float | None
    low: float | None
    high: float | None
    p: float | None
    q: float | None
    status: ConfusionGapStatus
    groups: list[Group]
    excluded: list[ExcludedGroup]


class FairnessIndex(Strict):
    """One summary index of the rates of the groups of one grouping (see `fairfer.metrics.indices`).

    ``rate`` names the rates that it summarizes. ``low`` and ``high`` are the smallest and the largest value of the index over
    the simultaneous confidence intervals of the groups' rates; ``None`` where it has no limit. ``chance_median`` is its median
    under random reassignment, and ``expected_by_chance`` the value beyond which it is, in the direction of
    inequality, with a probability of one minus the confidence. ``labels`` is the number of labels that it summarizes.
    """

    label: str
    attribute: Grouping
    index: IndexName
    rate: str
    value: float | None
    low: float | None
    high: float | None
    chance_median: float | None
    expected_by_chance: float | None
    status: IndexStatus
    labels: int
    groups: list[Group]
    excluded: list[ExcludedGroup]


class ImpactRatio(Strict):
    """Selection rate or scoring rate of one group, and its ratio to the group with the highest rate (6 RCNY § 5-301).

    The *scoring rate* is the share of faces whose score is above the median score of all faces. Scores are stored in bins:
    the ``median_bin`` faces whose score lies in the same bin as the median count in proportion, and the limits allow for it.
    ``low`` and ``high`` belong to ``value``; ``ratio_low`` and ``ratio_high`` are simultaneous for all groups compared.
    ``share`` is that of the group among all annotated samples of the grouping, ``below_2_percent`` whether the group may be
    left out with a justification.
    """

    label: str
    attribute: Grouping
    group: Group
    rate: Literal["selection rate", "scoring rate"]
    samples: int
    share: float | None
    below_2_percent: bool
    median_bin: int | None
    value: float | None
    low: float | None
    high: float | None
    impact_ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    status: ImpactStatus
