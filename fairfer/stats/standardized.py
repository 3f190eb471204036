"""Change of a difference between two groups by direct standardization, with its own interval: both are of the same samples.

The interval is the delta method on the joint counts of stratum, group and hit. The standardized and the plain difference share
every sample, so their intervals say nothing about the change: it may be certain where neither difference is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from fairfer.stats.intervals import Floats

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class StandardizedChange:
    """Change of the difference between two groups.

    Attributes
    ----------
    plain, standardized
        Rate of the first group minus that of the second, before and after.
    low, high
        Limits of ``standardized - plain``.
    """

    plain: float
    standardized: float
    low: float
    high: float

    @property
    def change(self) -> float:
        """Standardized minus plain difference."""
        return self.standardized - self.plain


@dataclass(frozen=True)
class Units:
    """Parts of the counts that belong to one subject; arrays of one length.

    Attributes
    ----------
    stratum, group, subject
        Numbers.
    hits, trials
        Counts.
    """

    stratum: Counts
    group: Counts
    subject: Counts
    hits: Counts
    trials: Counts


def change_by_standardization(
    hits: Counts, trials: Counts, pair: tuple[int, int], tail: float, units: Units | None = None
) -> StandardizedChange:
    """How direct standardization changes the difference between two groups.

    Parameters
    ----------
    hits, trials
        (strata, groups) counts, with at least one trial everywhere. A stratum has the weight of its share of all trials.
    pair
        Numbers of two groups; the difference is the rate of the first minus that of the second.
    tail
        Error of each limit.
    units
        The same counts by subject, where several samples show one.

    Notes
    -----
    The influence of a sample of group g and stratum s on the change is ``a (hit - rate_sg) + b``. Here a holds the two weights
    that the sample has, in the standardized and in the plain rate, and b what its stratum contributes: by the plain rate of its
    group, and by the weights, which are shares of a sample too. The variance is the sum of squared influences, where the
    rate of a stratum is shrunk toward that of all groups by two trials. With subjects it is that of sums over subjects (Cochran
    1977, Sampling Techniques, 11.7), if larger. Student's quantile has Satterthwaite's degrees of freedom (1946, Biometrics
    Bull. 2): a stratum with few trials and a large weight has an uncertain variance.
    """
    sign = np.zeros(trials.shape[1])
    sign[pair[0]], sign[pair[1]] = 1, -1
    rate = hits / trials
    weight = trials.sum(axis=1) / trials.sum()
    plain = hits.sum(axis=0) / trials.sum(axis=0)
    standardized = weight @ rate
    within = sign * (weight[:, None] / trials - 1 / trials.sum(axis=0))
    difference = rate @ sign
    between = -sign * (rate - plain) / trials.sum(axis=0) + (difference - weight @ difference)[:, None] / trials.sum()
    own = shrunk_rates(hits, trials)
    parts = within**2 * trials * own * (1 - own)
    variance = float(parts.sum() + (between**2 * trials).sum())
    freedom = satterthwaite(variance, parts, trials - 1)
    if units is not None:
        influence = within[units.stratum, units.group] * (units.hits - rate[units.stratum, units.group] * units.trials)
        influence += between[units.stratum, units.group] * units.trials
        clustered, of_subjects = _by_subject(influence, units)
        if clustered >= variance:
            variance, freedom = clustered, of_subjects
        freedom = min(freedom, of_subjects)
    half = _student(freedom, tail) * np.sqrt(variance)
    before, after = float(sign @ plain), float(sign @ standardized)
    return StandardizedChange(before, after, float(after - before - half), float(after - before + half))


def shrunk_rates(hits: Counts, trials: Counts) -> Floats:
    """(strata, groups) rates shrunk toward that of all groups by two trials, for variances.

    A group with two samples in a stratum, both classified correctly, is not certain to have a rate of 1.
    """
    pooled = (hits.sum(axis=1, keepdims=True) + 0.5) / (trials.sum(axis=1, keepdims=True) + 1)
    own: Floats = (hits + 2 * pooled) / (trials + 2)
    return own


def satterthwaite(variance: float, parts: Floats, degrees_of_freedom: Counts) -> float:
    """Degrees of freedom of a variance, from those of its independent parts (at least 1 each); infinite where it is 0."""
    uncertain = float((parts**2 / np.maximum(degrees_of_freedom, 1)).sum())
    return max(variance * variance / uncertain, 1.0) if uncertain > 0 else np.inf


def _by_subject(influence: Floats, units: Units) -> tuple[float, float]:
    """Variance of a sum over subjects, and its degrees of freedom: those of each group's number of equally large subjects."""
    _, number = np.unique(units.subject, return_inverse=True)
    sums = np.bincount(number, influence)
    variance = float((sums**2).sum()) * len(sums) / max(len(sums) - 1, 1)
    parts, freedom = [], []
    for group in np.unique(units.group):
        members = units.group == group
        trials = np.bincount(number[members], units.trials[members])
        parts.append(float((np.bincount(number[members], influence[members]) ** 2).sum()))
        freedom.append(trials.sum() ** 2 / (trials**2).sum() - 1)
    return variance, satterthwaite(sum(parts), np.array(parts), np.array(freedom))


def _student(degrees_of_freedom: float, tail: float) -> float:
    from scipy import special  # slow to import, and the gate does not need it

    return float(special.stdtrit(min(degrees_of_freedom, 1e9), 1 - tail))
