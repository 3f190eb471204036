"""What these data could show: the gap that would be found, and how many more pictures would settle one."""

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
"""A gap counts as detectable when it would be found in this share of repetitions."""

MOST_MORE = 1_000_000
"""More additional pictures than this are no plan; then nothing settles it."""


def minimum_detectable_difference(expected_by_chance: float, rate: float, sizes: ArrayLike) -> float | None:
    """The smallest true gap between any two of the groups that would be found beyond chance with about 80 % power.

    Parameters
    ----------
    chance
        The chance gap of these groups.
    rate
        Rate of all groups together.
    sizes
        (Effective) trials of each group.

    Returns
    -------
    float or None
        Of the pair of groups that is known least; ``None`` when no gap, however wide, would be found so surely, or when the
        rate is 0 or 1, so that these data say nothing of how it varies.

    Notes
    -----
    The observed gap exceeds the chance gap with probability 0.8 when the true one is 0.84 standard errors wider; for two groups
    that is the usual formula for two proportions (Fleiss, Levin and Paik 2003, chapter 4). A true gap that would carry a rate
    beyond 0 or 1 moves the rate of all instead, and the chance gap with it. Other groups add noise of their own, so that with
    several the true power is somewhat higher.
    """
    n = np.asarray(sizes, float)
    if expected_by_chance >= 1 or not 0 < rate < 1:
        return None
    worst = 0.0
    # The least known pairs are among the smallest groups, but a small group can be high or low: both are tried.
    for one, other in itertools.permutations(np.sort(n)[:2], 2):
        found = _detectable(expected_by_chance, rate, float(one), float(other), float(n.sum()))
        if found is None:
            return None
        worst = max(worst, found)
    return worst


def _detectable(expected_by_chance: float, rate: float, high_size: float, low_size: float, everyone: float) -> float | None:
    z = normal_quantile(POWER)

    def lacking(gap: float) -> float:
        # The two groups part so that the rate of all stays, as far as 0 and 1 allow; the other groups stay where they were.
        high = rate + gap * low_size / (high_size + low_size)
        high = min(max(high, gap), 1.0)
        low = high - gap
        pooled = rate + ((high - rate) * high_size + (low - rate) * low_size) / everyone
        # Gaps come in steps of one face: to be beyond chance is to be a step beyond it.
        null = expected_by_chance * math.sqrt(pooled * (1 - pooled) / (rate * (1 - rate)))
        step = 1 / min(high_size, low_size)
        return null + step + z * math.sqrt(high * (1 - high) / high_size + low * (1 - low) / low_size) - gap

    from scipy import optimize  # noqa: PLC0415 - slow to import, and a gate needs none of it

    steps = np.linspace(max(expected_by_chance, 1e-9), 1.0, 201)
    enough = next((i for i, gap in enumerate(steps) if lacking(float(gap)) <= 0), None)
    if enough is None:
        return None
    if enough == 0:
        return float(steps[0])
    return float(optimize.brentq(lacking, float(steps[enough - 1]), float(steps[enough]), xtol=1e-6))


def additional_sample_size(hits: ArrayLike, sizes: ArrayLike, confidence: float = 0.95) -> dict[int, int] | None:
    """How many more trials of which groups would show a gap of the observed width beyond chance with 80 % power.

    Parameters
    ----------
    hits, sizes
        (Effective) counts of each group.
    confidence
        Quantile of the chance gap.

    Returns
    -------
    dict or None
        Additional trials by the number of the group: of the one of the two extreme groups that is known less, where that
        suffices, else of both alike, else of all (a small group between them can make the chance gap wide). Empty when there
        are enough already; ``None`` when there is no gap, or when more than `MOST_MORE` would not settle it.

    Notes
    -----
    Takes the observed rates for the true ones. The chance gap at other sizes is that of normal rates, drawn once and scaled, so
    that the answer is the same on every call.
    """
    k, n = np.asarray(hits, float), np.asarray(sizes, float)
    rates = k / n
    worst, best = int(rates.argmin()), int(rates.argmax())
    gap = float(rates[best] - rates[worst])
    spread = rates * (1 - rates)
    if gap <= 0:
        return None
    z = normal_quantile(POWER)
    noise = _noise(len(n))

    def settled(size: Floats) -> bool:
        pooled = float(rates @ size / size.sum())
        null = np.ptp(noise * np.sqrt(pooled * (1 - pooled) / size), axis=1)
        error = math.sqrt(spread[worst] / size[worst] + spread[best] / size[best])
        return bool(gap >= np.quantile(null, confidence) + z * error)

    def grown(groups: tuple[int, ...], more: int) -> Floats:
        size = n.copy()
        size[list(groups)] += more
        return size

    if settled(n):
        return {}
    less_known = worst if n[worst] <= n[best] else best
    for groups in ((less_known,), (worst, best), tuple(range(len(n)))):
        if not settled(grown(groups, MOST_MORE)):
            continue
        low, high = 0, MOST_MORE
        while high - low > max(1, low // 100):  # a figure to plan by, not to count by
            middle = (low + high) // 2
            low, high = (low, middle) if settled(grown(groups, middle)) else (middle, high)
        return dict.fromkeys(groups, high)
    return None


@cache
def _noise(groups: int) -> Floats:
    return np.random.default_rng(0).standard_normal((2000, groups))
