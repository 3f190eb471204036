"""Comparisons of groups: all pairs, and each group vs. the rest, with their score statistics."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from fairfer.stats.intervals import Floats

_PAIR = 2
_NO_VARIANCE = 1e-15
"""Variances below this are 0 except for rounding."""


@dataclass(frozen=True)
class Comparisons:
    """The comparisons of one test.

    Attributes
    ----------
    groups
        Number of groups.
    one, other
        (comparisons,) indices into the groups followed by the rests: ``groups + g`` is all groups other than ``g``.
    """

    groups: int
    one: NDArray[np.intp]
    other: NDArray[np.intp]

    @classmethod
    def of(cls, groups: int, *, rest: bool = True) -> Comparisons:
        """All pairs, then each group vs. the rest.

        Parameters
        ----------
        groups
            At least two. With two, the pair is the only comparison.
        rest
            Whether each group is compared with the rest.
        """
        pairs = list(itertools.combinations(range(groups), 2))
        if rest and groups > _PAIR:
            pairs += [(g, groups + g) for g in range(groups)]
        one, other = (np.array(x, np.intp) for x in zip(*pairs, strict=True))
        return cls(groups, one, other)

    def __len__(self) -> int:
        return len(self.one)

    def members(self, comparison: int) -> tuple[list[int], list[int]]:
        """Indices of the groups on either side of a comparison."""
        one, other = int(self.one[comparison]), int(self.other[comparison])
        rest = [g for g in range(self.groups) if g != one]
        return [one], rest if other >= self.groups else [other]


def with_rests(counts: ArrayLike) -> Floats:
    """(..., groups) counts followed by those of each group's rest: (..., 2 groups)."""
    values = np.asarray(counts, float)
    return np.concatenate([values, values.sum(axis=-1, keepdims=True) - values], axis=-1)


def score_statistics(hits: ArrayLike, trials: ArrayLike, comparisons: Comparisons) -> Floats:
    """Absolute score statistics of the differences of two proportions: the variance is that of the pooled rate of both.

    Parameters
    ----------
    hits, trials
        (..., groups) and (groups,) counts.
    comparisons
        What is compared.

    Returns
    -------
    ndarray
        (..., comparisons); 0 where the pooled rate is 0 or 1.

    Notes
    -----
    The signed square root of Pearson's chi-squared statistic. The variance is pooled within each comparison, not over all
    groups, so that it does not depend on groups outside of the comparison; a statistic with unpooled variance (Wald) rejects
    true hypotheses too often where one of the groups is small.
    """
    k, n = with_rests(hits), with_rests(trials)
    a, b = k[..., comparisons.one], k[..., comparisons.other]
    m, o = n[comparisons.one], n[comparisons.other]
    pooled = (a + b) / (m + o)
    variance = pooled * (1 - pooled) * (1 / m + 1 / o)
    difference = np.abs(a / m - b / o)
    statistic: Floats = np.divide(
        difference, np.sqrt(np.maximum(variance, 0)), out=np.zeros_like(difference), where=variance > _NO_VARIANCE
    )
    return statistic


def differences(rates: Floats, comparisons: Comparisons) -> Floats:
    """Differences of (..., 2 groups) rates, of the groups and of their rests."""
    difference: Floats = rates[..., comparisons.one] - rates[..., comparisons.other]
    return difference
