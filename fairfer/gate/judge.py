"""Judge an audit by a policy: pass, fail, or not to be judged from these data.

================================  ==========  ============  =================================================================
what the data say                 outcome     exit code     when
================================  ==========  ============  =================================================================
surely within the limit           pass        0             every pair (group) is within it, each claim wrong in at most 5 %
surely beyond the limit           fail        1             some pair (group) is beyond it, any wrong failure in at most 5 %
neither                           inconclusive  3           too few faces to say; the finding says how many more would do
a required group is too small     inconclusive  3           or empty, or without a face of the label
fewer than two groups to compare  inconclusive  3           one, for a limit on each group
a label is gone, or never said    inconclusive  3           of the baseline's labels, or by the model of a whole group (PPV)
waived                            as it is    0             the finding stands, its reason beside it; until its day
there is no such group, label     -           2             or attribute, baseline, readable audit, or rule
================================  ==========  ============  =================================================================

With ``--allow-inconclusive`` what cannot be judged does not stop anyone; it is shown all the same. Numbers come from
``audit.json`` alone; nothing slow is imported.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fairfer.errors import RunError, UsageError, did_you_mean
from fairfer.gate.checks import Check, check, named
from fairfer.gate.policy import OVER_LABELS, Policy, Rule
from fairfer.gate.verdict import EXIT_CODES, Finding, Outcome, Verdict
from fairfer.labels import canonical
from fairfer.metrics.results import AdditionalSamples

if TYPE_CHECKING:
    from fairfer.audits.comparison import Comparison
    from fairfer.audits.result import Audit

MOST = 100
"""More than so many times the faces are no plan to settle anything by."""


def judge(
    policy: Policy,
    audit: Audit,
    *,
    baseline: Audit | None = None,
    comparison: Comparison | None = None,
    allow_inconclusive: bool = False,
    today: dt.date | None = None,
) -> Verdict:
    """Judge an audit.

    Parameters
    ----------
    policy
        The rules.
    audit
        What is judged.
    baseline
        The audit that ``max_regression`` compares with.
    comparison
        The same face by face, from `fairfer.compare`, which sees far smaller changes; without it the two audits are compared as
        if of different faces, which is never too sure.
    allow_inconclusive
        Whether a verdict of *inconclusive* exits with 0.
    today
        For waivers; the real day when not given.

    Raises
    ------
    UsageError
        When the policy names what the audit does not have, a rule needs a baseline, or a waiver has expired.
    RunError
        When the baseline is of other data.
    """
    policy.check_waivers(today or dt.datetime.now(dt.UTC).date())
    if baseline is not None:
        _same_data(audit, baseline)
    if comparison is not None:
        sides = [comparison.candidate.predictions_digest, comparison.base.predictions_digest]
        if baseline is None or sides != [audit.model.predictions_digest, baseline.model.predictions_digest]:
            message = "the comparison is of other predictions than this audit and its baseline; compare again"
            raise RunError(message)
    checks = [
        check(rule, label, attribute, audit, baseline, comparison)
        for rule in policy.rules
        for label, attribute in _expanded(rule, audit, baseline)
    ]
    _check_waivers(policy, checks)
    findings = [f.model_copy(update={"waived": _waiver(policy, f)}) for f in _decide(checks, 1 - policy.confidence)]
    standing = [f.outcome for f in findings if f.waived is None]
    outcome: Outcome = "fail" if "fail" in standing else "inconclusive" if "inconclusive" in standing else "pass"
    code = 0 if outcome == "inconclusive" and allow_inconclusive else EXIT_CODES[outcome]
    return Verdict(
        outcome=outcome,
        exit_code=code,
        allow_inconclusive=allow_inconclusive,
        findings=findings,
        policy=policy.model_dump(mode="json", exclude_none=True),
        data=audit.data.name,
        model=audit.model.name,
        model_version=audit.model.version,
        date=audit.date,
        audit_checksum=audit.compute_checksum(),
        inferred=sorted(a.name for a in audit.data.attributes if a.source == "inferred"),
        baseline=None if baseline is None else f"{baseline.model.name} {baseline.model.version}",
        paired=None if baseline is None else comparison is not None,
    )


def _same_data(audit: Audit, baseline: Audit) -> None:
    fields: list[tuple[str, Any, Any]] = [
        ("data set", audit.data.name, baseline.data.name),
        ("labels of the data", audit.data.labels, baseline.data.labels),
        ("--unsupported-labels", audit.plan.unsupported_labels, baseline.plan.unsupported_labels),
        ("--subject", audit.plan.subject, baseline.plan.subject),
    ]
    if audit.data.digest != baseline.data.digest:
        # Of tables of predictions the digest covers the answers too, so what the audits counted is compared instead.
        fields.append(("number of faces by label and group", _faces(audit, baseline), _faces(baseline, audit)))
    for what, here, there in fields:
        if here != there:
            shown = "" if isinstance(here, dict) else f" is {there!r}, the audit's {here!r}"
            message = f"the baseline cannot be compared with: its {what}{shown or ' differs'}; audit both alike"
            raise RunError(message)


def _faces(audit: Audit, other: Audit) -> dict[tuple[str, str, str], int]:
    """Faces by group and true label, over what both audits have."""
    labels, groupings = set(other.labels.audited), {"*", *other.groupings}
    found: Counter[tuple[str, str, str]] = Counter()
    for c in audit.counts:
        if c.truth in labels and c.attribute in groupings:
            found[c.attribute, c.group, c.truth] += c.n
    return dict(found)


def _check_waivers(policy: Policy, checks: Sequence[Check]) -> None:
    """Refuse a waiver that waives nothing: its label or attribute is misspelt, or gone."""
    for waiver in policy.waivers:
        mine = [c.about for c in checks if c.about["rule"] == waiver.rule]
        if not any(waiver.covers(a["rule"], a["label"], a["attribute"]) for a in mine):
            known = sorted({f"{a['label']} by {a['attribute']}" for a in mine})
            message = f"the waiver of rule {waiver.rule!r} covers no check of it; its checks are: {', '.join(known)}"
            raise UsageError(message)


def _expanded(rule: Rule, audit: Audit, baseline: Audit | None) -> list[tuple[str, str]]:
    """Labels and attributes of a rule, each of which must exist; each once, however it was spelled.

    A label that only the baseline was audited in counts for ``max_regression``: a model that lost a label got worse in it.
    """
    known_labels = list(audit.labels.audited)
    if rule.kind == "max_regression" and baseline is not None:
        known_labels += [n for n in baseline.labels.audited if n not in known_labels]
    # Any usual spelling of an emotion will do; names that are none are taken as they are.
    labels = list(dict.fromkeys(n if n in known_labels else canonical(n) or n for n in rule.label))
    if labels == ["*"] and rule.rate not in OVER_LABELS:
        labels = known_labels
    for attribute in rule.attribute:
        if attribute not in audit.groupings:
            message = (
                f"rule {rule.name!r}: the audit does not group by {attribute!r}; {did_you_mean(attribute, audit.groupings)}"
            )
            raise UsageError(message)
        known = audit.groups(attribute)
        for group in rule.require:
            if group not in known:
                message = f"rule {rule.name!r}: {attribute} has no group {group!r}; {did_you_mean(group, known)}"
                raise UsageError(message)
    if rule.rate not in OVER_LABELS:
        for label in labels:
            if label not in known_labels:
                hint = did_you_mean(label, known_labels)
                message = f"rule {rule.name!r}: the audit has no label {label!r}; {hint}"
                raise UsageError(message)
    return list(itertools.product(labels, dict.fromkeys(rule.attribute)))


def _waiver(policy: Policy, finding: Finding) -> str | None:
    """Why a finding that would stop someone does not."""
    if finding.outcome == "pass":
        return None
    covering = [w for w in policy.waivers if w.covers(finding.rule, finding.label, finding.attribute)]
    return f"{covering[0].reason} (until {covering[0].expires.isoformat()})" if covering else None


def _decide(checks: Sequence[Check], tail: float) -> list[Finding]:
    """Pass by each check at the full error, fail by Holm's step-down over all of them.

    A policy passes only if every check does, so nothing need be corrected for that (intersection-union); any one that fails
    stops it, so the chance of a wrong failure is shared (Holm 1979).
    """
    open_checks = [i for i, c in enumerate(checks) if c.bounds is not None]
    family = len(checks)
    failed: set[int] = set()
    while True:
        new = {i for i in open_checks if i not in failed and checks[i].beyond(tail / (family - len(failed)))}
        if not new:
            break
        failed |= new
        if len(failed) == family:
            break
    share = tail / max(family - len(failed), 1)
    return [_finding(c, tail, share, failed=i in failed) for i, c in enumerate(checks)]


def _finding(check: Check, tail: float, share: float, *, failed: bool) -> Finding:
    """With the bounds that decided: to pass by at the full error, to fail by at this check's share of it."""
    about = dict(check.about)
    if check.bounds is None:
        return Finding(**about, outcome="inconclusive", why=check.reason, low=None, high=None, additional_samples=None)
    low, high = (x if np.isfinite(x) else None for x in check.sides(tail, share))
    outcome: Outcome = "fail" if failed else "pass" if check.within(tail) else "inconclusive"
    additional_samples = _settle(check, tail, share) if outcome == "inconclusive" else None
    return Finding(
        **about,
        outcome=outcome,
        why=_why(about, outcome, (low, high), additional_samples),
        low=low,
        high=high,
        additional_samples=additional_samples,
    )


def _settle(check: Check, tail: float, share: float) -> list[AdditionalSamples] | None:
    """How many more faces of each group would decide, were the rates what they seem to be."""

    def decided(times: float) -> bool:
        return check.within(tail, times) or check.beyond(share, times)

    if not decided(MOST):
        return None
    low, high = 1.0, float(MOST)
    while high / low > 1.02:  # noqa: PLR2004 - a figure to plan by
        middle = (low * high) ** 0.5
        low, high = (low, middle) if decided(middle) else (middle, high)
    return [AdditionalSamples(group=g, images=int(np.ceil((high - 1) * n))) for g, n in check.trials]


def _why(
    about: dict[str, Any],
    outcome: Outcome,
    bounds: tuple[float | None, float | None],
    additional_samples: list[AdditionalSamples] | None,
) -> str:
    """One sentence."""
    kind, limit, seen = about["kind"], about["limit"], about["observed"]
    low, high = ("any size" if b is None else f"{b:.3f}" for b in bounds)
    what = {
        "max_gap": f"the gap between {about['worst']} and {about['best']}",
        "min_ratio": f"the ratio of {about['worst']} to {about['best']}",
        "min_worst": f"the worst group, {about['worst']},",
        "max_regression": f"the loss of {about['worst']}",
    }[kind]
    head = f"{named(about)}: {what} is {seen:.3f}"
    if kind == "max_gap" and about["worst"] == about["best"]:
        head = f"{named(about)}: the groups do not differ"
    if kind == "max_regression" and seen <= 0:
        head = f"{named(about)}: no group lost anything"
    least = kind in ("min_ratio", "min_worst")
    sure = {
        "pass": f"surely {'at least' if least else 'at most'} {low if least else high}",
        "fail": f"surely {'at most' if least else 'at least'} {high if least else low}",
        "inconclusive": f"somewhere from {low} to {high}",
    }[outcome]
    text = f"{head}, {sure}; the limit is {limit:g}"
    if outcome == "inconclusive":
        if additional_samples is None:
            text += f"; even {MOST} times the faces would not settle it"
        else:
            text += f"; about {sum(m.images for m in additional_samples):,} more faces would settle it"
    return text
