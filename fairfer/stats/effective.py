"""Effective trials of samples that share subjects, for limits that decide."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fairfer.stats.intervals import Floats

LARGEST_SHARE = 0.1
"""Share of the trials that one subject may have. With more, no effective number of trials keeps the error of a limit."""

_PRIOR = 1.0
"""Informative subjects to which the assumption of full correlation counts as equal."""


def cautious_trials(
    spread: ArrayLike, size: ArrayLike, subjects: ArrayLike, trials: ArrayLike, tail: float, factor: float = 1.0
) -> Floats:
    """Effective trials that keep the error of a one-sided limit where the precision is itself estimated.

    Parameters
    ----------
    spread
        (groups,) variance of one sample: rate (1 - rate), or that of a change.
    size
        Effective trials, estimated from the variation between subjects.
    subjects
        Number of equally large subjects (Kish 1965).
    trials
        Samples.
    tail
        Error of the limit.
    factor
        Multiplies subjects and samples.

    Returns
    -------
    ndarray
        (groups,) between the number of subjects and that of samples.

    Notes
    -----
    The correlation within subjects that the effective size implies is averaged with a correlation of 1, which counts as one
    informative subject beside ``subjects · spread`` others: where nearly all subjects are alike, as at rates near 0 and 1, the
    sample may lack the few that vary, and the estimate is too small. The size is multiplied by the squared ratio of the normal
    to Student's quantile (Korn and Graubard 1998, Surv. Methodol. 24). Each subject counts as one trial at least: no
    correlation makes samples less precise.
    """
    v, n_eff, s, n = (np.asarray(a, float) for a in (spread, size, subjects, trials))
    most = n / s
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = np.where(most > 1, np.clip((n / n_eff - 1) / (most - 1), 0, 1), 0.0)
    s, n = s * factor, n * factor
    informative = s * v
    correlation = (informative * correlation + _PRIOR) / (informative + _PRIOR)
    from scipy import special  # slow to import, and the gate needs it only for subjects

    quantile = -special.stdtrit(np.maximum(s - 1, 1), tail)
    ratio = np.asarray(-NormalDist().inv_cdf(tail) / quantile, float)
    effective: Floats = np.clip(n / (1 + (most - 1) * correlation) * ratio**2, s, n)
    return effective
