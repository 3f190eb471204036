"""Judge an audit by a policy: pass, fail or inconclusive.

============================================  ============  =========  ==================================================
situation                                     outcome       exit code  condition
============================================  ============  =========  ==================================================
limit satisfied                               pass          0          by every group's (pair's) confidence bound
limit violated                                fail          1          by some group's (pair's) bound, Holm-adjusted
rate of a label that the model cannot output  fail          1          for a minimum of its TPR or selection rate
neither                                       inconclusive  3          too few faces; the result says how many more
faces that are not judged                     inconclusive  3          unless the policy ignores them or a limit is violated
required group too small, or one group only   inconclusive  3          two groups for a gap or ratio
label never or rarely predicted               inconclusive  3          for FPR and TNR; for PPV
too many looks                                inconclusive  3          more models than ``[looks] candidates``
waived                                        as it is      0          with the reason, until the waiver expires
no face classified correctly                  none          2          other labels in truth and answers
unknown group, label or rate                  none          2          or an unreadable audit, policy or baseline
============================================  ============  =========  ==================================================

Each wrong pass, and any wrong failure in the whole policy, has a probability of at most ``1 - confidence``. With
``--allow-inconclusive`` an inconclusive verdict exits with 0.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fairfer.errors import RunError, UsageError, did_you_mean
from fairfer.gate.checks import REGRESSION_RATES, Check, Target, create_check
from fairfer.gate.policy import JUDGED_OVERALL_RATES, JUDGED_RATES, Policy, Rule, Treatment
from fairfer.gate.sanity import check_answers, warnings
from fairfer.gate.treatment import as_judged, unsupported_faces
from fairfer.gate.unjudged import data_obstacles, ignored, judged_faces
from fairfer.gate.verdict import EXIT_CODES, CheckResult, GroupSampleSize, LookCount, Outcome, Verdict
from fairfer.labels import canonical
from fairfer.vocabulary import ALL, EVERYONE, LOWER_IS_BETTER, Group, Grouping, group_name, grouping_name

if TYPE_CHECKING:
    from fairfer.audits.comparison import Comparison
    from fairfer.audits.result import Audit
    from fairfer.gate.measurements import Measurement

MAX_SAMPLE_FACTOR = 100
"""Additional sample sizes are stated up to this multiple of the present sample size."""

_PRECISION = 1.02
"""Ratio to which additional sample sizes are computed; they are figures for planning."""


def judge(
    policy: Policy,
    audit: Audit,
    *,
    baseline: Audit | None = None,
    comparison: Comparison | None = None,
    allow_inconclusive: bool = False,
    today: dt.date | None = None,
    looks: LookCount | None = None,
    policy_file: str = "",
) -> Verdict:
    """Judge an audit.

    Parameters
    ----------
    policy
        The rules.
    audit
        The audit to judge.
    baseline
        The audit that ``max_regression`` refers to.
    comparison
        The paired comparison of the two runs (`fairfer.compare`), which detects smaller changes. Without it the audits are
        compared as if they had different samples, which is conservative.
    allow_inconclusive
        Whether an inconclusive verdict has exit code 0.
    today
        Date for the expiry of waivers; the current date by default.
    looks
        How many models were judged on the same faces, with this one (`fairfer.gate.looks.Ledger`); ``None`` where they are not
        counted.
    policy_file
        Where the policy was read.

    Returns
    -------
    Verdict

    Raises
    ------
    UsageError
        When the policy names something that the audit does not have, a rule needs a baseline, or a waiver has expired.
    RunError
        When the baseline or comparison has other data, or no face is classified correctly.
    """
    today = today or dt.datetime.now(dt.UTC).date()
    policy.check_waivers(today)
    check_answers(audit)
    if baseline is not None:
        _check_same_data(audit, baseline)
    if comparison is not None:
        _check_comparison(comparison, audit, baseline)
    judged = as_judged(audit, policy.unsupported_labels)
    before = None if baseline is None else as_judged(baseline, policy.unsupported_labels)
    targets = [t for rule in policy.rules for t in _targets(rule, judged, before, policy.unsupported_labels)]
    _check_waivers(policy, targets)
    obstacles = [*data_obstacles(policy, audit), *_too_many_looks(looks)]
    pairs = None if comparison is None else comparison.with_other_labels()
    checks = [create_check(t, judged, before, pairs, policy, obstacles) for t in targets]
    decisions = decide(checks, 1 - policy.confidence, policy.passing_error)
    results = [_result(check, decision, policy) for check, decision in zip(checks, decisions, strict=True)]
    outcome = _overall([r.outcome for r in results if r.waived is None])
    return Verdict(
        outcome=outcome,
        exit_code=0 if outcome == "inconclusive" and allow_inconclusive else EXIT_CODES[outcome],
        allow_inconclusive=allow_inconclusive,
        checks=results,
        faces=judged_faces(audit, checks),
        ignored=ignored(policy, audit, checks),
        warnings=[*warnings(policy, audit, baseline, today), *_all_waived(results)],
        looks=looks,
        policy=policy,
        policy_file=policy_file,
        data=audit.data.name,
        model=audit.model.name,
        model_version=audit.model.version,
        date=audit.date,
        audit_checksum=audit.compute_checksum(),
        inferred=sorted(a.name for a in audit.data.attributes if a.source == "inferred"),
        baseline=None if baseline is None else f"{baseline.model.name} {baseline.model.version}",
        paired=None if baseline is None else comparison is not None,
    )


def _too_many_looks(looks: LookCount | None) -> list[str]:
    if looks is None or looks.candidates is None or looks.number <= looks.candidates:
        return []
    text = f"this is model number {looks.number} on the same faces, and the policy divides its error among {looks.candidates}"
    return [f"{text}: collect new faces, or judge fewer models"]


def _all_waived(results: Sequence[CheckResult]) -> list[str]:
    return ["every check is waived, so no limit counts"] if all(r.waived for r in results) else []


def _overall(outcomes: Sequence[Outcome]) -> Outcome:
    order: tuple[Outcome, ...] = ("fail", "inconclusive")
    return next((o for o in order if o in outcomes), "pass")


def _check_same_data(audit: Audit, baseline: Audit) -> None:
    fields: list[tuple[str, object, object]] = [
        ("dataset", audit.data.name, baseline.data.name),
        ("labels of the data", audit.data.labels, baseline.data.labels),
        ("--unsupported-labels", audit.plan.unsupported_labels, baseline.plan.unsupported_labels),
        ("--subject", audit.plan.subject, baseline.plan.subject),
    ]
    for field, value, baseline_value in fields:
        if value != baseline_value:
            message = f"the baseline has a different {field}: {baseline_value!r}, not {value!r}; use the same in both"
            raise RunError(message)
    # The digest of a table covers its predictions, so two tables of the same samples are recognized by their label counts.
    if audit.data.digest != baseline.data.digest and _support(audit, baseline) != _support(baseline, audit):
        message = "the baseline has a different number of faces by label and group; audit both models on the same data"
        raise RunError(message)


def _support(audit: Audit, other: Audit) -> dict[tuple[Grouping, Group, str], int]:
    """Samples by group and true label, for the groupings and labels of both audits."""
    groupings = {EVERYONE, *other.groupings}
    support = {}
    for rate in audit.rates:
        grouping = rate.attribute
        # The denominator of the TPR is the number of samples with the label.
        if rate.rate == "TPR" and rate.label in other.labels.audited and grouping in groupings and rate.denominator:
            support[grouping, rate.group, rate.label] = rate.denominator
    return support


def _check_comparison(comparison: Comparison, audit: Audit, baseline: Audit | None) -> None:
    digests = (comparison.candidate.predictions_digest, comparison.base.predictions_digest)
    if baseline is None or digests != (audit.model.predictions_digest, baseline.model.predictions_digest):
        message = "the comparison has other predictions than the audit and its baseline; run fairfer compare again"
        raise RunError(message)


def _targets(rule: Rule, audit: Audit, baseline: Audit | None, treatment: Treatment) -> list[Target]:
    """Labels and groupings of a rule, all of which must exist, without repetitions.

    For ``max_regression`` the labels of the baseline count too: a model that lost a label got worse. Labels of the data that
    are not among the model's output classes count unless the policy ignores them; a rule that names one judges it.

    Raises
    ------
    UsageError
        When rate, grouping, group, label or baseline do not exist.
    """
    _check_rate(rule, audit, baseline)
    for grouping in rule.groupings:
        _check_grouping(rule, grouping, audit)
    if rule.rate in JUDGED_OVERALL_RATES:
        labels = [ALL]
    else:
        existing = list(audit.labels.audited)
        if rule.kind == "max_regression" and baseline is not None:
            existing += [n for n in baseline.labels.audited if n not in existing]
        cannot = list(unsupported_faces(audit))
        every = [n for n in existing if treatment != "ignore" or n not in cannot]
        existing += [n for n in cannot if n not in existing]
        labels = every if rule.label == [ALL] else [_existing_label(rule, n, existing, audit) for n in rule.label]
    return [Target(rule, label, grouping) for label in dict.fromkeys(labels) for grouping in rule.groupings]


def _check_rate(rule: Rule, audit: Audit, baseline: Audit | None) -> None:
    rates = {r.rate for r in audit.rates}
    if rule.rate not in rates:
        present = ", ".join(r for r in JUDGED_RATES if r in rates)
        message = f"rule {rule.name!r}: the audit has no {rule.rate}; a rule can limit its {present}"
        raise UsageError(message)
    if rule.kind != "max_regression":
        return
    if baseline is None:
        message = f"rule {rule.name!r}: max_regression needs a baseline; name its run with --baseline"
        raise UsageError(message)
    if rule.rate not in REGRESSION_RATES:
        message = (
            f"rule {rule.name!r}: max_regression of {rule.rate} cannot be judged; limit one of {', '.join(REGRESSION_RATES)}"
        )
        raise UsageError(message)


def _check_grouping(rule: Rule, grouping: Grouping, audit: Audit) -> None:
    groupings = audit.groupings
    name = grouping_name(grouping)
    if grouping not in groupings:
        message = (
            f"rule {rule.name!r}: the audit does not group by {name!r}; {did_you_mean(name, map(grouping_name, groupings))}"
        )
        raise UsageError(message)
    groups = dict.fromkeys(group_name(r.group) for r in audit.rates if r.attribute == grouping)
    for group in rule.require:
        if group not in groups:
            message = f"rule {rule.name!r}: {name} has no group {group!r}; {did_you_mean(group, groups)}"
            raise UsageError(message)


def _existing_label(rule: Rule, label: str, existing: Sequence[str], audit: Audit) -> str:
    """The audit's name of a label, which may have any common spelling."""
    rare = audit.labels.rare
    name = label if label in (*existing, *rare) else canonical(label) or label
    if name in rare:
        message = (
            f"rule {rule.name!r}: {name} was not audited, because only {rare[name]:,} faces have it; audit with a smaller "
            "--minimum-occurrences, or take the label out of the rule"
        )
        raise UsageError(message)
    if name not in existing:
        message = f"rule {rule.name!r}: the audit has no label {name!r}; {did_you_mean(name, existing)}"
        raise UsageError(message)
    return name


def _check_waivers(policy: Policy, targets: Sequence[Target]) -> None:
    """Refuse a waiver that applies to no check: its label or attribute is misspelled, or no longer exists."""
    for waiver in policy.waivers:
        of_rule = [t for t in targets if t.rule.name == waiver.rule]
        if not any(waiver.covers(t.rule.name, t.label, t.attribute) for t in of_rule):
            existing = ", ".join(sorted({f"{t.label} by {t.attribute}" for t in of_rule}))
            message = f"the waiver of rule {waiver.rule!r} applies to none of its checks; they are: {existing}"
            raise UsageError(message)


@dataclass(frozen=True)
class Decision:
    """The outcome of a check, with the errors of the bounds that it rests on."""

    outcome: Outcome
    passing_error: float
    failing_error: float


def decide(checks: Sequence[Check], error: float, passing_error: float | None = None) -> list[Decision]:
    """Decide all checks of a policy.

    A policy passes only if every check does, so each check may pass with the full error (intersection-union test). One failed
    check fails the policy, so the error of failures is divided among the checks (Holm 1979, Scand. J. Stat. 6).

    Parameters
    ----------
    checks
        All checks of the policy.
    error
        ``1 - confidence``.
    passing_error
        The error of a pass, where several models share it; `error` by default.
    """
    passing_error = error if passing_error is None else passing_error
    failed = {i for i, c in enumerate(checks) if c.certain}
    while len(failed) < len(checks):
        share = error / (len(checks) - len(failed))
        new = {i for i, c in enumerate(checks) if i not in failed and c.fails(share)}
        if not new:
            break
        failed |= new
    share = error / max(len(checks) - len(failed), 1)
    return [Decision(_outcome(c, passing_error, failed=i in failed), passing_error, share) for i, c in enumerate(checks)]


def _outcome(check: Check, error: float, *, failed: bool) -> Outcome:
    if failed:
        return "fail"
    return "pass" if check.passes(error) else "inconclusive"


def _result(check: Check, decision: Decision, policy: Policy) -> CheckResult:
    target = check.target
    failed = decision.outcome == "fail"
    measurement = check.failing if failed or check.measurement is None else check.measurement
    low, high = (b if np.isfinite(b) else None for b in check.bounds(decision.passing_error, decision.failing_error))
    satisfied = not failed and check.satisfies(decision.passing_error)
    additional = None
    decidable = check.measurement is not None and not check.measurement.reason
    if decision.outcome == "inconclusive" and decidable and not satisfied:
        additional = _additional_samples(check, decision)
    return CheckResult(
        rule=target.rule.name,
        kind=target.rule.kind,
        limit=target.rule.limit,
        rate=target.rule.rate,
        label=target.label,
        attribute=target.attribute,
        outcome=decision.outcome,
        reason=_reason(check, decision, (low, high), policy, additional),
        observed=None if measurement is None else measurement.observed,
        low=low,
        high=high,
        worst=None if measurement is None else measurement.worst,
        best=None if measurement is None else measurement.best,
        groups=list(check.sizes),
        excluded=list(check.excluded),
        additional_samples=additional,
        waived=_waiver(policy, target) if decision.outcome != "pass" else None,
    )


def _waiver(policy: Policy, target: Target) -> str | None:
    """Reason and expiry date of the first waiver that applies."""
    for waiver in policy.waivers:
        if waiver.covers(target.rule.name, target.label, target.attribute):
            return f"{waiver.reason} (until {waiver.expires.isoformat()})"
    return None


def _additional_samples(check: Check, decision: Decision) -> list[GroupSampleSize] | None:
    """Additional sample size per group that decides the check, if the observed rates are the true ones."""

    def is_decided(factor: float) -> bool:
        return check.satisfies(decision.passing_error, factor) or check.fails(decision.failing_error, factor)

    low, high = 1.0, float(MAX_SAMPLE_FACTOR)
    if not is_decided(high):
        return None
    while high / low > _PRECISION:
        middle = (low * high) ** 0.5
        low, high = (low, middle) if is_decided(middle) else (middle, high)
    return [GroupSampleSize(group=g, samples=int(np.ceil((high - 1) * n))) for g, n in check.sizes.items()]


def _reason(
    check: Check,
    decision: Decision,
    bounds: tuple[float | None, float | None],
    policy: Policy,
    additional: Sequence[GroupSampleSize] | None,
) -> str:
    """The outcome explained: what was observed, and what stands in the way of a pass."""
    if check.certain:
        return check.certain
    if decision.outcome == "fail" and check.failing is not None:
        return _observation(check, check.failing, "fail", bounds, policy)
    if check.measurement is None:
        return "; ".join([check.reason, *check.obstacles])
    text = _observation(check, check.measurement, decision.outcome, bounds, policy)
    if decision.outcome == "pass":
        return text
    parts = [text]
    if check.measurement.reason:
        parts.append(f"not judged: {check.measurement.reason}")
    elif not check.satisfies(decision.passing_error):
        parts.append(_needed(additional))
    elif not check.obstacles:
        parts.append("not satisfied if the faces without an answer are counted as wrong")
    if check.obstacles:
        parts.append(f"cannot pass: {'; '.join(check.obstacles)}")
    return "; ".join(parts)


def _observation(
    check: Check, measurement: Measurement, outcome: Outcome, bounds: tuple[float | None, float | None], policy: Policy
) -> str:
    """Observed value, confidence bound and limit."""
    target, rule = check.target, check.target.rule
    worst, best = measurement.worst, measurement.best
    rate = target.rate_name
    quantity = {
        "max_gap": f"{rate} gap between {worst} and {best}",
        "min_ratio": f"{rate} ratio of {worst} to {best}",
        "min_worst": f"{rate} of the worst group, {worst},",
        "max_regression": f"{rate} loss of {worst}",
    }[rule.kind]
    observed = f"{quantity} is {measurement.observed:.3f}"
    if rule.kind == "max_gap" and worst == best:
        observed = f"{rate} does not differ between groups"
    elif rule.kind == "max_regression" and measurement.observed <= 0:
        observed = f"{rate} decreased in no group"
        if rule.rate in LOWER_IS_BETTER:
            observed = f"{rate} increased in no group"
    low, high = ("not estimable" if b is None else f"{b:.3f}" for b in bounds)
    level, passing = (f"{100 * (1 - e):.4g} %" for e in (1 - policy.confidence, policy.passing_error))
    # A pass rests on the bound on the far side of the limit, a failure on the other.
    side, bound = ("lower", low) if rule.is_minimum == (outcome == "pass") else ("upper", high)
    interval = {
        "pass": f"{passing} {side} confidence bound {bound}",
        "fail": f"Holm-adjusted {level} {side} confidence bound {bound}",
        "inconclusive": f"{level} confidence bounds {low} and {high}",
    }[outcome]
    observed += f", {check.scope}," if check.scope else ""
    return f"{observed} ({interval}, limit {rule.limit:g})"


def _needed(additional: Sequence[GroupSampleSize] | None) -> str:
    """How many faces would decide an inconclusive check."""
    if additional is None:
        return f"too few faces to judge, additional sample size needed: more than {MAX_SAMPLE_FACTOR} times the present one"
    number = sum(g.samples for g in additional)
    return f"too few faces to judge, additional sample size needed: about {number:,} faces"
