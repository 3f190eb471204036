"""How sure the rates and gaps are, computed on counts.

The largest difference among noisy group rates is above zero even when the groups are treated alike, and its bootstrap interval
never covers zero. So a gap is read against the *chance gap*: what the same data show when group membership does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Floats = NDArray[np.float64]


def wilson(hits: ArrayLike, trials: ArrayLike, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """Wilson score interval of a proportion.

    Parameters
    ----------
    hits, trials
        Counts, of any one shape.
    confidence
        Of the two-sided interval.

    Returns
    -------
    low, high
        NaN where there were no trials.

    Notes
    -----
    Wilson (1927), J. Am. Stat. Assoc. 22: the score test inverted. Unlike the bootstrap's, the interval of 3 right out of 3 is
    [0.44, 1], not [1, 1]. scipy has it for one pair of counts at a time; a test holds this against scipy's.
    """
    k, n = np.asarray(hits, float), np.asarray(trials, float)
    z = float(stats.norm.ppf(0.5 + confidence / 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        p = k / n
        centre = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    # At 0 and n the bounds are exactly 0 and 1; rounding must not put a rate outside of its own interval.
    low = np.where(k == 0, np.where(n > 0, 0.0, np.nan), np.maximum(centre - half, 0))
    high = np.where((k == n) & (n > 0), 1.0, np.minimum(centre + half, 1))
    return low, high


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
    null = np.ptp(drawn / n, axis=1)
    observed = float(np.ptp(k / n))
    # A draw that equals the observed gap but for rounding must count as reaching it.
    reached = int((null >= observed - 1e-12).sum())
    return Chance(float(np.quantile(null, confidence)), (1 + reached) / (1 + draws))


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """q-values of a family of tests (Benjamini and Hochberg 1995).

    A test whose q is below 0.05 is one of a list of which, on average, at most 5 % are false alarms.
    """
    values = np.asarray(p, float)
    return np.asarray(stats.false_discovery_control(values, method="bh"), float) if values.size else values
