"""Test of whether two attributes act together: whether a rate's logit is the sum of an effect of each.

For gender and race: does a group such as Black women differ from what gender alone and race alone add up to?
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from fairfer.stats.intervals import Floats

_ITERATIONS = 100
_RIDGE = 1e-6
"""Ridge penalty that keeps rates of 0 and 1 at finite logits; it changes the likelihood ratio by less than 0.001."""

_LONGEST_STEP = 3.0
_CONVERGED = 1e-9
_ENOUGH = 50
"""Random tables are drawn until this many of them reach the observed statistic; more do not change a decision."""

_BATCH = 1000
_SWEEPS = 15
"""Number of times that every pair of rows is updated on the way to a random table."""


@dataclass(frozen=True)
class Additivity:
    """Result of `additivity_test`.

    Attributes
    ----------
    statistic, degrees_of_freedom
        Likelihood ratio against the model without restriction.
    p
        Conditional p-value.
    fitted
        (cells,) rates of the additive model.
    residual
        (cells,) standardized residuals: positive where the rate is higher than additive.
    """

    statistic: float
    degrees_of_freedom: int
    p: float
    fitted: Floats
    residual: Floats


def additivity_test(
    first: ArrayLike,
    second: ArrayLike,
    hits: ArrayLike,
    trials: ArrayLike,
    *,
    permutations: int,
    generator: np.random.Generator,
) -> Additivity | None:
    """Likelihood-ratio test of additivity on the logit scale, exact given the total hits of every level of either attribute.

    Parameters
    ----------
    first, second
        (cells,) number of the level of either attribute in each cell.
    hits, trials
        (cells,) counts, with at least one trial each.
    permutations
        Largest number of random tables. Fewer are drawn when enough of them reach the observed statistic.
    generator
        Source of randomness.

    Returns
    -------
    Additivity or None
        ``None`` when nothing can be tested: too few cells, no hits, or only hits.

    Notes
    -----
    In small cells the chi-squared distribution of the likelihood ratio is wrong, and so is a parametric bootstrap (it rejects
    a true hypothesis in up to 11 % at a level of 5 %). The hits of each level of either attribute are sufficient for the
    additive model. Given these totals, the distribution of the cells does not depend on the unknown effects (Agresti 1992,
    Stat. Sci. 7). Tables with these totals are drawn by a Markov chain: backward from the observed table to a hidden one, then
    forward from that one many times, so that observed and drawn tables are exchangeable and the p-value is valid however long
    the chain is (Besag and Clifford 1989, Biometrika 76).
    """
    k, n = np.asarray(hits, np.int64), np.asarray(trials, np.int64)
    rows, row = np.unique(np.asarray(first), return_inverse=True)
    columns, column = np.unique(np.asarray(second), return_inverse=True)
    design = _design(row, column)
    degrees = len(k) - int(np.linalg.matrix_rank(design))
    if degrees <= 0 or not 0 < k.sum() < n.sum():
        return None
    rate = _fit(design, k.astype(float), n.astype(float))
    shape = (len(rows), len(columns))
    table, sizes, expected = np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape)
    table[row, column], sizes[row, column], expected[row, column] = k, n, rate
    chain = _Chain(sizes, expected, generator)
    observed = float(_ratio(table, sizes, expected))
    reached, drawn = 0, 0
    while drawn < permutations and reached < _ENOUGH:
        size = min(_BATCH, permutations - drawn)
        null = _ratio(chain.tables(table, size), sizes, expected)
        reached += int((null >= observed - 1e-7).sum())
        drawn += size
    spread = np.sqrt(np.maximum(n * rate * (1 - rate), 1e-12))
    return Additivity(observed, degrees, (1 + reached) / (1 + drawn), rate, (k - n * rate) / spread)


class _Chain:
    """A Markov chain over tables with the same total hits in every row and column.

    Each step takes two rows and disjoint pairs of columns and moves hits within each 2 x 2 subtable, by Metropolis' rule for
    independent binomial counts given their totals. A step is reversible.
    """

    def __init__(self, sizes: NDArray[np.int64], rate: Floats, generator: np.random.Generator) -> None:
        self._sizes, self._rate, self._generator = sizes, rate, generator

    def tables(self, observed: NDArray[np.int64], number: int) -> NDArray[np.int64]:
        """(number, rows, columns) tables that are exchangeable with the observed one."""
        steps = self._steps()
        hidden = observed[None].copy()
        for rows, pairs in reversed(steps):
            self._update(hidden, rows, pairs)
        tables = np.repeat(hidden, number, axis=0)
        for rows, pairs in steps:
            self._update(tables, rows, pairs)
        return tables

    def _steps(self) -> list[tuple[tuple[int, int], NDArray[np.int64]]]:
        rows, columns = self._sizes.shape
        every = list(itertools.combinations(range(rows), 2))
        number = _SWEEPS * max(columns - 1, 1)
        chosen = [every[i] for i in self._generator.integers(len(every), size=number * max(1, rows - 1))]
        return [(pair, self._generator.permutation(columns)[: columns // 2 * 2].reshape(-1, 2)) for pair in chosen]

    def _update(self, tables: NDArray[np.int64], rows: tuple[int, int], pairs: NDArray[np.int64]) -> None:
        one, other = rows
        left, right = pairs[:, 0], pairs[:, 1]
        cells = ((one, left, 1), (one, right, -1), (other, left, -1), (other, right, 1))
        information = sum(1 / np.maximum(self._spread(r, c), 1e-9) for r, c, _ in cells)
        reach = np.maximum(np.ceil(2 / np.sqrt(information)), 1).astype(np.int64)
        shape = (len(tables), len(pairs))
        distance = self._generator.integers(1, reach + 1, size=shape) * self._generator.choice((-1, 1), size=shape)
        gain, possible = np.zeros(shape), np.ones(shape, bool)
        for r, c, sign in cells:
            before, size = tables[:, r, c], self._sizes[r, c]
            after = before + sign * distance
            possible &= (after >= 0) & (after <= size)
            gain += _log_ways(size, np.clip(after, 0, size)) - _log_ways(size, before)
        accepted = possible & (np.log(self._generator.random(shape)) < gain)
        moved = np.where(accepted, distance, 0)
        for r, c, sign in cells:
            tables[:, r, c] += sign * moved

    def _spread(self, row: int, columns: NDArray[np.int64]) -> Floats:
        rate = self._rate[row, columns]
        spread: Floats = self._sizes[row, columns] * rate * (1 - rate)
        return spread


def _log_ways(size: NDArray[np.int64], hits: NDArray[np.int64]) -> Floats:
    """Logarithm of the number of ways to choose the hits, up to a constant of each cell."""
    from scipy import special  # slow to import

    ways: Floats = -special.gammaln(hits + 1) - special.gammaln(size - hits + 1)
    return ways


def _design(first: NDArray[np.int64], second: NDArray[np.int64]) -> Floats:
    """Intercept, and one column for each level of either attribute but its first."""
    columns = [np.ones(len(first))]
    columns += [(levels == level).astype(float) for levels in (first, second) for level in range(1, int(levels.max()) + 1)]
    return np.stack(columns, axis=1)


def _fit(design: Floats, hits: Floats, trials: Floats) -> Floats:
    """(cells,) rates of the additive model, by Newton's method with steps of limited length."""
    start = (hits.sum() + 0.5) / (trials.sum() + 1)
    coefficient = np.zeros(design.shape[1])
    coefficient[0] = np.log(start / (1 - start))
    ridge = _RIDGE * np.eye(design.shape[1])
    for _ in range(_ITERATIONS):
        rate = 1 / (1 + np.exp(-np.clip(design @ coefficient, -30, 30)))
        slope = (hits - trials * rate) @ design - _RIDGE * coefficient
        step = np.linalg.solve((design.T * (trials * rate * (1 - rate))) @ design + ridge, slope)
        length = max(float(np.abs(design @ step).max()), 1e-300)
        coefficient += step * min(1, _LONGEST_STEP / length)
        # If a rate tends to 0 or 1, the coefficients grow without limit, but the likelihood converges.
        if float(slope @ step) < _CONVERGED:
            break
    fitted: Floats = 1 / (1 + np.exp(-np.clip(design @ coefficient, -30, 30)))
    return fitted


def _ratio(hits: NDArray[np.int64], trials: NDArray[np.int64], rate: Floats) -> Floats:
    """(...,) likelihood ratio of the observed rates of (..., rows, columns) to those fitted: twice its logarithm.

    The fitted rates depend on the totals only, so they are those of every table with these totals.
    """
    from scipy import special  # slow to import

    misses = trials - hits
    expected = np.where(trials > 0, trials * rate, 1.0)
    unexpected = np.where(trials > 0, trials * (1 - rate), 1.0)
    parts = special.xlogy(hits, hits / expected) + special.xlogy(misses, misses / unexpected)
    return np.asarray(2 * parts.sum(axis=(-2, -1)), float)
