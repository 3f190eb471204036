"""Gaps after the groups were given the same mix of labels and of other columns (direct standardisation).

If one group's faces are more often ambiguous, or older, a model may fare worse with it for that reason alone. Standardised, the
rate of each group is the mean of its rates within strata, weighted by how common each stratum is among all the groups compared:
Σ w·rate. A stratum is one true label and one combination of the columns' values; for a TPR the label is given already.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fairfer.gaps import GAP_RATES, stream
from fairfer.records import AdjustedGap, Gap, GroupValue
from fairfer.uncertainty import Estimates, benjamini_hochberg, chance_gap_in_strata, gap_bounds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairfer.cells import Cells
    from fairfer.result import Settings


def adjusted_gaps(gaps: Sequence[Gap], cells: Mapping[str, Cells], settings: Settings) -> list[AdjustedGap]:
    """Each gap again, between the same groups, standardised.

    Parameters
    ----------
    gaps
        The plain ones; coverage is left alone, it is no reading of a face.
    cells
        By grouping; a unit is a stratum (label and columns).
    settings
        Draws, seed and confidence.

    Returns
    -------
    list of AdjustedGap
        With q-values of their own family.
    """
    found = [_adjusted(g, cells[g.attribute], settings) for g in gaps if g.rate != "coverage"]
    tested = [i for i, g in enumerate(found) if g.p is not None]
    q = benjamini_hochberg([p for g in found if (p := g.p) is not None])
    for i, value in zip(tested, q, strict=True):
        found[i] = found[i].model_copy(update={"q": float(value)})
    return found


def _adjusted(gap: Gap, cells: Cells, settings: Settings) -> AdjustedGap:
    about: dict[str, Any] = {"label": gap.label, "attribute": gap.attribute, "rate": gap.rate}
    names = ("worst", "best", "difference", "plain", "chance", "p", "q", "low", "high")
    nothing = {**about, **dict.fromkeys(names), "strata": 0, "covered": 0.0, "groups": []}
    if gap.status != "ok":
        return AdjustedGap.model_validate({**nothing, "status": "too_few_groups"})
    hits, trials = _by_stratum(gap, cells)
    common = (trials > 0).all(axis=1)
    everything = trials.sum()
    if not common.any():
        return AdjustedGap.model_validate({**nothing, "status": "no_common_strata"})
    hits, trials = hits[common], trials[common]
    weights = trials.sum(axis=1) / trials.sum()
    known = _estimates(hits, trials, weights)
    value, sign = known.rate, GAP_RATES[gap.rate]
    worst, best = int(np.argmin(sign * value)), int(np.argmax(sign * value))
    generator = stream(settings, gap.attribute, gap.label, gap.rate, "adjusted")
    chance = chance_gap_in_strata(
        hits, trials, weights, draws=settings.draws, generator=generator, confidence=settings.confidence
    )
    low, high = gap_bounds(known, settings.confidence)
    below, above = known.limits((1 - settings.confidence) / 2)
    return AdjustedGap(
        **about,
        worst=gap.groups[worst],
        best=gap.groups[best],
        difference=float(np.ptp(value)),
        plain=float(np.ptp(hits.sum(axis=0) / trials.sum(axis=0))),
        chance=chance.gap,
        p=chance.p,
        q=None,
        low=float(low),
        high=float(high),
        strata=len(hits),
        covered=float(trials.sum() / everything),
        status="ok",
        groups=[
            GroupValue(group=g, value=float(v), low=float(a), high=float(b))
            for g, v, a, b in zip(gap.groups, value, below, above, strict=True)
        ],
    )


def _by_stratum(gap: Gap, cells: Cells) -> tuple[np.ndarray, np.ndarray]:
    """(strata, groups) hits and trials of the groups that the plain gap compares."""
    hits, trials = cells.fraction(gap.rate, gap.label)
    strata, number = np.unique(cells.unit, return_inverse=True)
    table = np.zeros((2, len(strata), len(cells.groups)), np.int64)
    np.add.at(table[0], (number, cells.group), hits)
    np.add.at(table[1], (number, cells.group), trials)
    return tuple(table[:, :, [cells.groups.index(g) for g in gap.groups]])


def _estimates(hits: np.ndarray, trials: np.ndarray, weights: np.ndarray) -> Estimates:
    """Standardised rates with the number of trials that would know them as well.

    The variance within a stratum is that of its rate over all groups, shrunk towards one half by one trial: a group with two
    faces in a stratum, both right, is not known for certain there.
    """
    rate = weights @ (hits / trials)
    pooled = (hits.sum(axis=1) + 0.5) / (trials.sum(axis=1) + 1)
    variance = (weights**2 * pooled * (1 - pooled)) @ (1 / trials)
    # One stratum alone gives back its own number of trials.
    middle = float(weights @ pooled)
    size = middle * (1 - middle) / variance
    return Estimates(rate, size, np.full(rate.shape, np.inf))
