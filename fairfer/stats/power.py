"""Sample size and power: the minimum detectable difference, and the additional sample size needed for an observed one."""

from __future__ import annotations

import itertools
import math
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from fairfer.stats.intervals import Floats, normal_quantile

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

POWER = 0.8
"""Probability with which a detectable difference is found to be significant."""

MAXIMUM_ADDITIONAL = 1_000_000
"""Additional samples beyond which no additional sample size is given."""


def minimum_detectable_difference(expected_by_chance: float, rate: float, sizes: ArrayLike) -> float | None:
    """Smallest true gap between any two of the groups that exceeds the gap expected by chance with about 80 % power.

    Parameters
    ----------
    expected_by_chance
        Gap expected by chance between these groups.
    rate
        Rate of all groups together.
    sizes
        (groups,) (effective) trials of each group.

    Returns
    -------
    float or None
        For the least precise pair of groups; ``None`` when no gap has this power, or when the rate is 0 or 1, so that these
        data do not show how it varies.

    Notes
    -----
    The observed gap exceeds the gap expected by chance with probability 0.8 when the true one is 0.84 standard errors larger;
    for two groups that is the usual formula for two proportions (Fleiss, Levin and Paik 2003, chapter 4). A true gap that would
    put a rate below 0 or above 1 shifts the rate of all groups instead, and with it the gap expected by chance. Other groups
    add noise, so that with several groups the true power is somewhat higher.
    """
    n = np.asarray(sizes, float)
    if expected_by_chance >= 1 or not 0 < rate < 1:
        return None
    largest = 0.0
    # The least precise pair is that of the two smallest groups, but either can have the higher rate: both are tried.
    for high_size, low_size in itertools.permutations(np.sort(n)[:2], 2):
        gap = _detectable_gap(expected_by_chance, rate, float(high_size), float(low_size), float(n.sum()))
        if gap is None:
            return None
        largest = max(largest, gap)
    return largest


def _detectable_gap(expected_by_chance: float, rate: float, high_size: float, low_size: float, total: float) -> float | None:
    z = normal_quantile(POWER)

    def shortfall(gap: float) -> float:
        # The two groups differ around the rate of all, as far as 0 and 1 allow; the other groups keep it.
        high = rate + gap * low_size / (high_size + low_size)
        high = min(max(high, gap), 1.0)
        low = high - gap
        pooled = rate + ((high - rate) * high_size + (low - rate) * low_size) / total
        # Gaps are multiples of one sample: to exceed the gap expected by chance takes one step more.
        null = expected_by_chance * math.sqrt(pooled * (1 - pooled) / (rate * (1 - rate)))
        step = 1 / min(high_size, low_size)
        return null + step + z * math.sqrt(high * (1 - high) / high_size + low * (1 - low) / low_size) - gap

    from scipy import optimize  # slow to import, and the gate does not need it

    gaps = np.linspace(max(expected_by_chance, 1e-9), 1.0, 201)
    first = next((i for i, gap in enumerate(gaps) if shortfall(float(gap)) <= 0), None)
    if first is None:
        return None
    if first == 0:
        return float(gaps[0])
    return float(optimize.brentq(shortfall, float(gaps[first - 1]), float(gaps[first]), xtol=1e-6))


def additional_sample_size(hits: ArrayLike, sizes: ArrayLike, confidence: float = 0.95) -> dict[int, int] | None:
    """Additional trials of which groups that make a gap of the observed size significant with 80 % power.

    Parameters
    ----------
    hits, sizes
        (groups,) (effective) counts of each group.
    confidence
        Quantile of the gap expected by chance.

    Returns
    -------
    dict or None
        Additional trials by the number of the group: of the smaller of the two extreme groups where that suffices, else of both
        equally, else of all (a small group between them can make the gap expected by chance large). Empty when the data
        suffice; ``None`` when there is no gap, or when more than `MAXIMUM_ADDITIONAL` would be needed.

    Notes
    -----
    Takes the observed rates for the true ones. The gap expected by chance at other sizes is that of normal rates, drawn once
    and scaled, so that the answer is the same on every call.
    """
    k, n = np.asarray(hits, float), np.asarray(sizes, float)
    rates = k / n
    lowest, highest = int(rates.argmin()), int(rates.argmax())
    gap = float(rates[highest] - rates[lowest])
    spread = rates * (1 - rates)
    if gap <= 0:
        return None
    z = normal_quantile(POWER)
    noise = _noise(len(n))

    def suffices(size: Floats) -> bool:
        pooled = float(rates @ size / size.sum())
        null = np.ptp(noise * np.sqrt(pooled * (1 - pooled) / size), axis=1)
        error = math.sqrt(spread[lowest] / size[lowest] + spread[highest] / size[highest])
        return bool(gap >= np.quantile(null, confidence) + z * error)

    def enlarged(groups: tuple[int, ...], additional: int) -> Floats:
        size = n.copy()
        size[list(groups)] += additional
        return size

    if suffices(n):
        return {}
    smaller = lowest if n[lowest] <= n[highest] else highest
    for groups in ((smaller,), (lowest, highest), tuple(range(len(n)))):
        if not suffices(enlarged(groups, MAXIMUM_ADDITIONAL)):
            continue
        low, high = 0, MAXIMUM_ADDITIONAL
        while high - low > max(1, low // 100):  # precise to 1 %, which is enough to plan with
            middle = (low + high) // 2
            low, high = (low, middle) if suffices(enlarged(groups, middle)) else (middle, high)
        return dict.fromkeys(groups, high)
    return None


@cache
def _noise(groups: int) -> Floats:
    return np.random.default_rng(0).standard_normal((2000, groups))
