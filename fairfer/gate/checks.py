"""Checks: what a rule limits, measured in an audit for one label and grouping, with confidence bounds.

A check decides nothing; `fairfer.gate.judge` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fairfer.errors import RunError
from fairfer.gate.measurements import COMPLEMENTS, UNBOUNDED, Measurement, measure_level, measure_loss, measure_paired_loss
from fairfer.gate.missing_answers import changes_with_wrong_answers, missing_answers, with_wrong_answers
from fairfer.gate.verdict import GroupExclusion
from fairfer.vocabulary import ALL, EVERYONE, Group, Grouping, group_name, grouping_name, is_annotated

if TYPE_CHECKING:
    from fairfer.audits.comparison import Comparison
    from fairfer.audits.result import Audit
    from fairfer.gate.policy import Policy, Rule
    from fairfer.metrics.results import ExclusionReason, Rate, RateStatus

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
        Denominator of each group that can pass, by its name.
    excluded
        The other groups.
    measurement
        The observed value of the groups that can pass; ``None`` where the check cannot pass.
    failing
        The same of all groups that can fail, which small groups can; ``None`` where the check cannot fail.
    stress
        The same for a pass, had all answers that are missing been wrong. A pass must hold in each of them too.
    obstacles
        Why the check cannot pass, although it can fail.
    certain
        Why the check fails whatever the number of faces; empty in most cases.
    reason
        Why it cannot be decided.
    scope
        Which faces it is about, if not all of the audit.
    """

    target: Target
    sizes: dict[str, int]
    excluded: tuple[GroupExclusion, ...]
    measurement: Measurement | None = None
    failing: Measurement | None = None
    stress: tuple[Measurement, ...] = ()
    obstacles: tuple[str, ...] = ()
    certain: str = ""
    reason: str = ""
    scope: str = ""

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
        passing = failing = float("nan")
        minimum = self.target.rule.is_minimum
        if self.measurement is not None and not self.measurement.reason:
            passing = _bound(self.measurement, passing_error, factor, lower=minimum)
        if self.failing is not None and not self.failing.reason:
            failing = _bound(self.failing, failing_error, factor, lower=not minimum)
        return (passing, failing) if minimum else (failing, passing)

    def satisfies(self, error: float, factor: float = 1.0) -> bool:
        """Whether the groups that can pass satisfy the limit, whatever else stands in the way of a pass."""
        return self.measurement is not None and self._within(self.measurement, error, factor)

    def passes(self, error: float, factor: float = 1.0) -> bool:
        """Whether the confidence bound with this error satisfies the limit, and nothing else stands in the way."""
        if self.obstacles or not self.satisfies(error, factor):
            return False
        return all(self._within(m, error, factor) for m in self.stress)

    def fails(self, error: float, factor: float = 1.0) -> bool:
        """Whether the confidence bound with this error violates the limit."""
        if self.failing is None or self.failing.reason:
            return False
        rule = self.target.rule
        bound = _bound(self.failing, error, factor, lower=not rule.is_minimum)
        return bound < rule.limit if rule.is_minimum else bound > rule.limit

    def _within(self, measurement: Measurement, error: float, factor: float) -> bool:
        rule = self.target.rule
        if measurement.reason:
            return False
        bound = _bound(measurement, error, factor, lower=rule.is_minimum)
        return bound >= rule.limit if rule.is_minimum else bound <= rule.limit


def _bound(measurement: Measurement, error: float, factor: float, *, lower: bool) -> float:
    """One bound; the other is not computed."""
    low, high = measurement.bounds(*((error, UNBOUNDED) if lower else (UNBOUNDED, error)), factor)
    return low if lower else high


def create_check(
    target: Target,
    audit: Audit,
    baseline: Audit | None = None,
    comparison: Comparison | None = None,
    policy: Policy | None = None,
    obstacles: Sequence[str] = (),
) -> Check:
    """Measure what a rule limits, for one label and grouping.

    Parameters
    ----------
    target
        Rule, label and grouping, all of which the audit (or, for a regression, the baseline) has.
    audit, baseline, comparison
        As for `fairfer.gate.judge.judge`, with the rates that the policy judges (`fairfer.gate.treatment.as_judged`); a
        regression needs a baseline.
    policy
        What it says of faces that are not judged; the default keys when ``None``.
    obstacles
        Why no check of this policy can pass.

    Raises
    ------
    RunError
        When the audit or the baseline lacks the rate for this label and grouping.
    """
    rule = target.rule
    minimum = rule.minimum or audit.plan.minimum
    unsupported = target.label in audit.labels.unsupported_labels
    rates = {}
    if target.label == ALL or target.label in audit.labels.audited:
        rates = _rates_by_group(target, audit, "audit")
    judged = {g: r for g, r in rates.items() if _can_pass(g, r, minimum)}
    small = {g: r for g, r in rates.items() if g not in judged and _can_fail(g, r)}
    if policy is not None and policy.small_groups == "ignore":
        small = {}
    check = Check(
        target,
        {group_name(g): r.denominator or 0 for g, r in judged.items()},
        tuple(_exclusion(g, r, minimum) for g, r in rates.items() if g not in judged),
        obstacles=(*obstacles, *_group_obstacles(audit, target, rates, judged, policy)),
    )
    if unsupported and rule.kind != "max_regression":
        certain, reason = _cannot_output(target)
        return replace(check, certain=certain, reason=reason)
    difference = _label_difference(target, audit, baseline, comparison)
    reason = (
        difference
        or _never_predicted(target, audit)
        or _rarely_predicted(target, audit, rates, judged, minimum)
        or _missing_groups(target, rates, judged, minimum)
    )
    outcome = reason or _measure(target, judged, baseline, comparison, minimum)
    measurement = outcome if isinstance(outcome, Measurement) else None
    failing = measurement
    if not difference and (small or (measurement is None and judged)):
        every = {g: r for g, r in rates.items() if g in judged or g in small}
        failing = _failing(target, every, baseline, comparison) or measurement
    stress = _stress(target, audit, judged, (baseline, comparison), minimum) if measurement is not None else ()
    reason = "" if isinstance(outcome, Measurement) else outcome
    scope = ""
    if comparison is not None and comparison.other_labels and rule.kind == "max_regression" and rule.rate not in ("TPR", "FNR"):
        scope = "over the faces whose label both models can output"
    return replace(check, measurement=measurement, failing=failing, stress=stress, reason=reason, scope=scope)


def _measure(
    target: Target, groups: dict[Group, Rate], baseline: Audit | None, comparison: Comparison | None, minimum: int
) -> Measurement | str:
    if target.rule.kind == "max_regression" and baseline is not None:
        return _regression(target, groups, baseline, comparison, minimum)
    return measure_level(target.rule, list(groups.values()))


def _failing(
    target: Target, groups: dict[Group, Rate], baseline: Audit | None, comparison: Comparison | None
) -> Measurement | None:
    """What a failure rests on: all groups with a face, as exact limits hold for any number of independent faces."""
    if len(groups) < (2 if target.rule.kind in ("max_gap", "min_ratio") else 1):
        return None
    outcome = _measure(target, groups, baseline, comparison, 1)
    return outcome if isinstance(outcome, Measurement) else None


def _stress(
    target: Target,
    audit: Audit,
    judged: dict[Group, Rate],
    others: tuple[Audit | None, Comparison | None],
    minimum: int,
) -> tuple[Measurement, ...]:
    """Measurements had all missing answers of one group been wrong, for each group and rate that missing answers improve.

    The largest difference is between a group with its missing answers counted as wrong and another without.
    """
    baseline, comparison = others
    measured = []
    for group, missing in missing_answers(audit, target.grouping, target.rule.rate, target.label).items():
        rate = judged.get(group)
        worst = None if rate is None else with_wrong_answers(rate, missing)
        if rate is None or worst is None or worst is rate:
            continue
        adjusted = comparison
        if comparison is not None:
            stored = COMPLEMENTS.get(rate.rate, rate.rate)
            adjusted = changes_with_wrong_answers(comparison, (stored, rate.label, target.grouping, group), rate, worst)
        outcome = _measure(target, {**judged, group: worst}, baseline, adjusted, minimum)
        if isinstance(outcome, Measurement):
            measured.append(outcome)
    return tuple(measured)


def _can_pass(group: Group, rate: Rate, minimum: int) -> bool:
    return (
        rate.value is not None
        and (rate.denominator or 0) >= minimum
        and is_annotated(group)
        and rate.status in ("ok", "small")  # smallness is that of the rule; every other status is a reason not to judge
    )


def _can_fail(group: Group, rate: Rate) -> bool:
    """Whether exact limits exist: for independent faces, at least one of which the group has."""
    return (
        rate.value is not None
        and bool(rate.denominator)
        and is_annotated(group)
        and rate.status in ("ok", "small")
        and rate.effective_size is None
    )


def _group_obstacles(
    audit: Audit, target: Target, rates: dict[Group, Rate], judged: dict[Group, Rate], policy: Policy | None
) -> list[str]:
    """Why the check cannot pass: groups that are too small, and faces without a group."""
    obstacles = []
    small = [_group_size(g, r) for g, r in rates.items() if g not in judged and is_annotated(g) and not _is_vacant(g, r)]
    if small and (policy is None or policy.small_groups != "ignore"):
        obstacles.append(f"groups are too small to pass: {', '.join(small)}")
    faces = sum(s.total for s in audit.sizes if s.attribute == target.grouping and not is_annotated(s.group))
    if faces and (policy is None or policy.unannotated != "ignore"):
        obstacles.append(f"{faces:,} faces have no {target.attribute}")
    return obstacles


def _group_size(group: Group, rate: Rate) -> str:
    why = "" if rate.status in ("ok", "small", "not_estimable", "empty") else f", {rate.status.replace('_', ' ')}"
    return f"{group_name(group)} ({rate.denominator or 0}{why})"


def _is_vacant(group: Group, rate: Rate) -> bool:
    """Whether an intersection has no face at all, which is no group of people whom the model sees."""
    return len(group) > 1 and rate.status == "empty"


def _cannot_output(target: Target) -> tuple[str, str]:
    """Of a label that is not among the model's output classes: what is certain, and else why it cannot be judged."""
    rule = target.rule
    name = f"{target.label} is not among the model's output classes"
    if rule.kind == "min_worst" and rule.rate in ("TPR", "selection rate"):
        return f"{name}, so its {rule.rate} is 0 in every group (limit {rule.limit:g})", ""
    return "", f"{name}, so {rule.kind} of its {rule.rate} cannot be judged"


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
    reason: ExclusionReason | RateStatus = "small"
    if not is_annotated(group):
        reason = "unannotated"
    elif rate.status not in ("ok", "small"):
        reason = rate.status
    elif (rate.denominator or 0) >= minimum:
        reason = "not_estimable"
    return GroupExclusion(group=group_name(group), reason=reason, denominator=rate.denominator or 0)


def _label_difference(target: Target, audit: Audit, baseline: Audit | None, comparison: Comparison | None) -> str:
    """Why a regression cannot be judged: the two audits have different labels, and so different samples; else empty."""
    if target.rule.kind != "max_regression" or baseline is None or comparison is not None:
        return ""
    labels, baseline_labels = audit.labels.audited, baseline.labels.audited
    missing = [role for role, own in (("this model", labels), ("the baseline", baseline_labels)) if target.label not in own]
    if target.label != ALL and missing:
        return f"{target.rate_name}: {missing[0]} was not audited with label {target.label}; audit both with the same labels"
    different = sorted(set(labels) ^ set(baseline_labels))
    if different and target.rule.rate not in ("TPR", "FNR"):
        return (
            f"{target.rate_name}: audit and baseline contain different faces, because only one has "
            f"{', '.join(different)}; audit both with --unsupported-labels keep"
        )
    return ""


def _never_predicted(target: Target, audit: Audit) -> str:
    """Why false positives cannot be judged: the model never predicts a label that faces have; else empty."""
    if target.rule.rate not in ("FPR", "TNR"):
        return ""
    for count in audit.counts:
        if (count.attribute, count.label) == (EVERYONE, target.label) and count.tp + count.fn and not count.tp + count.fp:
            return (
                f"{target.rate_name}: the model never predicts {target.label}, so it has no false positives; limit its TPR too"
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
    few = " or too few subjects" if any(r.status == "few_subjects" for r in rates.values()) else ""
    small = [f"{g} has {sizes[g]}" for g in rule.require if g not in names]
    if small:
        return f"{target.rate_name}: required groups have fewer than {minimum} faces{few}: {'; '.join(small)}"
    if len(judged) < (2 if rule.kind in ("max_gap", "min_ratio") else 1):
        enough = " and enough subjects" if few else ""
        return f"{target.rate_name}: too few groups with at least {minimum} faces{enough} to judge"
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
