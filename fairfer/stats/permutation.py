"""Tests of whether groups differ: permutation of group membership, computed on counts.

The statistic is the gap, the largest minus the smallest rate of the groups.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from fairfer.stats.intervals import Floats

Counts = NDArray[np.int64]
_HYPERGEOMETRIC_LIMIT = 1_000_000_000
"""numpy's hypergeometric generators accept fewer samples than this."""


@dataclass(frozen=True)
class PermutationResult:
    """Result of a test of the gap between groups.

    Attributes
    ----------
    expected
        Gap expected by chance: the quantile (95th percentile by default) of the gap under permutation.
    p
        p-value: (1 + number of permutations with a gap at least as large as the observed one) / (1 + permutations).
    """

    expected: float
    p: float


def permutation_test(
    hits: ArrayLike, trials: ArrayLike, *, permutations: int, generator: np.random.Generator, confidence: float = 0.95
) -> PermutationResult:
    """Permutation test of the gap between groups of independent samples.

    Parameters
    ----------
    hits, trials
        (groups,) counts of at least two groups, each with at least one trial.
    permutations
        Number of permutations.
    generator
        Source of randomness.
    confidence
        Quantile of the permutation distribution that is reported as the gap expected by chance.

    Notes
    -----
    Under permutation of membership the hits of the groups are multivariate hypergeometric. They are drawn directly, so the test
    is exact and its cost does not depend on the number of samples.
    """
    k, n = np.asarray(hits, np.int64), np.asarray(trials, np.int64)
    return _result(float(np.ptp(k / n)), np.ptp(_permuted_rates(k, n, permutations, generator), axis=1), confidence)


def _permuted_rates(hits: Counts, trials: Counts, permutations: int, generator: np.random.Generator) -> Floats:
    """(permutations, groups) rates after random reassignment of the samples to the groups."""
    if trials.sum() < _HYPERGEOMETRIC_LIMIT:
        permuted = generator.multivariate_hypergeometric(trials, int(hits.sum()), size=permutations, method="marginals")
        rates: Floats = permuted / trials
        return rates
    # With this many samples the rates are normal. Their correlation is a shift common to all groups, which no gap depends on.
    pooled = hits.sum() / trials.sum()
    normal: Floats = pooled + generator.standard_normal((permutations, len(trials))) * np.sqrt(pooled * (1 - pooled) / trials)
    return normal


def permutation_test_of_subjects(
    group: ArrayLike,
    hits: ArrayLike,
    trials: ArrayLike,
    *,
    permutations: int,
    generator: np.random.Generator,
    confidence: float = 0.95,
) -> PermutationResult:
    """As `permutation_test`, for samples that share subjects: a subject is reassigned with all of its samples.

    Parameters
    ----------
    group
        (units,) number of the group of each unit. A unit is the samples of one subject in one group, so a subject with samples
        in two groups is two units. They are permuted separately, which makes the test somewhat conservative.
    hits, trials
        (units,) counts of each unit, with at least one trial each.
    permutations, generator, confidence
        As for `permutation_test`.

    Notes
    -----
    Subjects of one group may have more samples each than those of another; after reassignment the variance of a group's rate
    is then larger or smaller than before. Studentized differences have the same distribution in either case (Chung and Romano
    2013, Ann. Stat. 41). So each permutation gives two gaps: the plain one, and the largest over all pairs after each
    difference is rescaled from its standard error to that of the observed groups. The larger of the two counts. (In
    simulations the plain gap alone rejected a true null hypothesis in up to 42 % of cases, the rescaled one alone in 20 % with
    ten subjects, both together in at most 7 %.)

    Units with equal hits and trials are interchangeable, so the number of each kind in each group is a random table with fixed
    margins, drawn kind by kind as nested hypergeometric counts. The cost grows with the number of kinds, not of subjects.
    """
    member, k, n = (np.asarray(a, np.int64) for a in (group, hits, trials))
    groups = int(member.max()) + 1
    one, other = (np.array(x) for x in zip(*itertools.combinations(range(groups), 2), strict=True))
    units = np.bincount(member, minlength=groups).astype(np.int64)
    pooled, correlation = _pooled_rate(k, n)
    powers = (k, n, k * k, k * n, n * n)
    rate, error = _rates_of_units(
        np.array([np.bincount(member, power, groups) for power in powers]), units, pooled, correlation
    )
    width = np.hypot(error[one], error[other])
    _, first, number = np.unique(np.stack([k, n], axis=1), axis=0, return_index=True, return_counts=True)
    room = np.broadcast_to(units, (permutations, groups)).copy()
    sums = np.zeros((len(powers), permutations, groups))
    for i, count in zip(first, number, strict=True):
        assigned = _assign(room, int(count), generator)
        room -= assigned
        sums += np.array([power[i] for power in powers])[:, None, None] * assigned
    permuted_rate, permuted_error = _rates_of_units(sums, units, pooled, correlation)
    difference = np.abs(permuted_rate[:, one] - permuted_rate[:, other])
    permuted_width = np.hypot(permuted_error[:, one], permuted_error[:, other])
    # Nothing varies where the pooled rate is 0 or 1. Then no permutation has a gap.
    scaled = np.divide(difference * width, permuted_width, out=np.zeros_like(difference), where=permuted_width > 0)
    return _result(float(np.ptp(rate)), np.maximum(scaled.max(axis=1), np.ptp(permuted_rate, axis=1)), confidence)


def _rates_of_units(sums: Floats, units: Counts, pooled: float, correlation: float) -> tuple[Floats, Floats]:
    """Rates of groups and their standard errors, from sums over units of hits, trials, hits², hits·trials and trials².

    The error is that of a ratio of sums (Cochran 1977, Sampling Techniques, 2.11), and at least that of units with the pooled
    rate and the pooled correlation within units: a few units that happen to be equal do not have a variance of 0.
    """
    hits, trials, hits2, both, trials2 = (np.asarray(s, float) for s in sums)
    rate = hits / trials
    squares = np.maximum(hits2 - 2 * rate * both + rate * rate * trials2, 0)
    least = pooled * (1 - pooled) * (trials + correlation * (trials2 - trials))
    return rate, np.sqrt(np.maximum(squares * units / np.maximum(units - 1, 1), least)) / trials


def _pooled_rate(hits: Counts, trials: Counts) -> tuple[float, float]:
    """Pooled rate, and the correlation of samples of one unit by moments; 0 where it would be negative."""
    pooled = float(hits.sum() / trials.sum())
    squares = float(((hits - pooled * trials) ** 2).sum())
    pairs = float((trials * (trials - 1)).sum())
    spread = pooled * (1 - pooled)
    return pooled, min(max((squares / spread - float(trials.sum())) / pairs, 0.0), 1.0) if spread and pairs else 0.0


def stratified_permutation_test(
    hits: Counts,
    trials: Counts,
    weights: Floats,
    *,
    permutations: int,
    generator: np.random.Generator,
    confidence: float = 0.95,
) -> PermutationResult:
    """As `permutation_test`, for directly standardized rates: membership is permuted within each stratum.

    Parameters
    ----------
    hits, trials
        (strata, groups) counts, with at least one trial everywhere.
    weights
        (strata,) common weights, which sum to 1.
    permutations, generator, confidence
        As for `permutation_test`.
    """
    null = np.zeros((permutations, hits.shape[1]))
    for k, n, weight in zip(hits, trials, weights, strict=True):
        null += weight * _permuted_rates(k, n, permutations, generator)
    return _result(float(np.ptp(weights @ (hits / trials))), np.ptp(null, axis=1), confidence)


def parametric_gap_test(
    rate: Floats,
    error: Floats,
    degrees_of_freedom: Floats,
    *,
    permutations: int,
    generator: np.random.Generator,
    confidence: float = 0.95,
) -> PermutationResult:
    """As `permutation_test`, for rates of which only standard errors are available: Student's t instead of permutation.

    Parameters
    ----------
    rate, error, degrees_of_freedom
        (groups,) rates, their standard errors and the degrees of freedom of those.
    permutations
        Number of simulated values of Student's t.
    generator, confidence
        As for `permutation_test`.
    """
    null = generator.standard_t(degrees_of_freedom, size=(permutations, len(rate))) * error
    return _result(float(np.ptp(rate)), np.ptp(null, axis=1), confidence)


def _assign(room: Counts, units: int, generator: np.random.Generator) -> Counts:
    """(permutations, groups) number of `units` units assigned to each group; `room` is the number of units each can take."""
    assigned = np.empty_like(room)
    remaining = np.full(len(room), units, np.int64)
    room_after = room.sum(axis=1)
    last = room.shape[1] - 1
    for g in range(room.shape[1]):
        room_after = room_after - room[:, g]
        assigned[:, g] = remaining if g == last else generator.hypergeometric(room[:, g], room_after, remaining)
        remaining = remaining - assigned[:, g]
    return assigned


def _result(observed: float, null: Floats, confidence: float) -> PermutationResult:
    # A gap that equals the observed one except for rounding must count as reaching it.
    reached = int((null >= observed - 1e-12).sum())
    return PermutationResult(float(np.quantile(null, confidence)), (1 + reached) / (1 + len(null)))
