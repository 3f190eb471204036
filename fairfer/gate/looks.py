"""Ledger of looks: which models were judged on which faces.

If several models are judged on the same faces, a wrong pass of any of them is more likely than the error of the policy.
The caller keeps the ledger, a JSON file, with the baseline. It is read before a verdict and written with it.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from fairfer.errors import RunError
from fairfer.gate.verdict import LookCount, Outcome
from fairfer.schema import Stored, Strict

if TYPE_CHECKING:
    from fairfer.audits.result import Audit
    from fairfer.gate.policy import Policy

SCHEMA_VERSION: Literal[1] = 1


class Candidate(Strict):
    """A model that was judged.

    Attributes
    ----------
    digest
        Identity of its answers and of the decision thresholds.
    model, version
        Its name and version, for readers.
    error
        Probability of a wrong pass, the largest of all looks at this model.
    outcome
        Of the last look.
    looks
        Number of verdicts.
    """

    digest: str
    model: str
    version: str
    error: float
    outcome: Outcome
    looks: int


class Series(Strict):
    """Models judged on one test set.

    Attributes
    ----------
    test_set
        Digest of samples and true labels.
    data
        Name of the dataset, for readers.
    candidates
        In the order of their first look.
    """

    test_set: str
    data: str
    candidates: list[Candidate]


class Ledger(Stored):
    """All series of one file."""

    remedy: ClassVar[str] = "restore the file, or begin a new ledger if these faces were judged by no other model"

    schema_version: Literal[1] = SCHEMA_VERSION
    series: list[Series]

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Ledger:
        """Read a ledger; a file that does not exist is an empty one.

        Raises
        ------
        RunError
            When the file is damaged.
        """
        return cls.read(path) if Path(path).exists() else cls(series=[])

    def count(self, audit: Audit, policy: Policy) -> LookCount:
        """How many models were judged on the faces of the audit, including this one."""
        others = [c for c in self._candidates(audit) if c.digest != candidate_digest(audit)]
        own = max([policy.passing_error, *(c.error for c in self._candidates(audit) if c.digest == candidate_digest(audit))])
        errors = [*(c.error for c in others), own]
        return LookCount(
            number=len(errors),
            candidates=policy.looks.candidates if policy.looks else None,
            error=policy.passing_error,
            at_most=chance_at_most(errors),
            if_independent=chance_if_independent(errors),
        )

    def with_look(self, audit: Audit, policy: Policy, outcome: Outcome) -> Ledger:
        """The ledger with one more verdict. The same model again is the same candidate."""
        digest, candidates = candidate_digest(audit), self._candidates(audit)
        before = next((c for c in candidates if c.digest == digest), None)
        look = Candidate(
            digest=digest,
            model=audit.model.name,
            version=audit.model.version,
            error=max(policy.passing_error, before.error if before else 0.0),
            outcome=outcome,
            looks=1 + (before.looks if before else 0),
        )
        new = [look if c.digest == digest else c for c in candidates] if before else [*candidates, look]
        series = Series(test_set=test_set_digest(audit), data=audit.data.name, candidates=new)
        others = [s for s in self.series if s.test_set != series.test_set]
        return Ledger(series=[*others, series] if len(others) == len(self.series) else self._replaced(series))

    def _replaced(self, series: Series) -> list[Series]:
        return [series if s.test_set == series.test_set else s for s in self.series]

    def _candidates(self, audit: Audit) -> list[Candidate]:
        digest = test_set_digest(audit)
        return next((s.candidates for s in self.series if s.test_set == digest), [])


def chance_at_most(errors: Sequence[float]) -> float:
    """Upper limit of the probability that any of several models passes wrongly (Boole's inequality)."""
    return min(1.0, math.fsum(errors))


def chance_if_independent(errors: Sequence[float]) -> float:
    """The same if the results of the models are independent."""
    return 1.0 - math.prod(1.0 - e for e in errors)


def candidate_digest(audit: Audit) -> str:
    """Identity of a candidate: the model's answers, and the thresholds that make decisions of them."""
    return _digest([audit.model.predictions_digest, dict(sorted(audit.plan.thresholds.items()))])


def test_set_digest(audit: Audit) -> str:
    """Identity of the faces that an audit judges.

    Raises
    ------
    RunError
        When the audit is from a version of fairfer that did not store it.
    """
    if not audit.data.test_set_digest:
        message = "an earlier version of fairfer made the audit, which does not identify its faces; run fairfer audit again"
        raise RunError(message)
    return audit.data.test_set_digest


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
