"""Rows of changes of rates between two sets of answers for the same samples. Imports no table library."""

from __future__ import annotations

from fairfer.metrics.results import RateStatus
from fairfer.schema import Strict
from fairfer.vocabulary import Group, Grouping


class Change(Strict):
    """The change of one rate of one group.

    Of ``trials`` samples, ``both`` are hits of both models, ``gained`` of the candidate only and ``lost`` of the base only;
    ``change`` is the candidate's rate minus the base's. ``p`` is McNemar's mid-p-value, ``q`` the same, FDR-adjusted over all
    changes. Where several samples show one subject, ``effective_size`` and ``largest_share`` are as those of a rate
    (`fairfer.metrics.results.Rate`).
    """

    label: str
    attribute: Grouping
    group: Group
    rate: str
    trials: int
    both: int
    gained: int
    lost: int
    base: float | None
    candidate: float | None
    change: float | None
    low: float | None
    high: float | None
    p: float | None
    q: float | None
    status: RateStatus
    effective_size: float | None = None
    largest_share: float | None = None
