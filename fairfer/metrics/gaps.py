"""Gaps between the groups of one attribute: how wide, how sure, and what these data could have shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fairfer.metrics.results import AdditionalSamples, ExcludedGroup, ExclusionReason, Gap, Rate
from fairfer.metrics.subjects import stack
from fairfer.stats import (
    Estimates,
    additional_sample_size,
    benjamini_hochberg,
    chance_gap,
    gap_bounds,
    minimum_detectable_difference,
)
from fairfer.vocabulary import UNANNOTATED

if TYPE_CHECKING:
    from fairfer.audits.result import AuditPlan
    from fairfer.metrics.subjects import People

GAP_RATES = {"TPR": 1, "FPR": -1, "accuracy": 1, "coverage": 1}
"""Rates whose gaps are tested, and the direction that is favourable. FNR and TNR are the mirror images of the first two."""


def find_gaps(rates: Sequence[Rate], groupings: Sequence[str], plan: AuditPlan, people: People | None = None) -> list[Gap]:
    """Gaps of TPR and FPR per label, and of accuracy and coverage, over each grouping.

    Parameters
    ----------
    rates
        All rates of an audit. A group takes part in a gap when its rate is neither small nor without a denominator, and when
        it is annotated: `UNANNOTATED` is no group of people.
    groupings
        Names of the attributes and intersections.
    plan
        Draws and seed of the permutations, confidence of the bounds.
    people
        Counts by person, where several samples show one.

    Returns
    -------
    list of Gap
        One per grouping, label and rate; q-values over all of them together.
    """
    gaps: list[Gap] = []
    by_key: dict[tuple[str, str, str], list[Rate]] = {}
    for found in rates:
        by_key.setdefault((found.rate, found.label, found.attribute), []).append(found)
    labels = list(dict.fromkeys(r.label for r in rates))
    for attribute in groupings:
        for label in labels:
            gaps += [_gap(m, plan, people) for rate in GAP_RATES if (m := by_key.get((rate, label, attribute)))]
    tested = [i for i, g in enumerate(gaps) if g.p is not None]
    q = benjamini_hochberg([p for g in gaps if (p := g.p) is not None])
    for i, value in zip(tested, q, strict=True):
        gaps[i] = gaps[i].model_copy(update={"q": float(value)})
    return gaps


def annotated(group: str) -> bool:
    """Whether everyone in a group, or intersection, is annotated."""
    return UNANNOTATED not in group.split(",")


def stream(plan: AuditPlan, *names: str) -> np.random.Generator:
    """A stream of chance for each gap, so that adding a grouping or a label changes no other gap."""
    return np.random.default_rng(list("/".join([str(plan.seed), *names]).encode()))


def _gap(members: Sequence[Rate], plan: AuditPlan, people: People | None) -> Gap:
    first = members[0]
    usable = [m for m in members if m.status == "ok" and annotated(m.group)]
    about: dict[str, Any] = {
        "label": first.label,
        "attribute": first.attribute,
        "rate": first.rate,
        "groups": [m.group for m in usable],
        "excluded": [_left_out(m) for m in members if m not in usable],
    }
    if len(usable) < 2:  # noqa: PLR2004 - a gap is between two
        names = (
            "worst",
            "best",
            "difference",
            "ratio",
            "expected_by_chance",
            "p",
            "q",
            "low",
            "high",
            "minimum_detectable",
            "additional_samples",
        )
        return Gap.model_validate({**about, **dict.fromkeys(names), "status": "too_few_groups"})
    hits, trials = (np.array([getattr(m, n) for m in usable], np.int64) for n in ("numerator", "denominator"))
    value = hits / trials
    sign = GAP_RATES[first.rate]
    worst, best = int(np.argmin(sign * value)), int(np.argmax(sign * value))
    chosen: dict[str, Any] = {
        "permutations": plan.permutations,
        "generator": stream(plan, first.attribute, first.label, first.rate),
        "confidence": plan.confidence,
    }
    if people is None:
        known = Estimates.of_counts(hits, trials)
        expected_by_chance = chance_gap(hits, trials, **chosen)
    else:
        known = stack([people.estimates[m.attribute, m.group, m.label, m.rate] for m in usable])
        expected_by_chance = people.expected_by_chance(first.attribute, about["groups"], first.rate, first.label, **chosen)
    low, high = gap_bounds(known, plan.confidence)
    return Gap(
        **about,
        worst=usable[worst].group,
        best=usable[best].group,
        difference=float(np.ptp(value)),
        ratio=float(value.min() / value.max()) if value.max() > 0 else None,
        expected_by_chance=expected_by_chance.gap,
        p=expected_by_chance.p,
        q=None,
        low=float(low),
        high=float(high),
        status="ok",
        minimum_detectable=minimum_detectable_difference(expected_by_chance.gap, float(hits.sum() / trials.sum()), known.size),
        additional_samples=_settle(known, trials, about["groups"], plan.confidence),
    )


def _left_out(member: Rate) -> ExcludedGroup:
    reason: ExclusionReason = "unannotated" if not annotated(member.group) else "empty"
    if reason == "empty" and member.status != "ok":
        reason = member.status
    return ExcludedGroup(group=member.group, reason=reason, denominator=member.denominator or 0)


def _settle(known: Estimates, trials: np.ndarray, groups: Sequence[str], confidence: float) -> list[AdditionalSamples] | None:
    more = additional_sample_size(known.rate * known.size, known.size, confidence)
    if more is None:
        return None
    # An effective trial costs as many images as it does now.
    return [AdditionalSamples(group=groups[i], images=int(np.ceil(n * trials[i] / known.size[i]))) for i, n in more.items()]
