"""Gaps between the groups of one attribute: how wide, how sure, and what these data could have shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fairfer.dataset import UNANNOTATED
from fairfer.records import Gap, LeftOut, LeftOutReason, More, Rate
from fairfer.subjects import stack
from fairfer.uncertainty import Estimates, benjamini_hochberg, chance_gap, detectable_gap, gap_bounds, images_to_settle

if TYPE_CHECKING:
    from fairfer.result import Settings
    from fairfer.subjects import People

GAP_RATES = {"TPR": 1, "FPR": -1, "accuracy": 1, "coverage": 1}
"""Rates whose gaps are tested, and the direction that is favourable. FNR and TNR are the mirror images of the first two."""


def find_gaps(rates: Sequence[Rate], groupings: Sequence[str], settings: Settings, people: People | None = None) -> list[Gap]:
    """Gaps of TPR and FPR per label, and of accuracy and coverage, over each grouping.

    Parameters
    ----------
    rates
        All rates of an audit. A group takes part in a gap when its rate is neither small nor without a denominator, and when
        it is annotated: `UNANNOTATED` is no group of people.
    groupings
        Names of the attributes and intersections.
    settings
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
            gaps += [_gap(m, settings, people) for rate in GAP_RATES if (m := by_key.get((rate, label, attribute)))]
    tested = [i for i, g in enumerate(gaps) if g.p is not None]
    q = benjamini_hochberg([p for g in gaps if (p := g.p) is not None])
    for i, value in zip(tested, q, strict=True):
        gaps[i] = gaps[i].model_copy(update={"q": float(value)})
    return gaps


def annotated(group: str) -> bool:
    """Whether everyone in a group, or intersection, is annotated."""
    return UNANNOTATED not in group.split(",")


def stream(settings: Settings, *names: str) -> np.random.Generator:
    """A stream of chance for each gap, so that adding a grouping or a label changes no other gap."""
    return np.random.default_rng(list("/".join([str(settings.seed), *names]).encode()))


def _gap(members: Sequence[Rate], settings: Settings, people: People | None) -> Gap:
    first = members[0]
    usable = [m for m in members if m.status == "ok" and annotated(m.group)]
    about: dict[str, Any] = {
        "label": first.label,
        "attribute": first.attribute,
        "rate": first.rate,
        "groups": [m.group for m in usable],
        "left_out": [_left_out(m) for m in members if m not in usable],
    }
    if len(usable) < 2:  # noqa: PLR2004 - a gap is between two
        names = ("worst", "best", "difference", "ratio", "chance", "p", "q", "low", "high", "detectable", "settle")
        return Gap.model_validate({**about, **dict.fromkeys(names), "status": "too_few_groups"})
    hits, trials = (np.array([getattr(m, n) for m in usable], np.int64) for n in ("numerator", "denominator"))
    value = hits / trials
    sign = GAP_RATES[first.rate]
    worst, best = int(np.argmin(sign * value)), int(np.argmax(sign * value))
    chosen: dict[str, Any] = {
        "draws": settings.draws,
        "generator": stream(settings, first.attribute, first.label, first.rate),
        "confidence": settings.confidence,
    }
    if people is None:
        known = Estimates.of_counts(hits, trials)
        chance = chance_gap(hits, trials, **chosen)
    else:
        known = stack([people.estimates[m.attribute, m.group, m.label, m.rate] for m in usable])
        chance = people.chance(first.attribute, about["groups"], first.rate, first.label, **chosen)
    low, high = gap_bounds(known, settings.confidence)
    return Gap(
        **about,
        worst=usable[worst].group,
        best=usable[best].group,
        difference=float(np.ptp(value)),
        ratio=float(value.min() / value.max()) if value.max() > 0 else None,
        chance=chance.gap,
        p=chance.p,
        q=None,
        low=float(low),
        high=float(high),
        status="ok",
        detectable=detectable_gap(chance.gap, float(hits.sum() / trials.sum()), known.size),
        settle=_settle(known, trials, about["groups"], settings.confidence),
    )


def _left_out(member: Rate) -> LeftOut:
    reason: LeftOutReason = "unannotated" if not annotated(member.group) else "empty"
    if reason == "empty" and member.status != "ok":
        reason = member.status
    return LeftOut(group=member.group, reason=reason, denominator=member.denominator or 0)


def _settle(known: Estimates, trials: np.ndarray, groups: Sequence[str], confidence: float) -> list[More] | None:
    more = images_to_settle(known.rate * known.size, known.size, confidence)
    if more is None:
        return None
    # An effective trial costs as many images as it does now.
    return [More(group=groups[i], images=int(np.ceil(n * trials[i] / known.size[i]))) for i, n in more.items()]
