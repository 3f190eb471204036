"""Measurements: the observed value of what a rule limits, and confidence bounds that hold where the rule is decided.

====================  =====================================================================================================
independent samples   exact binomial limits, combined for pairs of groups and for two models (`fairfer.stats.exact`)
shared subjects       the same, of effective counts (`fairfer.stats.effective`); undecided where one subject has too many
====================  =====================================================================================================
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from fairfer.stats.binomial import clopper_pearson
from fairfer.stats.effective import LARGEST_SHARE, cautious_trials
from fairfer.stats.exact import ArcLimits, difference_bounds, gap_bound_above, gap_bound_below, paired_bounds
from fairfer.vocabulary import LOWER_IS_BETTER, group_name

if TYPE_CHECKING:
    from fairfer.audits.comparison import Change
    from fairfer.gate.policy import Rule
    from fairfer.metrics.results import Rate
    from fairfer.stats.intervals import Floats

COMPLEMENTS = {"TNR": "FPR", "FNR": "TPR"}
"""Rates that a comparison does not store, as 1 minus one that it does."""

Bounds = Callable[[float, float, float], tuple[float, float]]
"""Lower and upper confidence bound, for the error of the lower, the error of the upper, and a factor of the sample size."""

UNBOUNDED = 1.0
"""Error of a bound that is not needed, and not computed."""

_ROUNDING = 1e-9
"""One of ten subjects with equally many faces has a tenth of them."""

_Bound = Callable[[float, float], float]
"""One bound, for its error and a factor of the sample size."""


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
    reason
        Why no bound keeps its error here, so that the check is inconclusive; empty where they do.
    """

    observed: float
    worst: str
    best: str
    bounds: Bounds
    reason: str = ""


@dataclass(frozen=True)
class _Counts:
    """Hits and trials of several groups, and how informative they are where samples share subjects.

    Attributes
    ----------
    hits, trials
        (groups,) counts.
    size, largest_share
        (groups,) effective trials, and share of the trials that one subject has at most; NaN where samples are independent.
    """

    hits: Floats
    trials: Floats
    size: Floats
    largest_share: Floats

    @classmethod
    def of_rates(cls, rates: Sequence[Rate]) -> _Counts:
        return cls(
            np.array([r.numerator or 0 for r in rates], float),
            np.array([r.denominator or 0 for r in rates], float),
            *_precision(rates),
        )

    @property
    def rate(self) -> Floats:
        return self.hits / self.trials

    def effective(self, error: float, factor: float) -> tuple[Floats, Floats]:
        """Hits and trials of as many independent samples, for limits with this error."""
        spread = self.rate * (1 - self.rate)
        trials = _effective_trials(spread, self.size, self.largest_share, self.trials, error, factor)
        return self.rate * trials, trials


def measure_level(rule: Rule, rates: Sequence[Rate]) -> Measurement:
    """Gap, ratio or worst rate of the groups."""
    counts = _Counts.of_rates(rates)
    names = [group_name(r.group) for r in rates]
    rate = counts.rate
    sign = -1 if rule.rate in LOWER_IS_BETTER else 1
    worst, best = names[int(np.argmin(sign * rate))], names[int(np.argmax(sign * rate))]
    if rule.kind == "max_gap":
        observed, bounds = float(np.ptp(rate)), _gap_bounds(counts)
    elif rule.kind == "min_ratio":
        observed, bounds = float(rate.min() / rate.max()) if rate.max() > 0 else 1.0, _ratio_bounds(counts)
    else:
        observed, bounds = float(rate.min()), _worst_bounds(counts)
    return Measurement(observed, worst, best, bounds, _dominated(rates))


def measure_loss(rule: Rule, rates: Sequence[Rate], baseline: Sequence[Rate]) -> Measurement:
    """Largest loss of any group relative to the baseline, as if the two runs had different samples.

    Parameters
    ----------
    rule
        A rule with ``max_regression``.
    rates, baseline
        Rates of the same groups.
    """
    after, before = _Counts.of_rates(rates), _Counts.of_rates(baseline)
    # The rate that the loss is subtracted from comes first.
    one, other = (after, before) if rule.rate in LOWER_IS_BETTER else (before, after)

    def limits(error: float, factor: float) -> tuple[Floats, Floats]:
        return difference_bounds(*one.effective(error, factor), *other.effective(error, factor), error)

    return _largest_loss([group_name(r.group) for r in rates], one.rate - other.rate, limits, _dominated([*rates, *baseline]))


def measure_paired_loss(rule: Rule, changes: Sequence[Change], *, by_subject: bool) -> Measurement:
    """Largest loss of any group relative to the baseline, on the samples of both runs.

    Parameters
    ----------
    rule
        A rule with ``max_regression``.
    changes
        Changes of the rate, or of the one of which it is the complement, of each group.
    by_subject
        Whether samples share subjects.
    """
    stored = COMPLEMENTS.get(rule.rate, rule.rate)
    gained, lost, trials = (np.array([getattr(c, n) for c in changes], float) for n in ("gained", "lost", "trials"))
    # Where less is better of the rate that is stored, its gains are the losses.
    worse, better = (gained, lost) if stored in LOWER_IS_BETTER else (lost, gained)
    loss = (worse - better) / trials
    size, largest_share = _precision(changes)

    def limits(error: float, factor: float) -> tuple[Floats, Floats]:
        spread = (worse + better) / trials - loss**2
        effective = _effective_trials(spread, size, largest_share, trials, error, factor)
        share = effective / trials
        return paired_bounds(worse * share, better * share, effective, error)

    if by_subject and np.isnan(size).any():
        reason = "the comparison does not state the precision of its changes; run fairfer compare again"
    else:
        reason = _dominated(changes)
    return _largest_loss([group_name(c.group) for c in changes], loss, limits, reason)


def _largest_loss(
    names: Sequence[str], loss: Floats, limits: Callable[[float, float], tuple[Floats, Floats]], reason: str
) -> Measurement:
    # A failure needs one group (Bonferroni over the groups); a pass needs every group.
    bounds = _cached(
        lambda error, factor: float(limits(error / len(names), factor)[0].max()),
        lambda error, factor: float(limits(error, factor)[1].max()),
    )
    # Adding 0.0 turns a loss of -0.0 into 0.0.
    return Measurement(float(loss.max()) + 0.0, names[int(np.argmax(loss))], names[int(np.argmin(loss))], bounds, reason)


def _cached(lower: _Bound, upper: _Bound) -> Bounds:
    """Both bounds, each computed once for an error and factor: a verdict asks for them several times."""
    low, high = cache(lower), cache(upper)
    return lambda lower_error, upper_error, factor: (
        -math.inf if lower_error >= UNBOUNDED else low(lower_error, factor),
        math.inf if upper_error >= UNBOUNDED else high(upper_error, factor),
    )


def _gap_bounds(counts: _Counts) -> Bounds:
    pairs = len(counts.trials) * (len(counts.trials) - 1) // 2

    def lower(error: float, factor: float) -> float:
        share = error / pairs
        arc = ArcLimits.of_counts(*counts.effective(share / 2, factor), [[share], [share / 2]])
        return float(gap_bound_below(counts.rate, arc, share))

    def upper(error: float, factor: float) -> float:
        return float(gap_bound_above(ArcLimits.of_counts(*counts.effective(error, factor), error)))

    return _cached(lower, upper)


def _ratio_bounds(counts: _Counts) -> Bounds:
    one, other = (np.array(x) for x in zip(*itertools.permutations(range(len(counts.trials)), 2), strict=True))

    def limits(error: float, factor: float) -> tuple[Floats, Floats]:
        return ArcLimits.of_counts(*counts.effective(error, factor), error).ratio(one, other)

    # A pass needs every pair (intersection-union, no correction); a failure needs one (Bonferroni over the pairs).
    return _cached(
        lambda error, factor: float(limits(error, factor)[0].min()),
        lambda error, factor: float(limits(error / len(one), factor)[1].min()),
    )


def _worst_bounds(counts: _Counts) -> Bounds:
    def limits(error: float, factor: float) -> tuple[Floats, Floats]:
        return clopper_pearson(*counts.effective(error, factor), error)

    # As for ratios: a pass needs every group, a failure needs one.
    return _cached(
        lambda error, factor: float(limits(error, factor)[0].min()),
        lambda error, factor: float(limits(error / len(counts.trials), factor)[1].min()),
    )


def _precision(rows: Sequence[Rate] | Sequence[Change]) -> tuple[Floats, Floats]:
    """Effective sizes and largest shares of one subject; NaN where samples are independent."""
    size = [np.nan if r.effective_size is None else r.effective_size for r in rows]
    share = [np.nan if r.largest_share is None else r.largest_share for r in rows]
    return np.array(size, float), np.array(share, float)


def _effective_trials(
    spread: Floats, size: Floats, largest_share: Floats, trials: Floats, error: float, factor: float
) -> Floats:
    shared = np.isfinite(size)
    effective = trials * factor
    if shared.any():
        effective[shared] = cautious_trials(spread[shared], size[shared], largest_share[shared], trials[shared], error, factor)
    return effective


def _dominated(rows: Sequence[Rate] | Sequence[Change]) -> str:
    """Why no bound keeps its error: one subject has too many of a group's samples; else empty."""
    for row in rows:
        if row.effective_size is None:
            continue
        group = group_name(row.group)
        if row.largest_share is None:
            return f"it is unknown how many faces of {group} show one subject; run fairfer audit again"
        if row.largest_share > LARGEST_SHARE + _ROUNDING:
            return (
                f"one subject has {row.largest_share:.0%} of the faces of {group}, and above {LARGEST_SHARE:.0%} "
                "the chance of a wrong outcome is not known"
            )
    return ""
