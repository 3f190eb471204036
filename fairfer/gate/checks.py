"""Checks: what a rule limits, measured in an audit for one label and grouping, with confidence bounds.

A check decides nothing; `fairfer.gate.judge` does.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from fairfer.errors import RunError
from fairfer.gate.verdict import GroupExclusion
from fairfer.stats.bounds import gap_bounds
from fairfer.stats.intervals import Estimates, difference_limits, normal_quantile, ratio_limits
from fairfer.stats.paired import paired_limits
from fairfer.vocabulary import ALL, LOWER_IS_BETTER, Group, Grouping, group_name, grouping_name, is_annotated

if TYPE_CHECKING:
    from fairfer.audits.comparison import Change, Comparison
    from fairfer.audits.result import Audit
    from fairfer.gate.policy import Rule
    from fairfer.metrics.results import ExclusionReason, Rate
    from fairfer.stats.intervals import Floats

REGRESSION_RATES = ("TPR", "FPR", "TNR", "FNR", "accuracy", "subset accuracy", "coverage")
"""Rates that ``max_regression`` may limit: those whose denominator does not depend on the model."""

_COMPLEMENTS = {"TNR": "FPR", "FNR": "TPR"}
"""Rates that a comparison does not store, as 1 minus one that it does."""

Bounds = Callable[[float, float, float], tuple[float, float]]
"""Lower and upper confidence bound, for the error of the lower, the error of the upper, and a factor of the sample size."""


class _Limits(Protocol):
    """One-sided limits of each group's change, for an error, a factor of the sample size, and whether a pass rests on them."""

    def __call__(self, error: float, factor: float, *, passing: bool) -> tuple[Floats, Floats]: ...


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
class Measurement:
    """Observed value of what a rule limits.

    Attributes
    ----------
    observed
        The gap, ratio, rate of the worst group, or loss.
    worst, best
        Names of the groups with the least and the most favorable value.
    bounds
        Its confidence bounds.
    """

    observed: float
    worst: str
    best: str
    bounds: Bounds


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
        """Lower and upper confidence bound of the observed value; NaN without one.

        Parameters
        ----------
        passing_error
            Error probability of the bound on which a pass rests.
        failing_error
            The same for a failure.
        factor
            Multiplies the sample size.
        """
        if self.measurement is None:
            return float("nan"), float("nan")
        errors = (passing_error, failing_error) if self.target.rule.is_minimum else (failing_error, passing_error)
        return self.measurement.bounds(*errors, factor)

    def passes(self, error: float, factor: float = 1.0) -> bool:
        """Whether the confidence bound with this error satisfies the limit."""
        low, high = self.bounds(error, error, factor)
        rule = self.target.rule
        return low >= rule.limit if rule.is_minimum else high <= rule.limit

    def fails(self, error: float, factor: float = 1.0) -> bool:
        """Whether the confidence bound with this error violates the limit."""
        low, high = self.bounds(error, error, factor)
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
            else _level(rule, judged)
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


def _estimates(rates: Sequence[Rate]) -> Estimates:
    sizes = [float(r.denominator or 0) if r.effective_size is None else r.effective_size for r in rates]
    return Estimates(
        np.array([(r.numerator or 0) / (r.denominator or 1) for r in rates], np.float64),
        np.array(sizes, np.float64),
        np.array([np.inf if r.degrees_of_freedom is None else r.degrees_of_freedom for r in rates], np.float64),
    )


def _scaled(estimates: Estimates, factor: float) -> Estimates:
    return Estimates(estimates.rate, estimates.size * factor, estimates.degrees_of_freedom)


def _level(rule: Rule, judged: dict[Group, Rate]) -> Measurement:
    """Gap, ratio or worst rate of the groups."""
    estimates = _estimates(list(judged.values()))
    names = [group_name(g) for g in judged]
    rate = estimates.rate
    sign = -1 if rule.rate in LOWER_IS_BETTER else 1
    worst, best = names[int(np.argmin(sign * rate))], names[int(np.argmax(sign * rate))]
    if rule.kind == "max_gap":
        return Measurement(float(np.ptp(rate)), worst, best, _gap_bounds(estimates))
    if rule.kind == "min_ratio":
        observed = float(rate.min() / rate.max()) if rate.max() > 0 else 1.0
        return Measurement(observed, worst, best, _ratio_bounds(estimates))
    return Measurement(float(rate.min()), worst, best, _worst_bounds(estimates))


def _gap_bounds(estimates: Estimates) -> Bounds:
    def bounds(lower_error: float, upper_error: float, factor: float) -> tuple[float, float]:
        groups = _scaled(estimates, factor)
        return float(gap_bounds(groups, 1 - lower_error)[0]), float(gap_bounds(groups, 1 - upper_error)[1])

    return bounds


def _ratio_bounds(estimates: Estimates) -> Bounds:
    one, other = (np.array(x) for x in zip(*itertools.permutations(range(len(estimates.rate)), 2), strict=True))

    def bounds(lower_error: float, upper_error: float, factor: float) -> tuple[float, float]:
        groups = _scaled(estimates, factor)
        numerator, denominator = groups.of_groups(one), groups.of_groups(other)
        # A pass needs every pair (intersection-union, no correction); a failure needs one (Bonferroni over the pairs).
        low, _ = ratio_limits(numerator, denominator, lower_error)
        _, high = ratio_limits(numerator, denominator, upper_error / len(one))
        return float(low.min()), float(high.min())

    return bounds


def _worst_bounds(estimates: Estimates) -> Bounds:
    def bounds(lower_error: float, upper_error: float, factor: float) -> tuple[float, float]:
        groups = _scaled(estimates, factor)
        # As for ratios: a pass needs every group, a failure needs one.
        low, _ = groups.limits(lower_error, continuity=True)
        _, high = groups.limits(upper_error / len(estimates.rate), continuity=True)
        return float(low.min()), float(high.min())

    return bounds


def _regression(
    target: Target, judged: dict[Group, Rate], baseline: Audit, comparison: Comparison | None, minimum: int
) -> Measurement | str:
    """The largest loss of any group relative to the baseline; or why it cannot be measured."""
    changes = (
        _unpaired_changes(target, judged, baseline, minimum)
        if comparison is None
        else _paired_changes(target, judged, comparison, minimum)
    )
    if isinstance(changes, str):
        return changes
    change, limits = changes
    lower_is_better = target.rule.rate in LOWER_IS_BETTER
    loss = change if lower_is_better else -change
    names = [group_name(g) for g in judged]

    def bounds(lower_error: float, upper_error: float, factor: float) -> tuple[float, float]:
        # A failure needs one group (Bonferroni over the groups); a pass needs every group.
        failing = limits(lower_error / len(names), factor, passing=False)
        passing = limits(upper_error, factor, passing=True)
        low, high = (failing[0], passing[1]) if lower_is_better else (-failing[1], -passing[0])
        return float(low.max()), float(high.max())

    # Adding 0.0 turns a loss of -0.0 into 0.0.
    return Measurement(float(loss.max()) + 0.0, names[int(np.argmax(loss))], names[int(np.argmin(loss))], bounds)


def _unpaired_changes(target: Target, judged: dict[Group, Rate], baseline: Audit, minimum: int) -> tuple[Floats, _Limits] | str:
    """Change of each group's rate and its limits, as if the two runs had different samples."""
    rates = _rates_by_group(target, baseline, "baseline")
    small = [group_name(g) for g in judged if g not in rates or (rates[g].denominator or 0) < minimum]
    if small:
        return f"{target.rate_name}: the baseline has fewer than {minimum} faces in {', '.join(small)}"
    before, after = _estimates([rates[g] for g in judged]), _estimates(list(judged.values()))

    def limits(error: float, factor: float, *, passing: bool) -> tuple[Floats, Floats]:
        del passing  # the same limits serve both
        return difference_limits(_scaled(after, factor), _scaled(before, factor), error, continuity=True)

    return after.rate - before.rate, limits


def _paired_changes(
    target: Target, judged: dict[Group, Rate], comparison: Comparison, minimum: int
) -> tuple[Floats, _Limits] | str:
    """Change of each group's rate and its limits, on the samples of both runs."""
    stored_rate = _COMPLEMENTS.get(target.rule.rate, target.rule.rate)
    is_complement = target.rule.rate in _COMPLEMENTS
    changes = {
        c.group: c
        for c in comparison.changes
        if (c.rate, c.label) == (stored_rate, target.label) and c.attribute == target.grouping
    }
    small = [group_name(g) for g in judged if g not in changes or changes[g].trials < minimum]
    if small:
        return f"{target.rate_name}: the two runs have fewer than {minimum} faces in common in {', '.join(small)}"
    rows = [changes[g] for g in judged]
    change = np.array([c.change or 0.0 for c in rows])

    def limits(error: float, factor: float, *, passing: bool) -> tuple[Floats, Floats]:
        low, high = _paired_limits(rows, error, factor, comparison, passing=passing)
        return (-high, -low) if is_complement else (low, high)

    return -change if is_complement else change, limits


def _paired_limits(
    rows: Sequence[Change], error: float, factor: float, comparison: Comparison, *, passing: bool
) -> tuple[Floats, Floats]:
    if not comparison.subject:
        gained, lost, trials = (
            factor * np.array(counts, float) for counts in zip(*((c.gained, c.lost, c.trials) for c in rows), strict=True)
        )
        # Without the correction only limits towards a larger loss are too narrow, and only a pass rests on those.
        return paired_limits(gained, lost, trials, error, continuity=passing)
    # Where subjects have several images, the standard error is that of the comparison's interval.
    change = np.array([c.change or 0.0 for c in rows])
    width = np.array([(c.high or 0.0) - (c.low or 0.0) for c in rows])
    standard_error = width / 2 / normal_quantile((1 + comparison.confidence) / 2)
    half = normal_quantile(1 - error) * standard_error / np.sqrt(factor)
    return change - half, change + half
