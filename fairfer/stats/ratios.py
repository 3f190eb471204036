"""Limits of the ratio of two rates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fairfer.stats.intervals import Estimates, Floats


def ratio_limits(one: Estimates, other: Estimates, tail: float) -> tuple[Floats, Floats]:
    """Lower and upper limits of ``one.rate / other.rate``, each with error `tail`.

    Notes
    -----
    Donner and Zou (2012, Stat. Methods Med. Res. 21), the method of variance estimates recovery for ratios, on score limits
    with continuity correction. Where the other rate may be 0 there is no upper limit.
    """
    p, q = one.rate, other.rate
    low, high = one.limits(tail, continuity=True)
    other_low, other_high = other.limits(tail, continuity=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        below = other_high * (2 * q - other_high)
        lower = (p * q - np.sqrt(np.maximum((p * q) ** 2 - low * (2 * p - low) * below, 0))) / below
        above = other_low * (2 * q - other_low)
        upper = (p * q + np.sqrt(np.maximum((p * q) ** 2 - high * (2 * p - high) * above, 0))) / above
        plain = low / other_high
    # The root fails where a limit is more than twice the rate; the limits themselves are then the cautious answer.
    lower = np.where((below > 0) & np.isfinite(lower) & (lower >= 0), lower, plain)
    upper = np.where((above > 0) & np.isfinite(upper), upper, np.inf)
    return lower, upper
