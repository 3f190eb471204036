"""What a policy says of an audit: the one verdict that every face of the gate shows."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from fairfer.gate.policy import Kind  # noqa: TC001 - pydantic needs it at run time
from fairfer.metrics.results import AdditionalSamples, ExcludedGroup
from fairfer.schema import Stored, Strict

Outcome = Literal["pass", "fail", "inconclusive"]
SCHEMA_VERSION: Literal[1] = 1
EXIT_CODES: dict[Outcome, int] = {"pass": 0, "fail": 1, "inconclusive": 3}
VERDICT = "verdict.json"


class Finding(Strict):
    """One limit checked on one rate, label and attribute.

    ``observed`` is what was seen, between ``low`` and ``high``, one-sided bounds of which each is wrong in at most
    ``1 - confidence``. ``worst`` and ``best`` are the groups at the ends. ``waived`` is the reason of a waiver that covers it.
    """

    rule: str
    kind: Kind
    limit: float
    rate: str
    label: str
    attribute: str
    outcome: Outcome
    why: str
    observed: float | None
    low: float | None
    high: float | None
    worst: str | None
    best: str | None
    groups: list[str]
    excluded: list[ExcludedGroup]
    additional_samples: list[AdditionalSamples] | None
    waived: str | None = None


class Verdict(Stored):
    """The outcome of a policy, with everything it rests on."""

    again: ClassVar[str] = "run fairfer gate again"

    schema_version: Literal[1] = SCHEMA_VERSION
    outcome: Outcome
    exit_code: int
    allow_inconclusive: bool
    findings: list[Finding] = Field(min_length=1)
    policy: dict[str, Any]
    data: str
    model: str
    model_version: str
    date: str
    audit_checksum: str
    inferred: list[str]
    baseline: str | None
    paired: bool | None
