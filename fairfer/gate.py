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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fairfer.errors import RunError, UsageError, did_you_mean
from fairfer.labels import canonical
from fairfer.policy import LOWER_IS_BETTER, OVER_LABELS, Policy, Rule
from fairfer.records import UNANNOTATED, LeftOut, LeftOutReason, More, Rate
from fairfer.uncertainty.bounds import gap_bounds
from fairfer.uncertainty.intervals import Estimates, difference_limits, normal_quantile
from fairfer.uncertainty.paired import paired_limits
from fairfer.uncertainty.ratios import ratio_limits
from fairfer.verdict import EXIT_CODES, Finding, Outcome, Verdict

if TYPE_CHECKING:
    from fairfer.comparison import Change, Comparison
    from fairfer.result import Audit

MOST = 100
"""More than so many times the faces are no plan to settle anything by."""

_MIRROR = {"TNR": "FPR", "FNR": "TPR"}
_PAIRED = ("TPR", "FPR", "TNR", "FNR", "accuracy", "coverage")

Bounds = Callable[[float, float, float], tuple[float, float]]
"""Lower bound at one error, upper bound at another, with this many times the samples."""


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
        _check(rule, label, attribute, audit, baseline, comparison)
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
        audit_seal=audit.sealed(),
        inferred=sorted(a.name for a in audit.data.attributes if a.source == "inferred"),
        baseline=None if baseline is None else f"{baseline.model.name} {baseline.model.version}",
        paired=None if baseline is None else comparison is not None,
    )


def _same_data(audit: Audit, baseline: Audit) -> None:
    fields: list[tuple[str, Any, Any]] = [
        ("data set", audit.data.name, baseline.data.name),
        ("labels of the data", audit.data.labels, baseline.data.labels),
        ("--unsayable", audit.settings.unsayable, baseline.settings.unsayable),
        ("--subject", audit.settings.subject, baseline.settings.subject),
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


def _check_waivers(policy: Policy, checks: Sequence[_Check]) -> None:
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


@dataclass(frozen=True)
class _Check:
    """A limit, and bounds of what it limits; none where nothing can be said, for a reason."""

    about: dict[str, Any]
    limit: float
    at_least: bool
    """Whether the limit is a least value, and not a most."""
    bounds: Bounds | None
    reason: str = ""
    trials: Sequence[tuple[str, int]] = ()

    def sides(self, passing: float, failing: float, times: float = 1.0) -> tuple[float, float]:
        """Lower and upper bound: the one to pass by at one error, the one to fail by at another."""
        below, above = (passing, failing) if self.at_least else (failing, passing)
        return (self.bounds or _nothing)(below, above, times)

    def within(self, tail: float, times: float = 1.0) -> bool:
        low, high = self.sides(tail, tail, times)
        return low >= self.limit if self.at_least else high <= self.limit

    def beyond(self, tail: float, times: float = 1.0) -> bool:
        low, high = self.sides(tail, tail, times)
        return high < self.limit if self.at_least else low > self.limit


def _waiver(policy: Policy, finding: Finding) -> str | None:
    """Why a finding that would stop someone does not."""
    if finding.outcome == "pass":
        return None
    covering = [w for w in policy.waivers if w.covers(finding.rule, finding.label, finding.attribute)]
    return f"{covering[0].reason} (until {covering[0].expires.isoformat()})" if covering else None


def _nothing(*_: float) -> tuple[float, float]:
    return float("nan"), float("nan")


def _check(
    rule: Rule, label: str, attribute: str, audit: Audit, baseline: Audit | None, comparison: Comparison | None
) -> _Check:
    least = rule.minimum or audit.settings.minimum
    lost = _lost(rule, label, audit, baseline)
    members = [] if label not in ("*", *audit.labels.audited) else _members(rule.rate, label, attribute, audit)
    usable = [
        m for m in members if m.value is not None and (m.denominator or 0) >= least and UNANNOTATED not in m.group.split(",")
    ]
    known = _estimates(usable)
    about: dict[str, Any] = {
        "rule": rule.name,
        "kind": rule.kind,
        "limit": rule.limit,
        "rate": rule.rate,
        "label": label,
        "attribute": attribute,
        "groups": [m.group for m in usable],
        "left_out": [_left_out(m, least) for m in members if m not in usable],
        "observed": None,
        "worst": None,
        "best": None,
    }
    at_least = rule.kind in ("min_ratio", "min_worst")
    if lost:
        return _Check(about, rule.limit, at_least, None, lost)
    silent = [m.group for m in members if m not in usable and rule.rate == "PPV" and audit.size(attribute, m.group) >= least]
    silent = [g for g in silent if UNANNOTATED not in g.split(",")]
    if silent:
        reason = f"{_named(about)}: the model says {label} too seldom of {', '.join(silent)} to judge it there"
        return _Check(about, rule.limit, at_least, None, reason)
    lacking = [g for g in rule.require if g not in about["groups"]]
    if lacking:
        some = "; ".join(f"{g} has {next(m.denominator or 0 for m in members if m.group == g)}" for g in lacking)
        reason = f"required groups have fewer than {least} faces behind {_named(about)}: {some}"
        return _Check(about, rule.limit, at_least, None, reason)
    if len(usable) < (2 if rule.kind in ("max_gap", "min_ratio") else 1):
        reason = f"too few groups have {least} or more faces behind {_named(about)} to judge it"
        return _Check(about, rule.limit, at_least, None, reason)
    trials = [(m.group, m.denominator or 0) for m in usable]
    observed: float | str
    bounds: Bounds | None
    if rule.kind == "max_regression":
        observed, ends, bounds = _regression(rule, about, usable, baseline, comparison, least)
    else:
        observed, ends, bounds = _level(rule, known, about["groups"])
    if isinstance(observed, str):
        return _Check(about, rule.limit, at_least, None, observed)
    return _Check({**about, "observed": observed, **ends}, rule.limit, at_least, bounds, "", trials)


def _lost(rule: Rule, label: str, audit: Audit, baseline: Audit | None) -> str:
    """Why a regression cannot be judged: the two models were not audited in the same labels, so not over the same faces."""
    if rule.kind != "max_regression" or baseline is None:
        return ""
    ours, theirs = audit.labels.audited, baseline.labels.audited
    if label not in ours and label != "*":
        return (
            f"{label} {rule.rate}: the baseline was audited in {label}, this model was not (--unsayable), and may have lost it"
        )
    if label not in theirs and label != "*":
        return f"{label} {rule.rate}: the baseline was not audited in {label}, so there is nothing to compare with"
    differing = sorted(set(ours) ^ set(theirs))
    if differing and rule.rate not in ("TPR", "FNR"):
        only = ", ".join(differing)
        return (
            f"{rule.rate}: the two were audited over different faces, as only one can say {only}; use --unsayable keep for both"
        )
    return ""


def _members(rate: str, label: str, attribute: str, audit: Audit, whose: str = "audit") -> list[Rate]:
    found = [r for r in audit.rates if (r.rate, r.label, r.attribute) == (rate, label, attribute)]
    if not found:
        message = f"the {whose} has no {rate} of {label!r} by {attribute}; make it again, with --by {attribute}"
        raise RunError(message)
    return found


def _left_out(member: Rate, least: int) -> LeftOut:
    reason: LeftOutReason = "small"
    if UNANNOTATED in member.group.split(","):
        reason = "unannotated"
    elif member.status in ("empty", "not_estimable"):
        reason = member.status
    elif (member.denominator or 0) >= least:
        reason = "not_estimable"
    return LeftOut(group=member.group, reason=reason, denominator=member.denominator or 0)


def _estimates(members: Sequence[Rate]) -> Estimates:
    sizes = [float(m.denominator or 0) if m.effective is None else m.effective for m in members]
    return Estimates(
        np.array([(m.numerator or 0) / (m.denominator or 1) for m in members], np.float64),
        np.array(sizes, np.float64),
        np.array([np.inf if m.freedom is None else m.freedom for m in members], np.float64),
    )


def _times(known: Estimates, times: float) -> Estimates:
    return Estimates(known.rate, known.size * times, known.freedom)


def _level(rule: Rule, known: Estimates, groups: Sequence[str]) -> tuple[float, dict[str, str], Bounds]:
    """What a limit on the groups' own rates is about, its ends, and its bounds."""
    rate = known.rate
    sign = -1 if rule.rate in LOWER_IS_BETTER else 1
    ends = {"worst": groups[int(np.argmin(sign * rate))], "best": groups[int(np.argmax(sign * rate))]}
    if rule.kind == "max_gap":

        def gap(low: float, high: float, times: float) -> tuple[float, float]:
            found = _times(known, times)
            return float(gap_bounds(found, 1 - low)[0]), float(gap_bounds(found, 1 - high)[1])

        return float(np.ptp(rate)), ends, gap
    if rule.kind == "min_ratio":
        i, j = (np.array(x) for x in zip(*itertools.permutations(range(len(rate)), 2), strict=True))

        def ratio(low: float, high: float, times: float) -> tuple[float, float]:
            found = _times(known, times)
            one, other = found.of_groups(i), found.of_groups(j)
            # To be within, every pair must be; to be beyond, one suffices, and the error is shared among the pairs.
            return float(ratio_limits(one, other, low)[0].min()), float(ratio_limits(one, other, high / len(i))[1].min())

        return float(rate.min() / rate.max()) if rate.max() > 0 else 1.0, ends, ratio

    def worst(low: float, high: float, times: float) -> tuple[float, float]:
        found = _times(known, times)
        return (
            float(found.limits(low, continuity=True)[0].min()),
            float(found.limits(high / len(rate), continuity=True)[1].min()),
        )

    return float(rate.min()), {**ends, "worst": groups[int(np.argmin(rate))], "best": groups[int(np.argmax(rate))]}, worst


def _regression(
    rule: Rule,
    about: dict[str, Any],
    usable: Sequence[Rate],
    baseline: Audit | None,
    comparison: Comparison | None,
    least: int,
) -> tuple[float | str, dict[str, str], Bounds | None]:
    """How much worse the rate of any group became, its ends and bounds; or why it cannot be said."""
    if baseline is None:
        message = f"rule {rule.name!r} limits a regression, which needs the run to compare with; give it with --baseline"
        raise UsageError(message)
    if rule.rate not in _PAIRED:
        message = f"rule {rule.name!r}: max_regression of {rule.rate} cannot be judged; limit one of {', '.join(_PAIRED)}"
        raise UsageError(message)
    groups = [m.group for m in usable]
    sign = -1 if rule.rate in LOWER_IS_BETTER else 1
    if comparison is None:
        theirs = {m.group: m for m in _members(rule.rate, about["label"], about["attribute"], baseline, "baseline")}
        lacking = [g for g in groups if g not in theirs or (theirs[g].denominator or 0) < least]
        if lacking:
            reason = f"{_named(about)}: the baseline has fewer than {least} faces behind it in {', '.join(lacking)}"
            return reason, {}, None
        before, after = _estimates([theirs[g] for g in groups]), _estimates(usable)
        change = after.rate - before.rate

        def limits(tail: float, times: float, *, passing: bool) -> tuple[np.ndarray, np.ndarray]:
            del passing  # either way
            return difference_limits(_times(after, times), _times(before, times), tail, continuity=True)
    else:
        mirrored = _MIRROR.get(rule.rate, rule.rate)
        turned = -1 if rule.rate in _MIRROR else 1
        mine = {
            c.group: c
            for c in comparison.changes
            if (c.rate, c.label, c.attribute) == (mirrored, about["label"], about["attribute"])
        }
        lacking = [g for g in groups if g not in mine or mine[g].trials < least]
        if lacking:
            reason = f"{_named(about)}: the two runs have fewer than {least} faces behind it in common in {', '.join(lacking)}"
            return reason, {}, None
        rows = [mine[g] for g in groups]
        change = np.array([turned * (c.change or 0.0) for c in rows])

        def limits(tail: float, times: float, *, passing: bool) -> tuple[np.ndarray, np.ndarray]:
            low, high = _paired(rows, tail, times, comparison, passing=passing)
            return (low, high) if turned == 1 else (-high, -low)

    worse = -sign * change

    def bounds(low: float, high: float, times: float) -> tuple[float, float]:
        # Beyond: one group suffices, and the error is shared among them; within: every group must be.
        least, most = limits(low / len(groups), times, passing=False), limits(high, times, passing=True)
        lost, kept = (-least[1], -most[0]) if sign == 1 else (least[0], most[1])
        return float(lost.max()), float(kept.max())

    ends = {"worst": groups[int(np.argmax(worse))], "best": groups[int(np.argmin(worse))]}
    return float(worse.max()) + 0.0, ends, bounds


def _paired(
    rows: Sequence[Change], tail: float, times: float, comparison: Comparison, *, passing: bool
) -> tuple[np.ndarray, np.ndarray]:
    if not comparison.subject:
        more, less, trials = (times * np.array([getattr(c, n) for c in rows], float) for n in ("gained", "lost", "trials"))
        # Only towards more of a loss are limits without correction too narrow.
        return paired_limits(more, less, trials, tail, continuity=passing)
    # Where people have several pictures, the interval of the comparison tells the error.
    seen = np.array([c.change or 0.0 for c in rows])
    width = np.array([(c.high or 0.0) - (c.low or 0.0) for c in rows]) / 2 / normal_quantile((1 + comparison.confidence) / 2)
    half = normal_quantile(1 - tail) * width / np.sqrt(times)
    return seen - half, seen + half


def _decide(checks: Sequence[_Check], tail: float) -> list[Finding]:
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


def _finding(check: _Check, tail: float, share: float, *, failed: bool) -> Finding:
    """With the bounds that decided: to pass by at the full error, to fail by at this check's share of it."""
    about = dict(check.about)
    if check.bounds is None:
        return Finding(**about, outcome="inconclusive", why=check.reason, low=None, high=None, settle=None)
    low, high = (x if np.isfinite(x) else None for x in check.sides(tail, share))
    outcome: Outcome = "fail" if failed else "pass" if check.within(tail) else "inconclusive"
    settle = _settle(check, tail, share) if outcome == "inconclusive" else None
    return Finding(**about, outcome=outcome, why=_why(about, outcome, (low, high), settle), low=low, high=high, settle=settle)


def _settle(check: _Check, tail: float, share: float) -> list[More] | None:
    """How many more faces of each group would decide, were the rates what they seem to be."""

    def decided(times: float) -> bool:
        return check.within(tail, times) or check.beyond(share, times)

    if not decided(MOST):
        return None
    low, high = 1.0, float(MOST)
    while high / low > 1.02:  # noqa: PLR2004 - a figure to plan by
        middle = (low * high) ** 0.5
        low, high = (low, middle) if decided(middle) else (middle, high)
    return [More(group=g, images=int(np.ceil((high - 1) * n))) for g, n in check.trials]


def _named(about: dict[str, Any]) -> str:
    return about["rate"] if about["label"] == "*" else f"{about['label']} {about['rate']}"


def _why(about: dict[str, Any], outcome: Outcome, bounds: tuple[float | None, float | None], settle: list[More] | None) -> str:
    """One sentence."""
    kind, limit, seen = about["kind"], about["limit"], about["observed"]
    low, high = ("any size" if b is None else f"{b:.3f}" for b in bounds)
    what = {
        "max_gap": f"the gap between {about['worst']} and {about['best']}",
        "min_ratio": f"the ratio of {about['worst']} to {about['best']}",
        "min_worst": f"the worst group, {about['worst']},",
        "max_regression": f"the loss of {about['worst']}",
    }[kind]
    head = f"{_named(about)}: {what} is {seen:.3f}"
    if kind == "max_gap" and about["worst"] == about["best"]:
        head = f"{_named(about)}: the groups do not differ"
    if kind == "max_regression" and seen <= 0:
        head = f"{_named(about)}: no group lost anything"
    least = kind in ("min_ratio", "min_worst")
    sure = {
        "pass": f"surely {'at least' if least else 'at most'} {low if least else high}",
        "fail": f"surely {'at most' if least else 'at least'} {high if least else low}",
        "inconclusive": f"somewhere from {low} to {high}",
    }[outcome]
    text = f"{head}, {sure}; the limit is {limit:g}"
    if outcome == "inconclusive":
        if settle is None:
            text += f"; even {MOST} times the faces would not settle it"
        else:
            text += f"; about {sum(m.images for m in settle):,} more faces would settle it"
    return text
