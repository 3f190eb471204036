"""Gaps: the largest difference between groups in a rate, its test, bounds, power and additional sample size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from fairfer.metrics.rates import estimates as estimates_of
from fairfer.metrics.results import AdditionalSamples, ExcludedGroup, ExclusionReason, Gap, Rate, StandardizedGap
from fairfer.stats import (
    Estimates,
    PermutationResult,
    additional_sample_size,
    benjamini_hochberg,
    gap_bounds,
    minimum_detectable_difference,
    permutation_test,
)
from fairfer.vocabulary import Group, Grouping, is_annotated

if TYPE_CHECKING:
    from fairfer.metrics.metric_settings import MetricSettings
    from fairfer.metrics.subjects import SubjectEstimates

FAVORABLE = {"TPR": 1, "FPR": -1, "accuracy": 1, "subset accuracy": 1, "coverage": 1}
"""Rates whose gaps are tested, with the favorable direction. FNR and TNR mirror the first two."""

_SMALLEST_COMPARISON = 2

Row = TypeVar("Row", Gap, StandardizedGap)


def compute_gaps(
    rates: Sequence[Rate], groupings: Sequence[Grouping], settings: MetricSettings, subjects: SubjectEstimates | None = None
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

    Returns
    -------
    list of Gap
        One per grouping, label and rate; FDR-adjusted p-values over all of them together.
    """
    members: dict[tuple[str, str, Grouping], list[Rate]] = {}
    for rate in rates:
        members.setdefault((rate.rate, rate.label, rate.attribute), []).append(rate)
    labels = list(dict.fromkeys(r.label for r in rates))
    gaps = [
        _gap(of_key, settings, subjects)
        for grouping in groupings
        for label in labels
        for rate in FAVORABLE
        if (of_key := members.get((rate, label, grouping)))
    ]
    return with_adjusted_p(gaps)


def with_adjusted_p(gaps: list[Row]) -> list[Row]:
    """The same rows with ``q``: their p-values adjusted over all that have one (Benjamini and Hochberg 1995)."""
    tested = [i for i, g in enumerate(gaps) if g.p is not None]
    adjusted = benjamini_hochberg([p for g in gaps if (p := g.p) is not None])
    for i, value in zip(tested, adjusted, strict=True):
        gaps[i] = gaps[i].model_copy(update={"q": float(value)})
    return gaps


def _gap(members: Sequence[Rate], settings: MetricSettings, subjects: SubjectEstimates | None) -> Gap:
    first = members[0]
    usable = [m for m in members if m.status == "ok" and is_annotated(m.group)]
    groups = [m.group for m in usable]
    excluded = [_excluded(m) for m in members if m not in usable]
    if len(usable) < _SMALLEST_COMPARISON:
        return _no_gap(first, groups, excluded)
    hits, trials = (np.array([getattr(m, n) for m in usable], np.int64) for n in ("numerator", "denominator"))
    value = hits / trials
    sign = FAVORABLE[first.rate]
    worst, best = int(np.argmin(sign * value)), int(np.argmax(sign * value))
    estimates = estimates_of(usable)
    permuted = _permuted(first, groups, hits, trials, settings, subjects)
    low, high = gap_bounds(estimates, settings.confidence)
    return Gap(
        label=first.label,
        attribute=first.attribute,
        rate=first.rate,
        groups=groups,
        excluded=excluded,
        worst=groups[worst],
        best=groups[best],
        difference=float(np.ptp(value)),
        ratio=float(value.min() / value.max()) if value.max() > 0 else None,
        expected_by_chance=permuted.expected,
        p=permuted.p,
        q=None,
        low=float(low),
        high=float(high),
        status="ok",
        minimum_detectable=minimum_detectable_difference(permuted.expected, float(hits.sum() / trials.sum()), estimates.size),
        additional_samples=_additional_samples(estimates, trials, groups, settings.confidence),
    )


def _permuted(
    first: Rate,
    groups: Sequence[Group],
    hits: np.ndarray,
    trials: np.ndarray,
    settings: MetricSettings,
    subjects: SubjectEstimates | None,
) -> PermutationResult:
    generator = settings.stream(first.attribute, first.label, first.rate)
    if subjects is None:
        return permutation_test(
            hits, trials, permutations=settings.permutations, generator=generator, confidence=settings.confidence
        )
    return subjects.permuted(
        first.attribute,
        groups,
        first.rate,
        first.label,
        permutations=settings.permutations,
        generator=generator,
        confidence=settings.confidence,
    )


def _no_gap(first: Rate, groups: list[Group], excluded: list[ExcludedGroup]) -> Gap:
    return Gap(
        label=first.label,
        attribute=first.attribute,
        rate=first.rate,
        groups=groups,
        excluded=excluded,
        worst=None,
        best=None,
        difference=None,
        ratio=None,
        expected_by_chance=None,
        p=None,
        q=None,
        low=None,
        high=None,
        status="too_few_groups",
        minimum_detectable=None,
        additional_samples=None,
    )


def _excluded(member: Rate) -> ExcludedGroup:
    reason: ExclusionReason = "unannotated" if not is_annotated(member.group) else "empty"
    if reason == "empty" and member.status != "ok":
        reason = member.status
    return ExcludedGroup(group=member.group, reason=reason, denominator=member.denominator or 0)


def _additional_samples(
    estimates: Estimates, trials: np.ndarray, groups: Sequence[Group], confidence: float
) -> list[AdditionalSamples] | None:
    additional = additional_sample_size(estimates.rate * estimates.size, estimates.size, confidence)
    if additional is None:
        return None
    # An effective trial costs as many samples as it does now.
    return [
        AdditionalSamples(group=groups[i], samples=int(np.ceil(n * trials[i] / estimates.size[i])))
        for i, n in additional.items()
    ]
