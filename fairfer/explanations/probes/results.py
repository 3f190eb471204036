"""The result of probing a run: rows, to and from ``probes.json``. Imports no table library."""

from __future__ import annotations

from typing import ClassVar, Literal

from fairfer.metrics.change_results import Change
from fairfer.metrics.results import DifferenceStatus, ExcludedGroup, GroupDifference, RateStatus, StandardizedGap
from fairfer.schema import Stored, Strict
from fairfer.vocabulary import Group, Grouping, Task

PROBES = "probes.json"
"""Name of the file in a run folder."""

SCHEMA_VERSION: Literal[1] = 1


class FlipRate(Strict):
    """How often the answer for a face of one group changes with its picture.

    Of the ``answered`` faces (those with an answer for the original picture), ``flips`` have another answer for the changed
    one; ``lost`` of these have none any more. ``rate`` is ``flips`` over ``answered``. ``unanswered`` faces had no answer for
    the original picture; ``gained`` of these have one for the changed picture. ``label`` is ``*`` for the predicted label, or
    all decisions of a multi-label model together; else one label, whose decision changes.
    """

    label: str
    attribute: Grouping
    group: Group
    answered: int
    flips: int
    lost: int
    unanswered: int
    gained: int
    rate: float | None
    low: float | None
    high: float | None
    status: RateStatus
    effective_size: float | None = None


class FlipGap(Strict):
    """The differences between the groups of one grouping in a flip rate; fields as those of `fairfer.metrics.results.Gap`.

    ``highest`` and ``lowest`` are the groups with the highest and the lowest flip rate. All flip gaps of all probes are one
    family of tests. ``standardized`` is the same between groups with the same mix of true labels and of the columns of
    ``--standardize`` (another family); ``None`` for multi-label data and where the gap was not tested.
    """

    label: str
    attribute: Grouping
    highest: Group | None
    lowest: Group | None
    difference: float | None
    expected_by_chance: float | None
    p: float | None
    q: float | None
    significant: bool
    borderline: bool
    status: DifferenceStatus
    differences: list[GroupDifference]
    groups: list[Group]
    excluded: list[ExcludedGroup]
    standardized: StandardizedGap | None = None

    @property
    def leading(self) -> GroupDifference | None:
        """The significant difference whose certain size is largest; without a significant one, that with the least p-value."""
        return max(self.differences, key=lambda d: (d.significant, d.certain_size, -d.p, abs(d.difference)), default=None)


class ProbeResult(Strict):
    """What one change at one level does to the answers.

    Attributes
    ----------
    perturbation, level
        As ``--probe`` spells them.
    position
        The level as a number; ``None`` where levels are names.
    unchanged
        Pictures that the change leaves as they are. Their answers are those to the original pictures.
    flips
        By label, grouping and group, everyone first.
    gaps
        By label and grouping.
    changes
        Of TPR and FPR per label, of the accuracy and of coverage, by grouping and group: base is the original picture,
        candidate the changed one. FNR and TNR change by the same amounts in the other direction. ``q`` is FDR-adjusted over
        all changes of all probes.
    """

    perturbation: str
    level: str
    position: float | None
    unchanged: int
    flips: list[FlipRate]
    gaps: list[FlipGap]
    changes: list[Change]

    @property
    def name(self) -> str:
        """``brightness=-40``."""
        return f"{self.perturbation}={self.level}"


class Probes(Stored):
    """Answers of one model to changed pictures, compared with its answers to the original ones.

    Attributes
    ----------
    predictions_digest, data_digest, plan_digest
        Predictions, data and plan of the audit whose faces and groups these are.
    samples
        Number of faces.
    results
        In the order of `fairfer.explanations.probes.perturbations.PERTURBATIONS`, levels ascending.
    """

    remedy: ClassVar[str] = "run fairfer probe again"

    schema_version: Literal[1] = SCHEMA_VERSION
    predictions_digest: str
    data_digest: str
    plan_digest: str
    task: Task
    samples: int
    results: list[ProbeResult]
