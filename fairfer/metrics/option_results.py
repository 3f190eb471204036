"""Rows of the analyses that a plan asks for: answer times, partial pooling, the interaction test and the GEE model."""

from __future__ import annotations

from typing import Literal

from fairfer.metrics.results import GroupValue
from fairfer.schema import Strict
from fairfer.vocabulary import Group, Grouping

InteractionStatus = Literal["ok", "too_few_groups", "no_variation", "subjects"]
"""
``too_few_groups``: the cells leave nothing to test; ``no_variation``: no hit, or nothing but hits; ``subjects``: not available
where several samples show one subject.
"""

GeeRowStatus = Literal["ok", "too_few_groups", "separated", "not_converged", "not_estimable"]
"""
``separated``: the outcome is the same for all samples with some level; ``not_estimable``: too few subjects, or collinear
columns.
"""


class AnswerTime(Strict):
    """Seconds per image that a model took to answer the images of one group.

    ``low`` and ``high`` are confidence limits of the median. ``images_per_call`` is the largest number of images that it was
    asked for at a time: above 1, each image has the average of its call.
    """

    attribute: Grouping
    group: Group
    images: int
    mean: float | None
    median: float | None
    low: float | None
    high: float | None
    percentile_95: float | None
    images_per_call: int | None
    status: Literal["ok", "not_estimable", "unannotated"]


class PooledRate(Strict):
    """A rate of one intersection, as observed and partially pooled with all others (see `fairfer.stats.beta_binomial`).

    ``own_weight`` is the share of the group's own rate in ``pooled``; the rate common to all groups has the rest.
    """

    label: str
    attribute: Grouping
    group: Group
    rate: str
    denominator: int
    value: float | None
    low: float | None
    high: float | None
    pooled: float | None
    pooled_low: float | None
    pooled_high: float | None
    own_weight: float | None
    status: Literal["ok", "not_estimable", "unannotated", "too_few_groups"]


class Interaction(Strict):
    """Whether two attributes act on a rate together, beyond the sum of their effects on the logit scale.

    ``group`` deviates most, for its size, from what is additive: ``value`` is its rate, ``additive`` the rate of the additive
    model. ``q`` is ``p``, adjusted over all interaction tests of the audit (Benjamini-Hochberg).
    """

    label: str
    attribute: Grouping
    rate: str
    group: Group | None
    value: float | None
    additive: float | None
    statistic: float | None
    degrees_of_freedom: int | None
    p: float | None
    q: float | None
    status: InteractionStatus


class GeeDifference(Strict):
    """A covariate-standardized difference between two groups, from a logistic GEE model.

    ``groups`` are the mean predicted rates if all samples belonged to each group. ``difference`` is that of ``best`` minus
    ``worst``, which are the groups of the directly standardized gap in ``standardized``, or else those with the highest and the
    lowest rate here. ``p`` tests whether any group differs; ``q`` is the same, adjusted over all models of the audit.
    """

    label: str
    attribute: Grouping
    rate: str
    worst: Group | None
    best: Group | None
    difference: float | None
    low: float | None
    high: float | None
    standardized: float | None
    p: float | None
    q: float | None
    correlation: float | None
    samples: int
    subjects: int
    status: GeeRowStatus
    groups: list[GroupValue]
