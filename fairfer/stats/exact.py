"""Confidence limits that decide: of differences, ratios, gaps and paired changes, with errors that hold in the tails.

A difference of two rates is tested with the exact binomial test of each. Let z₁ and z₂ be the normal deviates of their exact
one-sided p-values at a pair of true rates: whatever the size and the rate, each is at most as likely to be large as a standard
normal variable. The limit is the largest difference among the pairs of rates with z₁² + z₂² ≤ z², negative deviates counted as
0. For large samples that is the score limit with continuity correction; with one rate known it is Clopper and Pearson's. It
extends the method of variance estimates recovery (Zou and Donner 2008, Stat. Med. 27), which adds the distances of the limits
at z itself in squares and fails where one tail is short. The error of the limits was enumerated: ``reports/validation`` has the
settings.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from fairfer.stats.binomial import clopper_pearson, normal_quantiles, normal_tail

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from fairfer.stats.intervals import Floats

    Index = NDArray[np.intp]

_DIRECTIONS = 9
"""Points on the quarter circle z₁² + z₂² = z², the radius of which is enlarged so that no direction between them is missed."""

_ANGLES = np.linspace(0, math.pi / 2, _DIRECTIONS)
_DIRECTION = np.maximum(np.cos(_ANGLES), 0) / math.cos(math.pi / 4 / (_DIRECTIONS - 1))
_BISECTIONS = 12


@dataclass(frozen=True)
class ArcLimits:
    """Clopper–Pearson limits of several rates at the errors that belong to the points of a quarter circle.

    Attributes
    ----------
    low, high
        (directions, ..., rates) limits. Point i of the first rate and point ``-1 - i`` of the second are one point of the
        circle.
    """

    low: Floats
    high: Floats

    @classmethod
    def of_counts(cls, hits: ArrayLike, trials: ArrayLike, tail: ArrayLike) -> ArcLimits:
        """Limits of (..., rates) counts, for combinations of two rates with the error `tail`, of shape () or (..., 1)."""
        k, n, z = np.asarray(hits, float), np.asarray(trials, float), -normal_quantiles(np.asarray(tail, float))
        directions = _DIRECTION.reshape(-1, *(1,) * max(k.ndim, z.ndim))
        return cls(*clopper_pearson(k, n, normal_tail(directions * z)))

    def difference(self, one: Index, other: Index) -> tuple[Floats, Floats]:
        """Lower and upper limit of rate `one` minus rate `other`, by their indices."""
        low = (self.low[..., one] - self.high[::-1][..., other]).min(axis=0)
        high = (self.high[..., one] - self.low[::-1][..., other]).max(axis=0)
        return low, high

    def ratio(self, one: Index, other: Index) -> tuple[Floats, Floats]:
        """Lower and upper limit of rate `one` divided by rate `other`; infinite where the other may be 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            low = (self.low[..., one] / self.high[::-1][..., other]).min(axis=0)
            bottom = self.low[::-1][..., other]
            high = np.where(bottom > 0, self.high[..., one] / bottom, np.inf).max(axis=0)
        return low, high


def difference_bounds(
    hits: ArrayLike, trials: ArrayLike, other_hits: ArrayLike, other_trials: ArrayLike, tail: float
) -> tuple[Floats, Floats]:
    """Lower and upper limit, each with error `tail`, of the differences between rates of different samples.

    Parameters
    ----------
    hits, trials, other_hits, other_trials
        (pairs,) counts; the limits are those of the first rate minus the other.
    tail
        Error of each limit.
    """
    k, n, x, m = (np.asarray(a, float) for a in (hits, trials, other_hits, other_trials))
    pairs = np.arange(len(k))
    arc = ArcLimits.of_counts(np.concatenate([k, x]), np.concatenate([n, m]), tail)
    return arc.difference(pairs, pairs + len(k))


def paired_bounds(gained: ArrayLike, lost: ArrayLike, trials: ArrayLike, tail: float) -> tuple[Floats, Floats]:
    """Lower and upper limit, each with error `tail`, of the change of a rate on the same samples.

    Parameters
    ----------
    gained, lost, trials
        (groups,) samples that are hits of the second model only, of the first only, and all.
    tail
        Error of each limit.

    Returns
    -------
    low, high
        Limits of ``(gained - lost) / trials``.

    Notes
    -----
    The share gained is that of all samples; the share lost, of those not gained, is an independent binomial given their number.
    """
    b, c, n = (np.asarray(a, float) for a in (gained, lost, trials))
    return -_paired_upper(c, b, n, tail), _paired_upper(b, c, n, tail)


def _paired_upper(more: Floats, less: Floats, trials: Floats, tail: float) -> Floats:
    """Upper limit of ``(more - less) / trials``."""
    arc = ArcLimits.of_counts(np.stack([more, less]), np.stack([trials, trials - more]), tail)
    more_high = arc.high[:, 0]
    # Where all samples are more, the share of the others does not matter.
    less_low = np.nan_to_num(arc.low[::-1, 1])
    limit: Floats = (more_high - (1 - more_high) * less_low).max(axis=0)
    return limit


def gap_bound_above(arc: ArcLimits) -> Floats:
    """Upper bound of the gap of rates: no pair differs by more.

    All pairs must be within a limit for a gap to be within it, so each is tested with the full error (intersection-union:
    Berger 1982, Technometrics 24).

    Parameters
    ----------
    arc
        (..., groups) limits at this error.

    Returns
    -------
    ndarray
        (...,) bounds.
    """
    low, high = arc.difference(*pairs_of(arc.low.shape[-1]))
    bound: Floats = np.maximum(np.abs(low), np.abs(high)).max(axis=-1)
    return bound


def gap_bound_below(rates: Floats, arc: ArcLimits, error: float) -> Floats:
    """Lower bound of the gap of rates: some pair differs by more; 0 where no pair is shown to differ.

    One pair suffices, so the error of the gap is to be divided among the pairs (Bonferroni). Either rate of a pair may be the
    larger one: far from 0 the bound is one-sided, near 0 two-sided.

    Parameters
    ----------
    rates
        (..., groups) observed rates.
    arc
        (2, ..., groups) limits at `error` and at half of it.
    error
        Error of one pair.

    Returns
    -------
    ndarray
        (...,) bounds.
    """
    one, other = pairs_of(rates.shape[-1])
    low, high = arc.difference(one, other)
    sided = np.maximum(low, -high)  # negative where the difference may be 0
    observed = np.abs(rates[..., one] - rates[..., other])
    bound: Floats = _folded(observed, sided[0], sided[1], error).max(axis=-1)
    return bound


def pairs_of(groups: int) -> tuple[Index, Index]:
    """Indices of the first and of the second group of every pair."""
    one, other = (np.array(x, np.intp) for x in zip(*itertools.combinations(range(groups), 2), strict=True))
    return one, other


def _folded(observed: Floats, one_sided: Floats, two_sided: Floats, error: float) -> Floats:
    """Bounds of absolute differences, between those with the whole and with half of the error in each direction."""
    z = [-NormalDist().inv_cdf(e) for e in (error, error / 2)]
    standard_error = np.maximum((observed - two_sided) / z[1], 1e-300)
    share_low, share_high = np.zeros(observed.shape), np.ones(observed.shape)
    for _ in range(_BISECTIONS):
        share = (share_low + share_high) / 2
        deviate = z[0] + (z[1] - z[0]) * share
        bound = one_sided + (two_sided - one_sided) * share
        # A difference in the other direction is two bounds further away.
        rare = normal_tail(deviate) + normal_tail(deviate + 2 * bound / standard_error) <= error
        share_low, share_high = np.where(rare, share_low, share), np.where(rare, share, share_high)
    return np.where(two_sided > 0, np.maximum(one_sided + (two_sided - one_sided) * share_high, 0), 0.0)
