"""Summary indices of the rates of several groups, and the range of each over a box of rates.

====================  =====================================================  ===============================================
index                 definition (x: rates of n groups, mean m)              source
====================  =====================================================  ===============================================
difference            max x - min x                                          de Freitas Pereira and Marcel 2022
max / min             max x / min x                                          Grother 2022 (NISTIR 8429), SER
max / geometric mean  max x / (product of x)^(1/n)                           Grother 2022 (NISTIR 8429), MERG
max / mean            max x / m                                              Grother 2022 (NISTIR 8429), MERA
Gini coefficient      sum of |x_i - x_j| over all i, j / (2 n (n - 1) m)     Howard et al. 2022 (in GARBE)
====================  =====================================================  ===============================================

A confidence interval of such an index cannot come from a plain bootstrap: like the largest difference, each of them is biased
away from equality, and the bootstrap repeats the bias. The range of an index over the box of simultaneous limits of all groups
contains the index of the true rates whenever the box contains these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fairfer.stats.intervals import Floats

_ROUNDING = 1e-12


def difference(rates: Floats) -> Floats:
    """Largest minus smallest of (..., groups) rates."""
    return np.asarray(np.ptp(rates, axis=-1), float)


def difference_range(low: Floats, high: Floats) -> tuple[float, float]:
    """Range of `difference` over a box."""
    return max(float(low.max() - high.min()), 0.0), float(_apart(low, high, np.subtract))


def max_to_min(rates: Floats) -> Floats:
    """Largest divided by smallest of (..., groups) rates; infinite where only the smallest is 0, NaN where all are."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(rates.max(axis=-1) / rates.min(axis=-1), float)


def max_to_min_range(low: Floats, high: Floats) -> tuple[float, float]:
    """Range of `max_to_min` over a box."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return max(float(low.max() / high.min()), 1.0), float(_apart(low, high, np.divide))


def _apart(low: Floats, high: Floats, compare: Callable[[Floats, Floats], Floats]) -> float:
    """Largest of ``compare(high of one group, low of another)``."""
    with np.errstate(divide="ignore", invalid="ignore"):
        table = compare(high[:, None], low[None, :])
    return float(table[~np.eye(len(low), dtype=bool)].max())


def max_to_geometric_mean(rates: Floats, instead_of_zero: Floats | None = None) -> Floats:
    """Largest divided by the geometric mean of (..., groups) rates.

    Parameters
    ----------
    rates
        (..., groups).
    instead_of_zero
        (groups,) numbers that replace rates of 0 in the geometric mean, as NIST does: `simultaneous.upper_limit_of_zero`.

    Returns
    -------
    ndarray
        NaN where all rates are 0. Below 1 it can only be where a replaced zero is larger than the largest rate.
    """
    positive = rates if instead_of_zero is None else np.where(rates > 0, rates, instead_of_zero)
    largest = rates.max(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        index = largest / np.exp(np.log(positive).mean(axis=-1))
    return np.where(largest > 0, index, np.nan)


def max_to_geometric_mean_range(low: Floats, high: Floats) -> tuple[float, float]:
    """Range of `max_to_geometric_mean` over a box.

    The logarithm, max log x - mean log x, is convex in log x. It is largest with one group at its upper limit and all others
    at their lower ones, and smallest with every group as high as possible below the highest of the lower limits.
    """
    top = float(low.max())
    with np.errstate(divide="ignore"):
        smallest = np.log(top) - np.log(np.minimum(high, top)).mean() if top > 0 else 0.0
        below = np.log(low)
        n = len(low)
        rest = np.array([below[np.arange(n) != i].sum() for i in range(n)])
        largest = float((np.log(high) * (1 - 1 / n) - rest / n).max())
    return max(float(np.exp(smallest)), 1.0), float(np.exp(largest))


def max_to_mean(rates: Floats) -> Floats:
    """Largest divided by the mean of (..., groups) rates; NaN where all are 0."""
    with np.errstate(invalid="ignore"):
        return np.asarray(rates.max(axis=-1) / rates.mean(axis=-1), float)


def max_to_mean_range(low: Floats, high: Floats) -> tuple[float, float]:
    """Range of `max_to_mean` over a box, as that of `max_to_geometric_mean`."""
    top, n = float(low.max()), len(low)
    smallest = top / np.minimum(high, top).mean() if top > 0 else 1.0
    total = high + low.sum() - low
    largest = np.divide(n * high, total, out=np.full(n, float(n)), where=total > 0).max()
    return max(float(smallest), 1.0), float(largest)


def gini(rates: Floats) -> Floats:
    """Gini coefficient of (..., groups) rates with the correction n / (n - 1), from 0 to 1; NaN where all are 0."""
    n = rates.shape[-1]
    ranks = 2 * np.arange(1, n + 1) - n - 1
    with np.errstate(invalid="ignore"):
        index = (np.sort(rates, axis=-1) * ranks).sum(axis=-1) / ((n - 1) * rates.sum(axis=-1))
    return np.asarray(np.clip(index, 0, 1), float)


def gini_range(low: Floats, high: Floats) -> tuple[float, float]:
    """Range of `gini` over a box.

    Smallest: all groups at a common level, as far as their limits allow. For every threshold, the number of pairs that it
    separates is least when as many or as few groups as possible are above it, so one level suffices, and between two limits
    the index is monotone in it. Largest: by Dinkelbach's method (1967, Manage. Sci. 13). The sum of differences is the largest
    sum of ranks times rates over all rankings, so each step is an assignment of ranks to groups.
    """
    levels = np.concatenate([low, high])
    leveled = gini(np.clip(levels[:, None], low, high))
    smallest = float(np.nanmin(leveled)) if np.isfinite(leveled).any() else 0.0
    smallest = smallest if smallest > _ROUNDING else 0.0
    return smallest, _largest_gini(low, high)


def _largest_gini(low: Floats, high: Floats) -> float:
    from scipy import optimize  # slow to import

    n = len(low)
    if high.max() <= 0:
        return 0.0
    ranks = (2 * np.arange(1, n + 1) - n - 1) / (n - 1)
    best = 0.0
    for _ in range(100):
        weight = ranks - best
        gain = np.where(weight > 0, high[:, None] * weight, low[:, None] * weight)
        row, column = optimize.linear_sum_assignment(gain, maximize=True)
        chosen = np.empty(n)
        chosen[row] = np.where(weight[column] > 0, high[row], low[row])
        found = float(gini(chosen)) if chosen.sum() > 0 else 0.0
        if found <= best + _ROUNDING:
            break
        best = found
    # Without a lower limit above 0, all but one group may have no errors.
    return 1.0 if (np.sort(low)[: n - 1] <= 0).all() and n > 1 and _alone(low, high) else best


def _alone(low: Floats, high: Floats) -> bool:
    """Whether one group may have the only errors."""
    positive = np.flatnonzero(low > 0)
    return len(positive) == 1 or (len(positive) == 0 and bool((high > 0).any()))


@dataclass(frozen=True)
class Index:
    """An index of the rates of several groups.

    Attributes
    ----------
    of
        From (..., groups) rates.
    over
        Smallest and largest value over a box of rates.
    """

    of: Callable[[Floats], Floats]
    over: Callable[[Floats, Floats], tuple[float, float]]


INDICES: Mapping[str, Index] = {
    "difference": Index(difference, difference_range),
    "MERG": Index(max_to_geometric_mean, max_to_geometric_mean_range),
    "SER": Index(max_to_min, max_to_min_range),
    "MERA": Index(max_to_mean, max_to_mean_range),
    "Gini": Index(gini, gini_range),
}
"""By name."""
