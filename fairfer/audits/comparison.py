"""What a comparison of two runs is: rows, to and from ``comparison.json``. Imports no table library."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from fairfer.metrics.results import GapStatus, RateStatus, Strict
from fairfer.schema import Stored

SCHEMA_VERSION: Literal[1] = 1


class Side(Strict):
    """One of the two runs."""

    run: str
    model: str
    version: str
    options: dict[str, str]
    labels: list[str]
    predictions_digest: str


class Missing(Strict):
    """A sample that only one of the runs has."""

    sample_id: str
    only_in: str
    why: str


class Change(Strict):
    """What became of one rate of one group.

    Of ``trials`` samples ``both`` are hits of both models, ``gained`` of the candidate only and ``lost`` of the base only;
    ``change`` is the candidate's rate minus the base's. ``p`` is McNemar's mid-p, ``q`` the same over all changes.
    """

    label: str
    attribute: str
    group: str
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


class GapChange(Strict):
    """What became of one gap, between the groups that are large enough in the samples of both runs."""

    label: str
    attribute: str
    rate: str
    base: float | None
    candidate: float | None
    change: float | None
    low: float | None
    high: float | None
    worst_base: str | None
    worst_candidate: str | None
    groups: list[str]
    excluded: list[str]
    status: GapStatus


class Flip(Strict):
    """A sample of which the two models say different things."""

    sample_id: str
    truth: str
    base: str
    candidate: str


class Standing(Strict):
    """A run's place among several."""

    run: str
    model: str
    faces: int
    accuracy: float | None
    low: float | None
    high: float | None
    worst: str | None
    worst_attribute: str | None
    worst_accuracy: float | None
    gap: float | None
    gap_expected_by_chance: float | None
    gap_q: float | None
    gap_of: str | None
    gap_attribute: str | None
    inferred: list[str]


class Comparison(Stored):
    """Two runs on the same samples, paired."""

    remedy: ClassVar[str] = "compare again"

    schema_version: Literal[1] = SCHEMA_VERSION
    base: Side
    candidate: Side
    data: str
    date: str
    labels: list[str]
    by: list[list[str]]
    inferred: list[str] = Field(default_factory=list)
    """Attributes that a model inferred."""
    minimum: int
    confidence: float
    subject: str
    samples: int
    missing: list[Missing]
    changes: list[Change]
    gaps: list[GapChange]
    flips: list[Flip] = Field(default_factory=list)
