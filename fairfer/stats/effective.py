"""Effective trials of samples that share subjects, for limits that decide."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fairfer.stats.intervals import Floats

LARGEST_SHARE = 0.1
"""Largest share of the trials of one subject, for limits that decide."""

_PRIOR = 0.4
"""Weight of the assumption of full correlation, in informative subjects divided by the squared normal quantile of the error."""


def cautious_trials(
    spread: ArrayLike, size: ArrayLike, largest_share: ArrayLike, trials: ArrayLike, tail: float, factor: float = 1.0
) -> Floats:
    """Effective trials that keep the error of a one-sided limit where the precision is itself estimated.

    Parameters
    ----------
    spread
        (groups,) variance of one sample: rate (1 - rate), or that of a change.
    size
        Effective trials, estimated from the variation between subjects.
    largest_share
        Share of the trials that the subject with the most has.
    trials
        Samples.
    tail
        Error of the limit.
    factor
        Multiplies subjects and samples.

    Returns
    -------
    ndarray
        (groups,) between the number of subjects, if all were as large as the largest, and the number of samples.

    Notes
    -----
    The correlation within subjects that the effective size implies is averaged with a correlation of 1, which counts as one
    informative subject (more in a far tail) beside ``subjects · spread`` others: where nearly all subjects are alike, as at
    rates near 0 and 1, the sample may lack the few that vary, and the estimate is too small. The size is multiplied by the
    squared ratio of the normal to Student's quantile (Korn and Graubard 1998, Surv. Methodol. 24). Each subject counts as one
    trial at least. The number of subjects is the number of trials divided by those of the largest subject, because that subject
    alone determines a far tail. With the number of Kish (1965), a limit with an error of 0.001 has one of 0.01 if one of a
    hundred subjects has a tenth of the samples.
    """
    v, n_eff, share, n = (np.asarray(a, float) for a in (spread, size, largest_share, trials))
    images = np.maximum(n * share, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = np.where(images > 1, np.clip((n / n_eff - 1) / (images - 1), 0, 1), 0.0)
    subjects = n * factor / images
    z = -NormalDist().inv_cdf(tail)
    informative, prior = subjects * v, _PRIOR * z**2
    correlation = (informative * correlation + prior) / (informative + prior)
    from scipy import special  # slow to import, and the gate needs it only for subjects

    quantile = -special.stdtrit(np.maximum(subjects - 1, 1), tail)
    ratio = np.asarray(z / quantile, float)
    effective: Floats = np.clip(n * factor / (1 + (images - 1) * correlation) * ratio**2, subjects, n * factor)
    return effective
