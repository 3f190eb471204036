"""The result of comparing two runs on the same samples: rows, to and from ``comparison.json``. Imports no table library."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from fairfer.metrics.change_results import Change
from fairfer.metrics.results import DifferenceStatus
from fairfer.schema import Stored, Strict
from fairfer.vocabulary import Group, Grouping, Task

__all__ = ["SCHEMA_VERSION", "Change", "Comparison", "Flip", "GapChange", "MissingSample", "Side"]

SCHEMA_VERSION: Literal[2] = 2


class Side(Strict):
    """One of the two runs."""

    run: str
    model: str
    version: str
    options: dict[str, str]
    labels: list[str]
    predictions_digest: str


class MissingSample(Strict):
    """A sample that is not compared, and why."""

    sample_id: str
    only_in: Literal["base", "candidate", "neither"]
    reason: str


class GapChange(Strict):
    """The change of one gap, between the groups that are large enough in the samples of both runs."""

    label: str
    attribute: Grouping
    rate: str
    base: float | None
    candidate: float | None
    change: float | None
    low: float | None
    high: float | None
    worst_base: Group | None
    worst_candidate: Group | None
    groups: list[Group]
    excluded: list[Group]
    status: DifferenceStatus


class Flip(Strict):
    """A sample that the two models classify differently."""

    sample_id: str
    truth: str
    base: str
    candidate: str


class Comparison(Stored):
    """Two runs on the same samples, paired sample by sample.

    ``changes`` are over the labels that both models can output. ``other_labels`` has the TPR of labels that only one of them
    can: 0 for the other.
    """

    remedy: ClassVar[str] = "compare again"

    schema_version: Literal[2] = SCHEMA_VERSION
    base: Side
    candidate: Side
    task: Task
    data: str
    date: str
    labels: list[str]
    by: list[Grouping]
    inferred: list[str] = Field(default_factory=list)
    """Attributes that a model inferred."""
    minimum: int
    confidence: float
    subject: str
    samples: int
    missing: list[MissingSample]
    changes: list[Change]
    other_labels: list[Change] = Field(default_factory=list)
    gaps: list[GapChange]
    flips: list[Flip] = Field(default_factory=list)

    def with_other_labels(self) -> Comparison:
        """The comparison with `other_labels` among its changes."""
        return self.model_copy(update={"changes": [*self.changes, *self.other_labels]}) if self.other_labels else self
