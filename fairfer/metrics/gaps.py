"""Gaps: differences between groups in a rate, their tests, bounds, power and additional sample size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fairfer.metrics.gap_power import power_fields, significance_levels
from fairfer.metrics.rates import estimates as estimates_of
from fairfer.metrics.results import (
    DifferenceStatus,
    ExcludedGroup,
    ExclusionReason,
    Gap,
    GroupDifference,
    Rate,
)
from fairfer.stats import (
    LEVEL,
    Estimates,
    PermutationTest,
    ResolvedTest,
    SampleTest,
    gap_bounds,
    resolve,
    score_difference_limits,
)
from fairfer.vocabulary import Group, Grouping, is_annotated

if TYPE_CHECKING:
    from fairfer.metrics.metric_settings import MetricSettings
    from fairfer.metrics.subjects import SubjectEstimates
    from fairfer.stats.intervals import Floats

FAVORABLE = {"TPR": 1, "FPR": -1, "accuracy": 1, "subset accuracy": 1, "coverage": 1}
"""Rates whose gaps are tested, with the favorable direction. FNR and TNR mirror the first two."""

_SMALLEST_COMPARISON = 2

_ALL_PAIRS = 8
"""Number of groups up to which the differences of all pairs are stored."""


def compute_gaps(
    rates: Sequence[Rate],
    groupings: Sequence[Grouping],
    settings: MetricSettings,
    subjects: SubjectEstimates | None = None,
    *,
    power: bool = True,
) -> list[Gap]:
    """Gaps of TPR and FPR per label, and of accuracy and coverage, over each grouping.

    Parameters
    ----------
    rates
        All rates of an audit. A group takes part in a gap when its rate has a large enough denominator and all of its
        attributes are annotated.
    groupings
        Those compared.
    settings
        Permutations, seed and confidence.
    subjects
        Counts by subject, where several samples show one.
    power
        Whether to compute the minimum detectable difference and the additional sample size, which takes most of the time.

    Returns
    -------
    list of Gap
        One per grouping, label and rate. They are one family of tests (see `fairfer.stats.resolve`).
    """
    members: dict[tuple[str, str, Grouping], list[Rate]] = {}
    for rate in rates:
        members.setdefault((rate.rate, rate.label, rate.attribute), []).append(rate)
    labels = list(dict.fromkeys(r.label for r in rates))
    candidates = [
        _Candidate.of(of_key, settings, subjects)
        for grouping in groupings
        for label in labels
        for rate in FAVORABLE
        if (of_key := members.get((rate, label, grouping)))
    ]
    tests = [c.test for c in candidates if c.test is not None]
    results = resolve(tests, permutations=settings.permutations, confidence=settings.confidence)
    levels = significance_levels(results) if power else [None] * len(results)
    resolved = iter(zip(results, levels, strict=True))
    return [c.untested() if c.test is None else c.gap(c.test, *next(resolved), settings) for c in candidates]


@dataclass(frozen=True)
class _Candidate:
    """The groups of one grouping that can be compared in one rate, and their test."""

    first: Rate
    usable: list[Rate]
    excluded: list[ExcludedGroup]
    test: PermutationTest | None
    by_subject: bool

    @classmethod
    def of(cls, members: Sequence[Rate], settings: MetricSettings, subjects: SubjectEstimates | None) -> _Candidate:
        first = members[0]
        usable = [m for m in members if m.status == "ok" and is_annotated(m.group)]
        excluded = [_excluded(m) for m in members if m not in usable]
        test: PermutationTest | None = None
        if len(usable) >= _SMALLEST_COMPARISON:
            generator = settings.stream(first.attribute, first.label, first.rate)
            groups = [m.group for m in usable]
            if subjects is None:
                test = SampleTest([m.numerator or 0 for m in usable], [m.denominator or 0 for m in usable], generator)
            else:
                test = subjects.test(first.attribute, groups, first.rate, first.label, generator)
        return cls(first, usable, excluded, test, subjects is not None)

    @property
    def groups(self) -> list[Group]:
        return [m.group for m in self.usable]

    def untested(self) -> Gap:
        """The row of a gap with fewer than two groups."""
        return self._row("too_few_groups")

    def gap(self, test: PermutationTest, resolved: ResolvedTest, level: float | None, settings: MetricSettings) -> Gap:
        """The row of a tested gap; without power where there is no level."""
        hits, trials = (np.array([getattr(m, n) for m in self.usable], np.int64) for n in ("numerator", "denominator"))
        estimates = estimates_of(self.usable)
        value = hits / trials
        sign = FAVORABLE[self.first.rate]
        row = self._row("ok" if resolved.p is not None else "no_variation")
        row = row.model_copy(
            update={
                "worst": self.groups[int(np.argmin(sign * value))],
                "best": self.groups[int(np.argmax(sign * value))],
                "difference": float(np.ptp(value)),
                "ratio": float(value.min() / value.max()) if value.max() > 0 else None,
                "expected_by_chance": resolved.expected,
                "p": resolved.p,
                "q": resolved.q,
                "significant": resolved.significant,
                "borderline": resolved.borderline,
                "critical_value": resolved.critical if np.isfinite(resolved.critical) else None,
                "high": float(gap_bounds(estimates, settings.confidence)[1]),
                "differences": self._differences(test, resolved, hits, trials) if resolved.p is not None else [],
            }
        )
        if level is None:
            return row
        return row.model_copy(update=power_fields(row, test, resolved, level, hits, trials))

    def _differences(
        self, test: PermutationTest, resolved: ResolvedTest, hits: np.ndarray, trials: np.ndarray
    ) -> list[GroupDifference]:
        """Differences of pairs, then of each group vs. the rest."""
        low, high = self._bounds(test, resolved, hits, trials)
        stored = _stored(test, resolved)
        rows = []
        for c in np.flatnonzero(stored):
            one, other = int(test.comparisons.one[c]), int(test.comparisons.other[c])
            is_rest = other >= len(self.groups)
            turned = not is_rest and test.difference[c] < 0
            limits = (-high[c], -low[c]) if turned else (low[c], high[c])
            significant = bool(resolved.significant_comparisons[c])
            rows.append(
                GroupDifference(
                    group=self.groups[other if turned else one],
                    reference=None if is_rest else self.groups[one if turned else other],
                    difference=float(-test.difference[c] if turned else test.difference[c]) + 0.0,
                    low=float(limits[0]) if significant else None,
                    high=float(limits[1]) if significant else None,
                    p=float(resolved.adjusted[c]),
                    significant=significant,
                )
            )
        return rows

    def _bounds(
        self, test: PermutationTest, resolved: ResolvedTest, hits: np.ndarray, trials: np.ndarray
    ) -> tuple[Floats, Floats]:
        """Bounds of all differences that are simultaneous within the gap, at the level of the significant gaps.

        Over the significant gaps of an audit, at most 5 % are expected to have a bound that excludes the true difference
        (false coverage rate, Benjamini and Yekutieli 2005, J. Am. Stat. Assoc. 100).
        """
        if not resolved.significant:
            return test.difference, test.difference
        if self.by_subject:
            reach = resolved.critical * test.scale
            return np.maximum(test.difference - reach, -1), np.minimum(test.difference + reach, 1)
        k, n = (np.concatenate([a, a.sum() - a]) for a in (hits, trials))
        one, other = (Estimates.of_counts(k[i], n[i]) for i in (test.comparisons.one, test.comparisons.other))
        return score_difference_limits(one, other, resolved.critical)

    def _row(self, status: DifferenceStatus) -> Gap:
        return Gap(
            label=self.first.label,
            attribute=self.first.attribute,
            rate=self.first.rate,
            groups=self.groups,
            excluded=self.excluded,
            worst=None,
            best=None,
            difference=None,
            ratio=None,
            expected_by_chance=None,
            p=None,
            q=None,
            significant=False,
            borderline=False,
            critical_value=None,
            high=None,
            status=status,
            differences=[],
            minimum_detectable=None,
            additional_samples=None,
        )


def _stored(test: PermutationTest, resolved: ResolvedTest) -> np.ndarray:
    """Which comparisons an audit stores: with many groups there are thousands of pairs."""
    if test.comparisons.groups <= _ALL_PAIRS:
        return np.ones(len(test.comparisons), bool)
    is_rest = test.comparisons.other >= test.comparisons.groups
    stored: np.ndarray = is_rest | (resolved.adjusted < LEVEL) | resolved.significant_comparisons
    stored[int(np.argmax(test.observed))] = True
    return stored


def _excluded(member: Rate) -> ExcludedGroup:
    reason: ExclusionReason = "unannotated" if not is_annotated(member.group) else "empty"
    if reason == "empty" and member.status != "ok":
        reason = member.status
    return ExcludedGroup(group=member.group, reason=reason, denominator=member.denominator or 0)
