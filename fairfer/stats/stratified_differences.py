"""Difference between two groups in a mean at equal strata: its standardized size, and a test over all strata together.

The outcome of a sample is one of a few numbers: 1 and 0 for a hit and a miss, or -1, 0 and 1 for what a prediction adds to a
label. With 1 and 0 the test is that of Cochran, Mantel and Haenszel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from fairfer.stats.clustered import variance_by_subjects
from fairfer.stats.standardized import satterthwaite

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairfer.stats.intervals import Floats

LEAST_EXPECTED = 5.0
"""Expected counts below which the chi-square distribution is not trusted (Cochran 1954; Mantel and Fleiss 1980)."""

_SHRINKAGE = 2.0
"""Samples of the whole stratum by which the outcomes of one group in it are enlarged, for its variance."""


@dataclass(frozen=True)
class StratifiedOutcomes:
    """Outcomes of two groups by stratum; arrays of one length, one entry per combination that occurs.

    Attributes
    ----------
    stratum
        Number of the stratum.
    side
        0 for the first group, 1 for the second.
    outcome
        Outcome of each of the samples.
    count
        Number of samples.
    subject
        Number of their subject; ``None`` where every sample shows another subject.
    """

    stratum: NDArray[np.int64]
    side: NDArray[np.int64]
    outcome: NDArray[np.int64]
    count: NDArray[np.int64]
    subject: NDArray[np.int64] | None = None

    @cached_property
    def values(self) -> NDArray[np.int64]:
        """(values,) outcomes that occur, in order; 0 and 1 always."""
        return np.unique(np.concatenate([self.outcome, [0, 1]]))

    @cached_property
    def table(self) -> NDArray[np.int64]:
        """(strata, sides, values) samples."""
        strata = int(self.stratum.max(initial=-1)) + 1
        table = np.zeros((strata, 2, len(self.values)), np.int64)
        np.add.at(table, (self.stratum, self.side, np.searchsorted(self.values, self.outcome)), self.count)
        return table

    @cached_property
    def common(self) -> NDArray[np.bool_]:
        """(strata,) whether both groups have samples."""
        return np.asarray((self.table.sum(axis=2) > 0).all(axis=1), np.bool_)

    @cached_property
    def trials(self) -> NDArray[np.int64]:
        """(common strata, sides) samples."""
        return np.asarray(self.table[self.common].sum(axis=2), np.int64)

    @cached_property
    def sums(self) -> NDArray[np.int64]:
        """(common strata, sides) sum of the outcomes."""
        return np.asarray(self.table[self.common] @ self.values, np.int64)

    def by_subject(self, weight: Floats, mean: Floats) -> tuple[float, float]:
        """Variance, over subjects, of a sum of weighted deviations from a mean, and its degrees of freedom.

        Parameters
        ----------
        weight, mean
            (common strata, sides) weight of a sample, and what its outcome is compared with.

        Returns
        -------
        variance, degrees_of_freedom
            The degrees of freedom are those of the number of equally large subjects of each side (Kish 1965), combined by
            Satterthwaite's formula.
        """
        if self.subject is None:
            raise ValueError(self.subject)
        used = self.common[self.stratum]
        number = (np.cumsum(self.common) - 1)[self.stratum[used]]
        side, subject, count = self.side[used], self.subject[used], self.count[used]
        deviation = weight[number, side] * (self.outcome[used] - mean[number, side]) * count
        variance = variance_by_subjects(deviation, subject)[0]
        parts, freedom = [], []
        for chosen in (side == 0, side == 1):
            _, unit = np.unique(subject[chosen], return_inverse=True)
            size = np.bincount(unit, count[chosen]).astype(float)
            parts.append(float((np.bincount(unit, deviation[chosen]) ** 2).sum()))
            freedom.append(size.sum() ** 2 / (size**2).sum() - 1)
        return variance, satterthwaite(sum(parts), np.array(parts), np.array(freedom))


@dataclass(frozen=True)
class StandardizedDifference:
    """Directly standardized means of two groups and their difference.

    Attributes
    ----------
    means
        Of both groups: the mean of the means in the strata, weighted by the share of the samples of both groups together.
    value
        First minus second.
    low, high
        Confidence limits of `value`.
    strata
        Number of strata in which both groups have samples.
    covered_share
        Share of all samples that are in them.
    """

    means: tuple[float, float]
    value: float
    low: float
    high: float
    strata: int
    covered_share: float


@dataclass(frozen=True)
class MeanScoreTest:
    """Whether the mean of two groups differs in the strata.

    Attributes
    ----------
    statistic
        Square of the difference between the observed and the expected sum of the first group, divided by its variance.
    p
        p-value.
    least_expected
        How far the sum of the first group can at least be from its expectation in either direction, given the margins of all
        strata. Below `LEAST_EXPECTED` the p-value is not to be trusted (Mantel and Fleiss 1980, Am. J. Epidemiol. 112).
    """

    statistic: float
    p: float
    least_expected: float


def standardized_difference(outcomes: StratifiedOutcomes, tail: float) -> StandardizedDifference | None:
    """Difference between two groups, directly standardized to the strata of both together.

    Parameters
    ----------
    outcomes
        Samples.
    tail
        Error of each confidence limit.

    Returns
    -------
    StandardizedDifference or None
        ``None`` where no stratum has samples of both groups.

    Notes
    -----
    The sum over strata of weight x difference, with the observed weights: a difference at the observed mix of strata. The
    variance is that within strata, where the outcomes of a group are enlarged by two samples of the whole stratum, so that two
    equal outcomes do not make a mean certain; Student's quantile has Satterthwaite's degrees of freedom (1946, Biometrics
    Bull. 2). With subjects it is the variance of sums over subjects (Cochran 1977, Sampling Techniques, 11.7), if larger.
    """
    if not outcomes.common.any():
        return None
    trials, table = outcomes.trials, outcomes.table[outcomes.common]
    weight = trials.sum(axis=1) / trials.sum()
    means = outcomes.sums / trials
    standardized = weight @ means
    parts = weight[:, None] ** 2 * _variances(table, outcomes.values) / trials
    variance = float(parts.sum())
    freedom = satterthwaite(variance, parts, trials - 1)
    if outcomes.subject is not None:
        signed = weight[:, None] / trials * np.array([1.0, -1.0])
        clustered, of_subjects = outcomes.by_subject(signed, means)
        variance, freedom = max(variance, clustered), min(freedom, of_subjects)
    value = float(standardized[0] - standardized[1])
    half = _student(freedom, tail) * math.sqrt(variance)
    widest = float(np.ptp(outcomes.values))
    return StandardizedDifference(
        (float(standardized[0]), float(standardized[1])),
        value,
        max(value - half, -widest),
        min(value + half, widest),
        len(trials),
        float(trials.sum() / outcomes.count.sum()),
    )


def mean_score_test(outcomes: StratifiedOutcomes) -> MeanScoreTest | None:
    """Test of equal means of two groups in all strata, against a difference in the same direction.

    Parameters
    ----------
    outcomes
        Samples.

    Returns
    -------
    MeanScoreTest or None
        ``None`` where nothing can vary.

    Notes
    -----
    The extended Mantel-Haenszel statistic for mean scores (Landis, Heyman and Koch 1978, Int. Stat. Rev. 46), without
    continuity correction: in each stratum the outcomes are distributed at random among its samples. With outcomes 0 and 1 it is
    the test of Mantel and Haenszel (1959, J. Natl. Cancer Inst. 22), statsmodels' ``StratifiedTable.test_null_odds``. With
    subjects the variance is that of sums over subjects, if larger, with Student's distribution.
    """
    trials, sums = outcomes.trials, outcomes.sums
    total = trials.sum(axis=1)
    everything = sums.sum(axis=1)
    squares = (outcomes.table[outcomes.common] @ outcomes.values**2).sum(axis=1)
    spread = total * squares - everything**2
    variance = float((trials.prod(axis=1) * spread / (total**2.0 * np.maximum(total - 1, 1))).sum())
    if variance <= 0:
        return None
    expected = trials[:, 0] * everything / total
    difference = float((sums[:, 0] - expected).sum())
    freedom = math.inf
    if outcomes.subject is not None:
        share = trials[:, :1] / total[:, None]
        weight = np.concatenate([1 - share, -share], axis=1)
        mean = np.repeat((everything / total)[:, None], 2, axis=1)
        clustered, freedom = outcomes.by_subject(weight, mean)
        variance = max(variance, clustered)
    statistic = difference**2 / variance
    lowest, highest = _extremes(outcomes)
    least = min(float(expected.sum()) - lowest, highest - float(expected.sum()))
    return MeanScoreTest(statistic, _two_sided(math.sqrt(statistic), freedom), least)


def pearson_chi_square(hits: tuple[int, int], trials: tuple[int, int]) -> tuple[float, float] | None:
    """Pearson's chi-square test of two proportions, without continuity correction, as Chen and Joo (2021) use it.

    Parameters
    ----------
    hits, trials
        Counts of both groups.

    Returns
    -------
    statistic, p
        With one degree of freedom; ``None`` where an expected count is below `LEAST_EXPECTED`.
    """
    margins = np.array([sum(hits), sum(trials) - sum(hits)], float)
    expected = np.outer(trials, margins) / max(sum(trials), 1)
    if float(expected.min()) < LEAST_EXPECTED:
        return None
    observed = np.array([[k, n - k] for k, n in zip(hits, trials, strict=True)], float)
    statistic = float(((observed - expected) ** 2 / expected).sum())
    return statistic, _two_sided(math.sqrt(statistic), math.inf)


def _variances(table: NDArray[np.int64], values: NDArray[np.int64]) -> Floats:
    """(strata, sides) variance of one outcome."""
    together = table.sum(axis=1, keepdims=True)
    pooled = (together + 1 / len(values)) / (together.sum(axis=2, keepdims=True) + 1)
    share = (table + _SHRINKAGE * pooled) / (table.sum(axis=2, keepdims=True) + _SHRINKAGE)
    variances: Floats = share @ values.astype(float) ** 2 - (share @ values.astype(float)) ** 2
    return variances


def _extremes(outcomes: StratifiedOutcomes) -> tuple[float, float]:
    """The lowest and highest sum of the first group that the margins of the strata allow."""
    together = outcomes.table[outcomes.common].sum(axis=1)
    size = outcomes.trials[:, :1]
    ends = []
    for values, counts in ((outcomes.values, together), (outcomes.values[::-1], together[:, ::-1])):
        before = np.cumsum(counts, axis=1) - counts
        ends.append(float((np.clip(size - before, 0, counts) @ values).sum()))
    return ends[0], ends[1]


def _student(degrees_of_freedom: float, tail: float) -> float:
    from scipy import special  # slow to import, and the gate does not need it

    return float(special.stdtrit(min(degrees_of_freedom, 1e9), 1 - tail))


def _two_sided(z: float, degrees_of_freedom: float) -> float:
    """Two-sided p-value; above 0, even where it is too small for a double."""
    if math.isinf(degrees_of_freedom):
        return max(math.erfc(z / math.sqrt(2)), np.finfo(float).tiny)
    from scipy import special  # slow to import, and the gate does not need it

    return float(max(2 * special.stdtr(degrees_of_freedom, -z), np.finfo(float).tiny))
