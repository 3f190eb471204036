"""Rates of groups after random reassignment: the values of a summary index that are expected by chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from fairfer.stats.intervals import Floats

_LARGEST_TOTAL = 1_000_000_000
"""numpy's hypergeometric generators accept fewer samples than this."""

_CHUNK = 4_000_000
"""Reassigned units held in memory at a time."""


def permuted_rates(hits: ArrayLike, trials: ArrayLike, permutations: int, generator: np.random.Generator) -> Floats:
    """Rates of groups of independent samples after random reassignment.

    Parameters
    ----------
    hits, trials
        (groups,) counts, with at least one trial each.
    permutations
        Number of reassignments.
    generator
        Source of randomness.

    Returns
    -------
    ndarray
        (permutations, groups).
    """
    k, n = np.asarray(hits, np.int64), np.asarray(trials, np.int64)
    if n.sum() < _LARGEST_TOTAL:
        drawn = generator.multivariate_hypergeometric(n, int(k.sum()), size=permutations, method="marginals")
        rates: Floats = drawn / n
        return rates
    pooled = float(k.sum() / n.sum())
    normal = pooled + generator.standard_normal((permutations, len(n))) * np.sqrt(pooled * (1 - pooled) / n)
    return np.clip(normal, 0, 1)


def permuted_sums(
    member: ArrayLike, values: ArrayLike, groups: int, generator: np.random.Generator | None, permutations: int
) -> Floats:
    """Sums of the values of each group after random reassignment of units.

    Parameters
    ----------
    member
        (units,) number of each unit's group.
    values
        (units, columns) numbers of each unit.
    groups
        Number of groups.
    generator
        Source of randomness; ``None`` for the sums as they are.
    permutations
        Number of reassignments.

    Returns
    -------
    ndarray
        (permutations, groups, columns).
    """
    group, value = np.asarray(member, np.int64), np.asarray(values, float)
    step = max(1, _CHUNK // max(len(group), 1))
    parts = []
    for start in range(0, permutations, step):
        order = np.broadcast_to(group, (min(step, permutations - start), len(group)))
        if generator is not None:
            order = generator.permuted(order, axis=1)
        parts.append(np.stack([_sums(order == g, value) for g in range(groups)], axis=1))
    return np.concatenate(parts)


def _sums(chosen: NDArray[np.bool_], value: Floats) -> Floats:
    sums: Floats = chosen.astype(float) @ value
    return sums
