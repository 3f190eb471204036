"""What a rule limits, seen in an audit: the quantity, its ends, and bounds of it at any error.

A check is one rule on one label and attribute. It decides nothing; `fairfer.gate.judge` does.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fairfer.errors import RunError, UsageError
from fairfer.gate.policy import LOWER_IS_BETTER, Rule
from fairfer.metrics.results import ExcludedGroup, ExclusionReason, Rate
from fairfer.stats.bounds import gap_bounds
from fairfer.stats.intervals import Estimates, difference_limits, normal_quantile
from fairfer.stats.paired import paired_limits
from fairfer.stats.ratios import ratio_limits
from fairfer.vocabulary import UNANNOTATED

if TYPE_CHECKING:
    from fairfer.audits.comparison import Change, Comparison
    from fairfer.audits.result import Audit

_MIRROR = {"TNR": "FPR", "FNR": "TPR"}
_PAIRED = ("TPR", "FPR", "TNR", "FNR", "accuracy", "coverage")

Bounds = Callable[[float, float, float], tuple[float, float]]
"""Lower bound at one error, upper bound at another, with this many times the samples."""


@dataclass(frozen=True)
class Check:
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
        """Whether it surely keeps the limit, with error `tail`, with so many times the faces."""
        low, high = self.sides(tail, tail, times)
        return low >= self.limit if self.at_least else high <= self.limit

    def beyond(self, tail: float, times: float = 1.0) -> bool:
        """Whether it surely breaks the limit, likewise."""
        low, high = self.sides(tail, tail, times)
        return high < self.limit if self.at_least else low > self.limit


def _nothing(*_: float) -> tuple[float, float]:
    return float("nan"), float("nan")


def check(rule: Rule, label: str, attribute: str, audit: Audit, baseline: Audit | None, comparison: Comparison | None) -> Check:
    """Look at one label and attribute of a rule.

    Parameters
    ----------
    rule
        What is limited.
    label, attribute
        Of those that the rule names.
    audit, baseline, comparison
        As for `fairfer.gate.judge.judge`.

    Raises
    ------
    UsageError
        When a regression is limited and there is no baseline, or it is one that cannot be judged.
    RunError
        When the audit or the baseline lacks the rate.
    """
    least = rule.minimum or audit.plan.minimum
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
        "excluded": [_left_out(m, least) for m in members if m not in usable],
        "observed": None,
        "worst": None,
        "best": None,
    }
    at_least = rule.kind in ("min_ratio", "min_worst")
    if lost:
        return Check(about, rule.limit, at_least, None, lost)
    silent = [m.group for m in members if m not in usable and rule.rate == "PPV" and audit.size(attribute, m.group) >= least]
    silent = [g for g in silent if UNANNOTATED not in g.split(",")]
    if silent:
        reason = f"{named(about)}: the model says {label} too seldom of {', '.join(silent)} to judge it there"
        return Check(about, rule.limit, at_least, None, reason)
    lacking = [g for g in rule.require if g not in about["groups"]]
    if lacking:
        some = "; ".join(f"{g} has {next(m.denominator or 0 for m in members if m.group == g)}" for g in lacking)
        reason = f"required groups have fewer than {least} faces behind {named(about)}: {some}"
        return Check(about, rule.limit, at_least, None, reason)
    if len(usable) < (2 if rule.kind in ("max_gap", "min_ratio") else 1):
        reason = f"too few groups have {least} or more faces behind {named(about)} to judge it"
        return Check(about, rule.limit, at_least, None, reason)
    trials = [(m.group, m.denominator or 0) for m in usable]
    observed: float | str
    bounds: Bounds | None
    if rule.kind == "max_regression":
        observed, ends, bounds = _regression(rule, about, usable, baseline, comparison, least)
    else:
        observed, ends, bounds = _level(rule, known, about["groups"])
    if isinstance(observed, str):
        return Check(about, rule.limit, at_least, None, observed)
    return Check({**about, "observed": observed, **ends}, rule.limit, at_least, bounds, "", trials)


def _lost(rule: Rule, label: str, audit: Audit, baseline: Audit | None) -> str:
    """Why a regression cannot be judged: the two models were not audited in the same labels, so not over the same faces."""
    if rule.kind != "max_regression" or baseline is None:
        return ""
    ours, theirs = audit.labels.audited, baseline.labels.audited
    if label not in ours and label != "*":
        return f"{label} {rule.rate}: the baseline was audited in {label}, this model was not (--unsupported-labels), and may have lost it"
    if label not in theirs and label != "*":
        return f"{label} {rule.rate}: the baseline was not audited in {label}, so there is nothing to compare with"
    differing = sorted(set(ours) ^ set(theirs))
    if differing and rule.rate not in ("TPR", "FNR"):
        only = ", ".join(differing)
        return f"{rule.rate}: the two were audited over different faces, as only one can say {only}; use --unsupported-labels keep for both"
    return ""


def _members(rate: str, label: str, attribute: str, audit: Audit, whose: str = "audit") -> list[Rate]:
    found = [r for r in audit.rates if (r.rate, r.label, r.attribute) == (rate, label, attribute)]
    if not found:
        message = f"the {whose} has no {rate} of {label!r} by {attribute}; make it again, with --by {attribute}"
        raise RunError(message)
    return found


def _left_out(member: Rate, least: int) -> ExcludedGroup:
    reason: ExclusionReason = "small"
    if UNANNOTATED in member.group.split(","):
        reason = "unannotated"
    elif member.status in ("empty", "not_estimable"):
        reason = member.status
    elif (member.denominator or 0) >= least:
        reason = "not_estimable"
    return ExcludedGroup(group=member.group, reason=reason, denominator=member.denominator or 0)


def _estimates(members: Sequence[Rate]) -> Estimates:
    sizes = [float(m.denominator or 0) if m.effective_size is None else m.effective_size for m in members]
    return Estimates(
        np.array([(m.numerator or 0) / (m.denominator or 1) for m in members], np.float64),
        np.array(sizes, np.float64),
        np.array([np.inf if m.degrees_of_freedom is None else m.degrees_of_freedom for m in members], np.float64),
    )


def _times(known: Estimates, times: float) -> Estimates:
    return Estimates(known.rate, known.size * times, known.degrees_of_freedom)


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
            reason = f"{named(about)}: the baseline has fewer than {least} faces behind it in {', '.join(lacking)}"
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
            reason = f"{named(about)}: the two runs have fewer than {least} faces behind it in common in {', '.join(lacking)}"
            return reason, {}, None
        rows = [mine[g] for g in groups]
        change = np.array([turned * (c.change or 0.0) for c in rows])

        def limits(tail: float, times: float, *, passing: bool) -> tuple[np.ndarray, np.ndarray]:
            low, high = _paired(rows, tail, times, comparison, passing=passing)
            return (low, high) if turned == 1 else (-high, -low)

    worse = -sign * change

    def bounds(low: float, high: float, times: float) -> tuple[float, float]:
        # Beyond: one group suffices, and the error is shared among them; within: every group must be.
        surely, at_most = limits(low / len(groups), times, passing=False), limits(high, times, passing=True)
        lost, kept = (-surely[1], -at_most[0]) if sign == 1 else (surely[0], at_most[1])
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


def named(about: dict[str, Any]) -> str:
    """``happiness TPR``; the rate alone where it is over all labels."""
    return about["rate"] if about["label"] == "*" else f"{about['label']} {about['rate']}"
