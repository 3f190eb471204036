"""Checks: what a rule limits, measured in an audit for one label and grouping, with confidence bounds.

A check decides nothing; `fairfer.gate.judge` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairfer.errors import RunError
from fairfer.gate.measurements import COMPLEMENTS, UNBOUNDED, Measurement, measure_level, measure_loss, measure_paired_loss
from fairfer.gate.verdict import GroupExclusion
from fairfer.vocabulary import ALL, Group, Grouping, group_name, grouping_name, is_annotated

if TYPE_CHECKING:
    from fairfer.audits.comparison import Comparison
    from fairfer.audits.result import Audit
    from fairfer.gate.policy import Rule
    from fairfer.metrics.results import ExclusionReason, Rate

REGRESSION_RATES = ("TPR", "FPR", "TNR", "FNR", "accuracy", "subset accuracy", "coverage")
"""Rates that ``max_regression`` may limit: those whose denominator does not depend on the model."""


@dataclass(frozen=True)
class Target:
    """One label and grouping of a rule."""

    rule: Rule
    label: str
    grouping: Grouping

    @property
    def attribute(self) -> str:
        """The grouping as policy files spell it."""
        return grouping_name(self.grouping)

    @property
    def rate_name(self) -> str:
        """``happiness TPR``; only the rate where it is over all labels."""
        return self.rule.rate if self.label == ALL else f"{self.label} {self.rule.rate}"


@dataclass(frozen=True)
class Check:
    """A rule applied to one label and grouping.

    Attributes
    ----------
    target
        What is checked.
    sizes
        Denominator of each group that is judged, by its name.
    excluded
        The other groups.
    measurement
        The observed value; ``None`` where the check cannot be decided.
    reason
        Why it cannot be decided.
    """

    target: Target
    sizes: dict[str, int]
    excluded: tuple[GroupExclusion, ...]
    measurement: Measurement | None = None
    reason: str = ""

    def bounds(self, passing_error: float, failing_error: float, factor: float = 1.0) -> tuple[float, float]:
        """Lower and upper confidence bound of the observed value; NaN without one, or where none keeps its error.

        Parameters
        ----------
        passing_error
            Error probability of the bound on which a pass rests.
        failing_error
            The same for a failure.
        factor
            Multiplies the sample size.
        """
        if self.measurement is None or self.measurement.reason:
            return float("nan"), float("nan")
        errors = (passing_error, failing_error) if self.target.rule.is_minimum else (failing_error, passing_error)
        return self.measurement.bounds(*errors, factor)

    def passes(self, error: float, factor: float = 1.0) -> bool:
        """Whether the confidence bound with this error satisfies the limit."""
        low, high = self.bounds(error, UNBOUNDED, factor)
        rule = self.target.rule
        return low >= rule.limit if rule.is_minimum else high <= rule.limit

    def fails(self, error: float, factor: float = 1.0) -> bool:
        """Whether the confidence bound with this error violates the limit."""
        low, high = self.bounds(UNBOUNDED, error, factor)
        rule = self.target.rule
        return high < rule.limit if rule.is_minimum else low > rule.limit


def create_check(target: Target, audit: Audit, baseline: Audit | None = None, comparison: Comparison | None = None) -> Check:
    """Measure what a rule limits, for one label and grouping.

    Parameters
    ----------
    target
        Rule, label and grouping, all of which the audit (or, for a regression, the baseline) has.
    audit, baseline, comparison
        As for `fairfer.gate.judge.judge`; a regression needs a baseline.

    Raises
    ------
    RunError
        When the audit or the baseline lacks the rate for this label and grouping.
    """
    rule = target.rule
    minimum = rule.minimum or audit.plan.minimum
    rates: dict[Group, Rate] = {}
    if target.label == ALL or target.label in audit.labels.audited:
        rates = _rates_by_group(target, audit, "audit")
    judged = {g: r for g, r in rates.items() if r.value is not None and (r.denominator or 0) >= minimum and is_annotated(g)}
    check = Check(
        target,
        {group_name(g): r.denominator or 0 for g, r in judged.items()},
        tuple(_exclusion(g, r, minimum) for g, r in rates.items() if g not in judged),
    )
    reason = (
        _label_difference(target, audit, baseline)
        or _rarely_predicted(target, audit, rates, judged, minimum)
        or _missing_groups(target, rates, judged, minimum)
    )
    if not reason:
        outcome = (
            _regression(target, judged, baseline, comparison, minimum)
            if rule.kind == "max_regression" and baseline is not None
            else measure_level(rule, list(judged.values()))
        )
        if isinstance(outcome, Measurement):
            return Check(check.target, check.sizes, check.excluded, outcome)
        reason = outcome
    return Check(check.target, check.sizes, check.excluded, reason=reason)


def _rates_by_group(target: Target, audit: Audit, role: str) -> dict[Group, Rate]:
    rates = {
        r.group: r
        for r in audit.rates
        if (r.rate, r.label) == (target.rule.rate, target.label) and r.attribute == target.grouping
    }
    if not rates:
        message = (
            f"the {role} has no {target.rate_name} by {target.attribute}; repeat the {role} run with --by {target.attribute}"
        )
        raise RunError(message)
    return rates


def _exclusion(group: Group, rate: Rate, minimum: int) -> GroupExclusion:
    reason: ExclusionReason = "small"
    if not is_annotated(group):
        reason = "unannotated"
    elif rate.status in ("empty", "not_estimable"):
        reason = rate.status
    elif (rate.denominator or 0) >= minimum:
        reason = "not_estimable"
    return GroupExclusion(group=group_name(group), reason=reason, denominator=rate.denominator or 0)


def _label_difference(target: Target, audit: Audit, baseline: Audit | None) -> str:
    """Why a regression cannot be judged: audit and baseline have different labels, and so different samples; else empty."""
    if target.rule.kind != "max_regression" or baseline is None:
        return ""
    labels, baseline_labels = audit.labels.audited, baseline.labels.audited
    if target.label not in (ALL, *labels):
        return (
            f"{target.rate_name}: the baseline was audited with label {target.label}, this model was not "
            "(see --unsupported-labels); it may have lost the label"
        )
    if target.label not in (ALL, *baseline_labels):
        return (
            f"{target.rate_name}: the baseline was not audited with label {target.label}, so there is nothing to compare with"
        )
    different = sorted(set(labels) ^ set(baseline_labels))
    if different and target.rule.rate not in ("TPR", "FNR"):
        return (
            f"{target.rate_name}: audit and baseline contain different faces, because only one has "
            f"{', '.join(different)}; audit both with --unsupported-labels keep"
        )
    return ""


def _rarely_predicted(target: Target, audit: Audit, rates: dict[Group, Rate], judged: dict[Group, Rate], minimum: int) -> str:
    """Why a precision cannot be judged: a group is large enough, but the label is rarely predicted for it; else empty."""
    if target.rule.rate != "PPV":
        return ""
    groups = [
        group_name(g)
        for g, r in rates.items()
        if g not in judged and is_annotated(g) and audit.size(r.attribute, r.group) >= minimum
    ]
    if not groups:
        return ""
    return f"{target.rate_name}: the model predicts {target.label} too rarely for {', '.join(groups)} to judge it"


def _missing_groups(target: Target, rates: dict[Group, Rate], judged: dict[Group, Rate], minimum: int) -> str:
    """Why a check cannot be decided: groups are too small; else empty."""
    rule = target.rule
    sizes = {group_name(g): r.denominator or 0 for g, r in rates.items()}
    names = {group_name(g) for g in judged}
    small = [f"{g} has {sizes[g]}" for g in rule.require if g not in names]
    if small:
        return f"{target.rate_name}: required groups have fewer than {minimum} faces: {'; '.join(small)}"
    if len(judged) < (2 if rule.kind in ("max_gap", "min_ratio") else 1):
        return f"{target.rate_name}: too few groups with at least {minimum} faces to judge"
    return ""


def _regression(
    target: Target, judged: dict[Group, Rate], baseline: Audit, comparison: Comparison | None, minimum: int
) -> Measurement | str:
    """The largest loss of any group relative to the baseline; or why it cannot be measured."""
    if comparison is None:
        rates = _rates_by_group(target, baseline, "baseline")
        small = [group_name(g) for g in judged if g not in rates or (rates[g].denominator or 0) < minimum]
        if small:
            return f"{target.rate_name}: the baseline has fewer than {minimum} faces in {', '.join(small)}"
        return measure_loss(target.rule, list(judged.values()), [rates[g] for g in judged])
    stored_rate = COMPLEMENTS.get(target.rule.rate, target.rule.rate)
    changes = {
        c.group: c
        for c in comparison.changes
        if (c.rate, c.label) == (stored_rate, target.label) and c.attribute == target.grouping
    }
    small = [group_name(g) for g in judged if g not in changes or changes[g].trials < minimum]
    if small:
        return f"{target.rate_name}: the two runs have fewer than {minimum} faces in common in {', '.join(small)}"
    return measure_paired_loss(target.rule, [changes[g] for g in judged], by_subject=bool(comparison.subject))
