"""The gap that chance alone gives: permutation of who belongs to which group, drawn on counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from fairfer.uncertainty.intervals import Floats

Whole = NDArray[np.int64]


@dataclass(frozen=True)
class Chance:
    """What chance alone does to a gap.

    Attributes
    ----------
    gap
        The quantile (95 % unless asked otherwise) of the gap when group membership does not matter.
    p
        Chance of a gap at least as large as the observed one: (1 + number of draws that reach it) / (1 + draws).
    """

    gap: float
    p: float


def chance_gap(
    hits: ArrayLike, trials: ArrayLike, *, draws: int, generator: np.random.Generator, confidence: float = 0.95
) -> Chance:
    """The gap (largest minus smallest group rate) that chance alone gives, by permutation of group membership.

    Parameters
    ----------
    hits, trials
        Per group; at least two groups, each with trials.
    draws
        Permutations drawn.
    generator
        Source of randomness.
    confidence
        Quantile of the null that is reported as the chance gap.

    Notes
    -----
    Permuting membership among independent samples makes each group's hits multivariate hypergeometric, so the null is drawn on
    counts: exact, and its cost does not depend on the number of samples.
    """
    k, n = np.asarray(hits, np.int64), np.asarray(trials, np.int64)
    drawn = generator.multivariate_hypergeometric(n, int(k.sum()), size=draws, method="marginals")
    return _judge(float(np.ptp(k / n)), np.ptp(drawn / n, axis=1), confidence)


def chance_gap_of_subjects(
    group: ArrayLike,
    hits: ArrayLike,
    trials: ArrayLike,
    *,
    draws: int,
    generator: np.random.Generator,
    confidence: float = 0.95,
) -> Chance:
    """As `chance_gap`, where samples belong to people: people are dealt into groups, each with all of their samples.

    Parameters
    ----------
    group
        (units,) number of the group of each unit. A unit is one person's samples in one group, so that a person who is seen in
        two groups is two units: shuffling those apart makes the test somewhat cautious.
    hits, trials
        (units,) of each unit, with at least one trial each.
    draws, generator, confidence
        As for `chance_gap`.

    Notes
    -----
    Units of the same hits and trials are alike, so how many of each kind fall into each group is a random table with fixed
    margins, drawn kind by kind as nested hypergeometric counts. The cost grows with the number of kinds, not of people.
    """
    member, k, n = (np.asarray(a, np.int64) for a in (group, hits, trials))
    groups = int(member.max()) + 1
    observed = np.ptp(np.bincount(member, k, groups) / np.bincount(member, n, groups))
    kinds, number = np.unique(np.stack([k, n], axis=1), axis=0, return_counts=True)
    seats = np.bincount(member, minlength=groups).astype(np.int64)
    room = np.broadcast_to(seats, (draws, groups)).copy()
    sums = np.zeros((2, draws, groups), np.int64)
    for (kind_hits, kind_trials), units in zip(kinds, number, strict=True):
        dealt = _deal(room, int(units), generator)
        room -= dealt
        sums[0] += kind_hits * dealt
        sums[1] += kind_trials * dealt
    return _judge(float(observed), np.ptp(sums[0] / sums[1], axis=1), confidence)


def chance_gap_in_strata(
    hits: Whole, trials: Whole, weights: Floats, *, draws: int, generator: np.random.Generator, confidence: float = 0.95
) -> Chance:
    """As `chance_gap`, for rates standardised over strata: membership is permuted within each stratum only.

    Parameters
    ----------
    hits, trials
        (strata, groups), with at least one trial everywhere.
    weights
        (strata,) that sum to 1: the common mix.
    draws, generator, confidence
        As for `chance_gap`.
    """
    null = np.zeros((draws, hits.shape[1]))
    for k, n, weight in zip(hits, trials, weights, strict=True):
        drawn = generator.multivariate_hypergeometric(n, int(k.sum()), size=draws, method="marginals")
        null += weight * drawn / n
    return _judge(float(np.ptp(weights @ (hits / trials))), np.ptp(null, axis=1), confidence)


def _deal(room: Whole, units: int, generator: np.random.Generator) -> Whole:
    """Into which groups so many units of one kind fall, for every draw; `room` is what each group has left."""
    dealt = np.empty_like(room)
    left = np.full(len(room), units, np.int64)
    beyond = room.sum(axis=1)
    for g in range(room.shape[1]):
        beyond = beyond - room[:, g]
        dealt[:, g] = left if g == room.shape[1] - 1 else generator.hypergeometric(room[:, g], beyond, left)
        left = left - dealt[:, g]
    return dealt


def _judge(observed: float, null: Floats | Sequence[float], confidence: float) -> Chance:
    values = np.asarray(null, float)
    # A draw that equals the observed gap but for rounding must count as reaching it.
    reached = int((values >= observed - 1e-12).sum())
    return Chance(float(np.quantile(values, confidence)), (1 + reached) / (1 + len(values)))
