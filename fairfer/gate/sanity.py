"""Whether data and policy make sense: what is refused, and what a verdict warns of."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING

from fairfer.errors import RunError
from fairfer.vocabulary import EVERYONE, NO_ANSWER

if TYPE_CHECKING:
    from fairfer.audits.result import Audit
    from fairfer.gate.policy import Policy

USUAL_CONFIDENCE = 0.9
"""A verdict warns of a lower confidence."""

LONGEST_WAIVER = dt.timedelta(days=366)
"""A verdict warns of waivers that are valid for longer."""

_WIDE_GAP = 0.5
_WIDE_MINIMUM = 0.1
"""Limits beyond these are satisfied by almost every model."""

_MANY = 100
"""A model that classifies this many faces without an error has probably seen their labels."""

_CHANCE_QUANTILE = 3.0
"""Standard errors by which agreement must be below chance before a verdict warns."""


def check_answers(audit: Audit) -> None:
    """Refuse an audit in which no face is classified correctly: truth and answers are probably in different vocabularies.

    Raises
    ------
    RunError
        Naming the labels of both sides.
    """
    counts = [c for c in audit.counts if c.attribute == EVERYONE]
    positives, predicted, hits = (sum(n) for n in zip(*((c.tp + c.fn, c.tp + c.fp, c.tp) for c in counts), strict=True))
    foreign = _foreign_answers(audit)
    if hits or not positives or not (predicted or foreign):
        return
    given = [c.label for c in counts if c.tp + c.fp] + foreign
    message = (
        f"no face of {audit.data.name} is classified correctly: the labels are {', '.join(audit.labels.audited)}, the answers "
        f"{', '.join(given[:8])}; spell or order the labels of both alike, and audit again"
    )
    raise RunError(message)


def _foreign_answers(audit: Audit) -> list[str]:
    """Labels that the model answered and the data do not have."""
    rows = (r for r in audit.confusions if r.attribute == EVERYONE and r.count)
    return sorted({r.predicted for r in rows} - {*audit.labels.audited, NO_ANSWER})


def warnings(policy: Policy, audit: Audit, baseline: Audit | None, today: dt.date) -> list[str]:
    """Reasons for doubt about a verdict, one sentence each."""
    found = [*_policy_warnings(policy, today), *_answer_warnings(audit)]
    if (
        baseline is not None
        and any(r.kind == "max_regression" for r in policy.rules)
        and baseline.model.predictions_digest == audit.model.predictions_digest
    ):
        found.append("the baseline has the same predictions as this model, so max_regression compares the model with itself")
    return found


def _policy_warnings(policy: Policy, today: dt.date) -> list[str]:
    found = []
    if policy.confidence < USUAL_CONFIDENCE:
        found.append(f"confidence is {policy.confidence:g}: one of {1 / (1 - policy.confidence):.0f} models at a limit passes")
    for rule in policy.rules:
        if rule.kind in ("max_gap", "max_regression") and rule.limit >= _WIDE_GAP:
            found.append(f"rule {rule.name}: {rule.kind} {rule.limit:g} is satisfied by almost every model")
        if rule.is_minimum and rule.limit <= _WIDE_MINIMUM:
            found.append(f"rule {rule.name}: {rule.kind} {rule.limit:g} is satisfied by almost every model")
    found += [
        f"the waiver of rule {w.rule} is valid for more than a year, until {w.expires.isoformat()}"
        for w in policy.waivers
        if w.expires - today > LONGEST_WAIVER
    ]
    return found


def _answer_warnings(audit: Audit) -> list[str]:
    [everyone] = [s for s in audit.sizes if s.attribute == EVERYONE]
    if everyone.judged >= _MANY and everyone.correct == everyone.judged:
        return [
            f"all {everyone.judged:,} answers equal the true labels: check that the predictions are not a copy of the labels"
        ]
    if audit.task == "single-label" and _below_chance(audit):
        return ["the answers agree with the labels less often than by chance: check the order of the model's labels"]
    return []


def _below_chance(audit: Audit) -> bool:
    """Whether the share of correct answers is clearly below that of answers given at random with the same frequencies."""
    counts = [c for c in audit.counts if c.attribute == EVERYONE]
    n = sum(c.tp + c.fn for c in counts)
    if not n:
        return False
    expected = sum((c.tp + c.fn) * (c.tp + c.fp) for c in counts) / n**2
    observed = sum(c.tp for c in counts) / n
    return observed < expected - _CHANCE_QUANTILE * math.sqrt(expected * (1 - expected) / n)
