"""Gaps between the groups of one attribute, each beside the gap that chance alone gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fairfer.dataset import UNANNOTATED
from fairfer.result import Gap, Rate, Settings
from fairfer.uncertainty import benjamini_hochberg, chance_gap

GAP_RATES = (("TPR", 1), ("FPR", -1))
"""Rates whose gaps are tested, and the direction that is favourable. FNR and TNR are their mirror images."""


def find_gaps(rates: Sequence[Rate], groupings: Sequence[str], settings: Settings) -> list[Gap]:
    """Gaps of TPR and FPR per label, and of accuracy and coverage, over each grouping.

    Parameters
    ----------
    rates
        All rates of an audit. A group takes part in a gap when its rate is neither small nor without a denominator, and when
        it is annotated: `UNANNOTATED` is no group of people.
    groupings
        Names of the attributes and intersections.
    settings
        Draws and seed of the permutations.

    Returns
    -------
    list of Gap
        One per grouping, label and rate; q-values over all of them together.
    """
    wanted = (*GAP_RATES, ("accuracy", 1), ("coverage", 1))
    gaps: list[Gap] = []
    by_key: dict[tuple[str, str, str], list[Rate]] = {}
    for found in rates:
        by_key.setdefault((found.rate, found.label, found.attribute), []).append(found)
    labels = list(dict.fromkeys(r.label for r in rates))
    # Each gap draws from its own stream, so that adding a grouping or a label changes no other gap.
    for attribute in groupings:
        for label in labels:
            for rate, sign in wanted:
                members = by_key.get((rate, label, attribute))
                if members:
                    gaps.append(_gap(members, sign, settings))
    tested = [i for i, g in enumerate(gaps) if g.p is not None]
    q = benjamini_hochberg([p for g in gaps if (p := g.p) is not None])
    for i, value in zip(tested, q, strict=True):
        gaps[i] = gaps[i].model_copy(update={"q": float(value)})
    return gaps


def _gap(members: Sequence[Rate], sign: int, settings: Settings) -> Gap:
    first = members[0]
    usable = [m for m in members if m.status == "ok" and UNANNOTATED not in m.group.split(",")]
    left_out = [m.group for m in members if m not in usable and m.status != "empty"]
    about: dict[str, Any] = {
        "label": first.label,
        "attribute": first.attribute,
        "rate": first.rate,
        "groups": len(usable),
        "left_out": left_out,
    }
    nothing = dict.fromkeys(("worst", "best", "difference", "ratio", "chance", "p", "q"))
    if len(usable) < 2:  # noqa: PLR2004 - a gap is between two
        return Gap.model_validate({**about, **nothing, "status": "too_few_groups"})
    hits, trials = [m.numerator or 0 for m in usable], [m.denominator or 0 for m in usable]
    value = np.array(hits) / np.array(trials)
    worst, best = int(np.argmin(sign * value)), int(np.argmax(sign * value))
    stream = f"{settings.seed}/{first.attribute}/{first.label}/{first.rate}"
    generator = np.random.default_rng(list(stream.encode()))
    chance = chance_gap(hits, trials, draws=settings.draws, generator=generator, confidence=settings.confidence)
    return Gap(
        **about,
        worst=usable[worst].group,
        best=usable[best].group,
        difference=float(np.ptp(value)),
        ratio=float(value.min() / value.max()) if value.max() > 0 else None,
        chance=chance.gap,
        p=chance.p,
        q=None,
        status="ok",
    )
