"""The result of a gate: `Verdict`, with one `CheckResult` per check, stored as ``verdict.json``.

Attributes and groups are text here, spelled as in policy files. The JSON schema is ``gate/schemas/verdict.json``.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, field_serializer

from fairfer.gate.policy import Kind, Policy
from fairfer.metrics.results import ExclusionReason, RateStatus
from fairfer.schema import Stored, Strict

Outcome = Literal["pass", "fail", "inconclusive"]
SCHEMA_VERSION: Literal[2] = 2
EXIT_CODES: dict[Outcome, int] = {"pass": 0, "fail": 1, "inconclusive": 3}
VERDICT = "verdict.json"
"""Name of the file in a run folder."""


class GroupExclusion(Strict):
    """A group that cannot pass, and why; ``denominator`` is that of its rate."""

    group: str
    reason: ExclusionReason | RateStatus
    denominator: int

    def __str__(self) -> str:
        return f"{self.group} ({self.reason}, {self.denominator})"


class GroupSampleSize(Strict):
    """A number of samples of one group."""

    group: str
    samples: int


class NotJudged(Strict):
    """Faces that no check judges, and why."""

    reason: str
    faces: int

    def __str__(self) -> str:
        return f"{self.faces:,} {self.reason}"


class JudgedFaces(Strict):
    """How many faces of the data the checks judge.

    Attributes
    ----------
    judged, total
        Faces that at least one check judges, and faces of the data. Rows excluded by the protocol of the data do not count.
    attribute
        The grouping that is counted: of all that the policy names, the one with the fewest judged faces.
    not_judged
        The other faces by reason; each face once.
    """

    judged: int
    total: int
    attribute: str
    not_judged: list[NotJudged]


class LookCount(Strict):
    """How many models were judged on the same faces.

    Attributes
    ----------
    number
        Number of different models, with this one.
    candidates
        The number that the policy allows; ``None`` without one.
    error
        Probability of a wrong pass of this model.
    at_most, if_independent
        Probability that any of the models passes wrongly: at most the sum of their errors, and 1 minus the product of (1 minus
        the error) if their results are independent.
    """

    number: int
    candidates: int | None
    error: float
    at_most: float
    if_independent: float


class CheckResult(Strict):
    """The result of one check: a rule applied to one label and attribute.

    Attributes
    ----------
    rule, kind, limit, rate
        The rule's name, kind of limit, limit and rate.
    label
        ``*`` for a rate over all labels.
    attribute
        The grouping, as ``--by`` spells it.
    outcome
        ``pass``, ``fail`` or ``inconclusive``.
    reason
        The outcome explained in one sentence.
    observed
        The observed gap, ratio, rate of the worst group, or loss; ``None`` where it could not be computed.
    low, high
        One-sided confidence bounds of the same. The bound for a pass has the policy's confidence; the bound for a failure is
        adjusted for the number of checks (Holm).
    worst, best
        Groups with the least and the most favorable value.
    groups, excluded
        Groups that were judged, and the others.
    additional_samples
        Samples to add per group until the check is expected to be decided, if the observed rates are the true ones; ``None``
        where it is decided, or would not be with 100 times the samples.
    waived
        Reason and expiry date of the waiver that applies; ``None`` where none does.
    """

    rule: str
    kind: Kind
    limit: float
    rate: str
    label: str
    attribute: str
    outcome: Outcome
    reason: str
    observed: float | None
    low: float | None
    high: float | None
    worst: str | None
    best: str | None
    groups: list[str]
    excluded: list[GroupExclusion]
    additional_samples: list[GroupSampleSize] | None
    waived: str | None = None


class Verdict(Stored):
    """The result of a policy.

    Attributes
    ----------
    outcome
        ``fail`` if any check fails, else ``inconclusive`` if any is inconclusive, else ``pass``; waived checks do not count.
    exit_code
        0 pass, 1 fail, 3 inconclusive (0 with `allow_inconclusive`).
    allow_inconclusive
        Whether an inconclusive verdict exits with 0.
    checks
        One result per check.
    faces
        How many faces were judged, and why the others were not.
    ignored
        Faces that are not judged and that the policy ignores.
    warnings
        What makes the policy or the data suspicious.
    looks
        How many models were judged on the same faces; ``None`` where this is not counted.
    policy
        What was checked.
    policy_file
        Where it was read; empty for a policy that came from no file.
    data, model, model_version, date, audit_checksum
        The audit.
    inferred
        Attributes inferred by a model.
    baseline
        Model and version that regressions refer to; ``None`` without a baseline.
    paired
        Whether the baseline was compared on the same samples; ``None`` without a baseline.
    """

    remedy: ClassVar[str] = "run fairfer gate again"

    schema_version: Literal[2] = SCHEMA_VERSION
    outcome: Outcome
    exit_code: int
    allow_inconclusive: bool
    checks: list[CheckResult] = Field(min_length=1)
    faces: JudgedFaces
    ignored: list[str]
    warnings: list[str]
    looks: LookCount | None
    policy: Policy
    policy_file: str
    data: str
    model: str
    model_version: str
    date: str
    audit_checksum: str
    inferred: list[str]
    baseline: str | None
    paired: bool | None

    @field_serializer("policy")
    def _policy_as_written(self, policy: Policy) -> dict[str, Any]:
        """Only the keys that are set, as in the policy file."""
        return policy.model_dump(mode="json", exclude_none=True)
