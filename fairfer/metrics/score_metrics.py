"""Score-based metrics from histograms of scores: AUROC, average precision, Brier score, calibration, rates at a threshold.

All take counts of positives and negatives per score bin (`fairfer.metrics.score_bins`), for many pairs of label and group at
once. Each result states by how much it can differ from the metric of the unbinned scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fairfer.metrics.results import ReliabilityBin, ScoreMetric, ScoreMetricName, ScoreStatus
from fairfer.metrics.score_bins import BINS, EDGES, HIGH, LOW, ScoreScale
from fairfer.stats.intervals import Estimates, Floats, normal_quantile

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

CALIBRATION_EDGES: Floats = np.round(np.arange(16) / 15, 3)
"""Edges of the fifteen calibration bins: k / 15 rounded to 0.001, so that each is an edge of a score bin."""

_CALIBRATION_STARTS = np.searchsorted(EDGES, CALIBRATION_EDGES[:-1])
_CALIBRATION_BIN = np.searchsorted(_CALIBRATION_STARTS, np.arange(BINS), side="right") - 1
_MIDDLE = (LOW + HIGH) / 2
_RESAMPLES = 2000
_CERTAIN_SIGN = 3.0
"""Standard errors from 0 at which the direction of a bin's miscalibration counts as certain."""


@dataclass(frozen=True)
class ScoreEstimates:
    """One metric of several pairs of label and group; NaN where it is not estimable.

    Attributes
    ----------
    value
        (pairs,) estimates.
    low, high
        (pairs,) confidence limits of the sampling error alone.
    error
        (pairs,) upper bound of the difference to the metric of the unbinned scores.
    """

    value: Floats
    low: Floats
    high: Floats
    error: Floats


@dataclass(frozen=True)
class Reliability:
    """Reliability curves: per pair and calibration bin, shape (pairs, 15); NaN where a bin is empty.

    Attributes
    ----------
    mean_score
        Mean score, at most 0.0005 from that of the unbinned scores.
    share
        Share of positives, with confidence limits `low` and `high` (Wilson).
    positives, n
        Faces.
    """

    mean_score: Floats
    share: Floats
    low: Floats
    high: Floats
    positives: Floats
    n: Floats


@dataclass(frozen=True)
class _Parts:
    """A quantity per pair and score bin, shape (pairs, BINS), for each positive and for each negative."""

    positives: Floats
    negatives: Floats


@dataclass(frozen=True)
class _Clusters:
    """Counts by subject, sparse: one entry per subject and score bin of one pair.

    `pair`, `bin`, `positives`, `negatives` and `cluster` have shape (entries,); a cluster is one subject within one pair, and
    `pair_of_cluster` has shape (clusters,).
    """

    pair: NDArray[np.int64]
    bin: NDArray[np.int64]
    positives: Floats
    negatives: Floats
    cluster: NDArray[np.int64]
    pair_of_cluster: NDArray[np.int64]
    pairs: int

    def sums(self, parts: _Parts) -> Floats:
        """(clusters,) sums over the faces of each cluster."""
        of_positives, of_negatives = parts.positives[self.pair, self.bin], parts.negatives[self.pair, self.bin]
        # A pair without positives has undefined parts for them, and no face that they belong to.
        entries = np.where(self.positives > 0, self.positives * of_positives, 0.0)
        entries += np.where(self.negatives > 0, self.negatives * of_negatives, 0.0)
        return _weighted_bincount(self.cluster, entries, len(self.pair_of_cluster))

    def per_pair(self, of_clusters: Floats) -> Floats:
        """(pairs,) sums over clusters."""
        return _weighted_bincount(self.pair_of_cluster, of_clusters, self.pairs)

    def variance(self, parts: _Parts, members: _Parts) -> tuple[Floats, Floats, Floats]:
        """Variance of the sum of `parts`, which have mean zero, over the subjects that have `members`.

        Returns
        -------
        variance
            (pairs,) the sandwich estimator (Cochran 1977, Sampling Techniques, 11.7).
        subjects
            (pairs,) subjects with at least one member.
        degrees_of_freedom
            (pairs,) one less than the number of subjects; where some have more members than others, than the number of equally
            large ones (Kish 1965); fewer where a few subjects make up most of the variance.
        """
        size = self.sums(members)
        subjects = self.per_pair(np.asarray(size > 0, float))
        with np.errstate(invalid="ignore", divide="ignore"):
            equal = self.per_pair(size) ** 2 / self.per_pair(size**2)
        degrees_of_freedom = np.where(equal > 1, np.maximum(equal - 1, 1), 1.0)
        squares = self.sums(parts) ** 2
        total = self.per_pair(squares)
        by_tails = _degrees_of_freedom(total, self.per_pair(squares**2) - total**2 / np.maximum(subjects, 1))
        return total * _unbiased(subjects), subjects, np.minimum(degrees_of_freedom, by_tails)

    def covariance(self, parts: Sequence[_Parts]) -> Floats:
        """(pairs, quantities, quantities) covariance of the sums of several quantities, which have mean zero."""
        sums = [self.sums(part) for part in parts]
        products = np.array([[self.per_pair(a * b) for a in sums] for b in sums])
        subjects = self.per_pair(np.ones(len(self.pair_of_cluster)))
        return np.moveaxis(products, -1, 0) * _unbiased(subjects)[:, None, None]


@dataclass(frozen=True)
class ScoreCounts:
    """Histograms of the scores of several pairs of label and group.

    Attributes
    ----------
    positives, negatives
        (pairs, BINS) faces that have the label and faces that do not.
    clusters
        The same by subject; absent where every face shows another subject.
    """

    positives: Floats
    negatives: Floats
    clusters: _Clusters | None = None

    @classmethod
    def from_entries(
        cls,
        pair: ArrayLike,
        bins: ArrayLike,
        positives: ArrayLike,
        negatives: ArrayLike,
        *,
        pairs: int,
        subject: ArrayLike | None = None,
    ) -> ScoreCounts:
        """Histograms from sparse entries.

        Parameters
        ----------
        pair
            (entries,) number of the pair of label and group, below `pairs`.
        bins
            (entries,) number of the score bin.
        positives, negatives
            (entries,) faces of this pair, bin and subject. Entries with equal keys are added.
        pairs
            Number of pairs.
        subject
            (entries,) integer code of the subject, where several faces can show one subject.
        """
        p, b = np.asarray(pair, np.int64), np.asarray(bins, np.int64)
        positive, negative = np.asarray(positives, float), np.asarray(negatives, float)
        cell = p * BINS + b
        shape = (pairs, BINS)
        dense_p, dense_n = (_weighted_bincount(cell, n, pairs * BINS).reshape(shape) for n in (positive, negative))
        if subject is None:
            return cls(dense_p, dense_n)
        who = np.asarray(subject, np.int64)
        key = p * (int(who.max(initial=0)) + 1) + who
        _, first, cluster = np.unique(key, return_index=True, return_inverse=True)
        return cls(dense_p, dense_n, _Clusters(p, b, positive, negative, cluster, p[first], pairs))

    @property
    def n(self) -> Floats:
        """(pairs, BINS) faces."""
        return self.positives + self.negatives


def auroc(counts: ScoreCounts, confidence: float = 0.95) -> ScoreEstimates:
    """Area under the ROC curve: the probability that a positive has a higher score than a negative, ties counting half.

    Notes
    -----
    Variance from structural components (DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44); with subjects, Obuchowski
    (1997, Biometrics 53). The variance gives an effective number of trials, AUROC (1 - AUROC) / variance, for Wilson's interval
    with Student's quantile, whose degrees of freedom are few where a few faces make up most of the variance. Unlike DeLong's
    symmetric interval it stays within [0, 1] and has a width at 0 and 1, where the variance is 0. There the number of trials is
    the smaller of positives and negatives (of the subjects that have any).

    Two scores of one bin are in unknown order, so binning can change the value by half of the share of pairs in one bin.
    """
    p, n = counts.positives, counts.negatives
    positives, negatives = p.sum(axis=1), n.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        of_positives = (np.cumsum(n, axis=1) - n / 2) / negatives[:, None]
        of_negatives = (positives[:, None] - np.cumsum(p, axis=1) + p / 2) / positives[:, None]
        value = (p * of_positives).sum(axis=1) / positives
        error = (p * n).sum(axis=1) / (2 * positives * negatives)
        influence_p = (of_positives - value[:, None]) / positives[:, None]
        influence_n = (of_negatives - value[:, None]) / negatives[:, None]
    if counts.clusters is None:
        variance_p, spread_p = _variance_of_sum(p, influence_p)
        variance_n, spread_n = _variance_of_sum(n, influence_n)
        variance, least = variance_p + variance_n, np.minimum(positives, negatives)
        degrees_of_freedom = _degrees_of_freedom(variance, spread_p + spread_n)
    else:
        clusters, zeros, ones = counts.clusters, np.zeros_like(p), np.ones_like(p)
        of_p, of_n = _Parts(influence_p, zeros), _Parts(zeros, influence_n)
        variance_p, with_p, _ = clusters.variance(of_p, _Parts(ones, zeros))
        variance_n, with_n, _ = clusters.variance(of_n, _Parts(zeros, ones))
        covariance = clusters.covariance([of_p, of_n])[:, 0, 1]
        variance = variance_p + variance_n + 2 * covariance
        least = np.minimum(with_p, with_n)
        degrees_of_freedom = clusters.variance(_Parts(influence_p, influence_n), _Parts(ones, ones))[2]
    low, high = _effective(value, variance, least, degrees_of_freedom).limits((1 - confidence) / 2)
    return ScoreEstimates(value, low, high, error)


def average_precision(counts: ScoreCounts, confidence: float = 0.95) -> ScoreEstimates:
    """Average precision: precision at each score that occurs, weighted by the increase in recall.

    The definition of scikit-learn's ``average_precision_score``: no interpolation.

    Notes
    -----
    Logit interval (Boyd, Eng and Page 2013, ECML PKDD, section 3.2): logit(AP) ± z / sqrt(m AP (1 - AP)), where m is the number
    of positives. With subjects, m is the number of positives that gives the variance of the linearized average precision over
    subjects (at most the number of positives), and z is Student's quantile. At 0 and 1, Wilson's interval of m trials.

    The order within a bin is unknown. The precision at one of its positives is highest if all positives come before all
    negatives and are tied, and lowest if all negatives come first; the bound of the error uses both.
    """
    p, n = (a[:, ::-1] for a in (counts.positives, counts.negatives))  # descending scores
    true, false = np.cumsum(p, axis=1), np.cumsum(n, axis=1)
    positives = true[:, -1]
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(p > 0, true / (true + false), 0.0)
        value = (p * precision).sum(axis=1) / positives
        best = (p * np.where(p > 0, true / (true + false - n), 0.0)).sum(axis=1) / positives
    worst = _negatives_first(p, true, false) / np.where(positives > 0, positives, np.nan)
    size, degrees_of_freedom = positives, np.full(len(value), np.inf)
    if counts.clusters is not None:
        descending, ones = _average_precision_influence(p, true, false, value, precision), np.ones_like(p)
        parts = _Parts(descending.positives[:, ::-1], descending.negatives[:, ::-1])
        variance, subjects, degrees_of_freedom = counts.clusters.variance(parts, _Parts(ones, ones))
        with np.errstate(invalid="ignore", divide="ignore"):
            equivalent = value * (1 - value) / variance
        size = np.minimum(np.where((variance > 0) & (value < 1), equivalent, subjects), positives)
    low, high = _logit_interval(value, size, degrees_of_freedom, confidence)
    estimable = (positives > 0) & (false[:, -1] > 0)
    error = np.maximum(best - value, value - worst)
    return ScoreEstimates(*(np.where(estimable, a, np.nan) for a in (value, low, high, error)))


def brier_score(counts: ScoreCounts, confidence: float = 0.95) -> ScoreEstimates:
    """Brier score of one label against the rest: mean squared difference of score and truth (1 or 0).

    Notes
    -----
    A mean of one loss per face. The variance of the mean (over subjects, where there are any) gives an effective number of
    trials for Wilson's interval with Student's quantile, as for `auroc`: the interval of a mean is too short where few faces
    have large losses. Each bin counts with the middle of the losses possible in it, so binning can change the value by half of
    their mean range, at most 0.001.
    """
    n = counts.n.sum(axis=1)
    loss_p, range_p = _middle((1 - HIGH) ** 2, (1 - LOW) ** 2)
    loss_n, range_n = _middle(LOW**2, HIGH**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = (counts.positives @ loss_p + counts.negatives @ loss_n) / n
        error = (counts.positives @ range_p + counts.negatives @ range_n) / n
        parts = _Parts(*((loss - value[:, None]) / n[:, None] for loss in (loss_p, loss_n)))
    variance, size, degrees_of_freedom = _variance_of_mean(counts, parts)
    low, high = _effective(value, variance, size, degrees_of_freedom).limits((1 - confidence) / 2)
    return ScoreEstimates(value, low, high, error)


def expected_calibration_error(counts: ScoreCounts, generator: np.random.Generator, confidence: float = 0.95) -> ScoreEstimates:
    """Expected calibration error: mean over faces of |share of positives - mean score| of the calibration bin.

    The calibration bins are fixed and of nearly equal width (`CALIBRATION_EDGES`). The estimate is biased upward: it is above 0
    for a calibrated model, and larger with fewer faces.

    Parameters
    ----------
    counts
        Histograms.
    generator
        Source of randomness of the interval.
    confidence
        Of the two-sided interval.

    Notes
    -----
    The error is Σ |d| over bins, where d is the mean over all faces of truth minus score within the bin. That has no derivative
    where a d is 0, so the usual bootstrap fails for a nearly calibrated model. The interval is the directional delta method
    (Fang and Santos 2019, Rev. Econ. Stud. 86): the sampling error of a bin whose d is farther than 3 standard errors from 0
    enters with its sign, of any other bin with its size for the lower limit (which removes the bias) and with its sign for the
    upper limit (which is valid whether d is 0 or not). Sampling errors are normal, with the covariance of d over faces (over
    subjects, where there are any) and at least the variance that d has if the scores are calibrated: where none of many faces
    with low scores is a positive, the faces themselves do not vary.
    """
    n = counts.n.sum(axis=1)
    residual_p, residual_n = 1 - _MIDDLE, -_MIDDLE
    with np.errstate(invalid="ignore", divide="ignore"):
        d = _by_calibration_bin(counts.positives * residual_p + counts.negatives * residual_n) / n[:, None]
        error = (counts.n @ ((HIGH - LOW) / 2)) / n
    value = np.abs(d).sum(axis=1)
    root = _residual_root(counts, d)
    spread = np.sqrt((root**2).sum(axis=2))
    normal = generator.standard_normal((_RESAMPLES, d.shape[1]))
    sign = np.where(d < 0, -1.0, 1.0)
    certain = np.abs(d) > _CERTAIN_SIGN * spread
    low, high = np.full_like(value, np.nan), np.full_like(value, np.nan)
    tail = (1 - confidence) / 2
    for i in np.flatnonzero(n > 0):
        noise = normal @ root[i].T
        signed = noise * sign[i]
        low[i] = value[i] - np.quantile(np.where(certain[i], signed, np.abs(noise)).sum(axis=1), 1 - tail)
        high[i] = value[i] + normal_quantile(1 - tail) * np.sqrt(((sign[i] @ root[i]) ** 2).sum())
    return ScoreEstimates(value, np.clip(low, 0, value), np.clip(high, value, 1), error)


def reliability_curve(counts: ScoreCounts, confidence: float = 0.95) -> Reliability:
    """Mean score and share of positives in each calibration bin.

    Notes
    -----
    Wilson's interval of the share; with subjects, of as many trials as give the variance of the share over subjects, with
    Student's quantile.
    """
    positives, n = _by_calibration_bin(counts.positives), _by_calibration_bin(counts.n)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_score = _by_calibration_bin(counts.n * _MIDDLE) / n
        share = positives / n
    if counts.clusters is None:
        low, high = Estimates.of_counts(positives, n).limits((1 - confidence) / 2)
        return Reliability(mean_score, share, low, high, positives, n)
    low, high = np.full_like(share, np.nan), np.full_like(share, np.nan)
    for k in range(share.shape[1]):
        members = np.broadcast_to(np.asarray(k == _CALIBRATION_BIN, float), counts.n.shape)
        with np.errstate(invalid="ignore", divide="ignore"):
            parts = _Parts(*((y - share[:, [k]]) / n[:, [k]] * members for y in (1, 0)))
        estimate = _of_subjects(counts.clusters, share[:, k], n[:, k], parts, _Parts(members, members))
        low[:, k], high[:, k] = estimate.limits((1 - confidence) / 2)
    return Reliability(mean_score, share, low, high, positives, n)


def rates_at_threshold(
    counts: ScoreCounts, threshold: float, confidence: float = 0.95
) -> tuple[ScoreEstimates, ScoreEstimates]:
    """TPR and FPR of the decision ``score >= threshold``.

    Exact where the threshold is an edge of a score bin, such as every multiple of 0.001. Elsewhere half of the faces in the bin
    of the threshold count as above it, and `error` is half of their share.

    Notes
    -----
    Wilson's interval; with subjects, of as many trials as give the variance of the rate over subjects.

    Raises
    ------
    ValueError
        When the threshold is not in [0, 1].
    """
    if not 0 <= threshold <= 1:
        message = f"threshold is {threshold}; pass a number in [0, 1]"
        raise ValueError(message)
    above = np.asarray(threshold <= LOW, float)
    partly = (threshold > LOW) & ((threshold < HIGH) | (HIGH == 1))
    above[partly] = 0.5
    zeros, ones = np.zeros_like(counts.positives), np.ones_like(counts.positives)
    rates = []
    for is_positive in (True, False):
        faces = counts.positives if is_positive else counts.negatives
        n = faces.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            value, error = faces @ above / n, faces @ np.asarray(partly, float) / (2 * n)
            influence = (above - value[:, None]) / n[:, None]
        estimate = Estimates.of_counts(value * n, n)
        if counts.clusters is not None:
            parts = _Parts(influence, zeros) if is_positive else _Parts(zeros, influence)
            members = _Parts(ones, zeros) if is_positive else _Parts(zeros, ones)
            estimate = _of_subjects(counts.clusters, value, n, parts, members)
        rates.append(ScoreEstimates(value, *estimate.limits((1 - confidence) / 2), error))
    return rates[0], rates[1]


def score_rows(
    pairs: Sequence[tuple[str, tuple[str, ...], tuple[str, ...]]],
    counts: ScoreCounts,
    *,
    minimum: int,
    generator: np.random.Generator,
    scale: ScoreScale = "probability",
    confidence: float = 0.95,
) -> list[ScoreMetric]:
    """Every score-based metric of every pair, as rows.

    Parameters
    ----------
    pairs
        Label, grouping and group of each pair, in the order of `counts`.
    counts
        Histograms.
    minimum
        Positives and negatives below which a row has the status ``small``.
    generator
        Source of randomness of the interval of the calibration error.
    scale
        Whether the scores are probabilities; if not, only AUROC and average precision are estimable.
    confidence
        Confidence of the two-sided intervals.

    Notes
    -----
    The limits are those of the sampling error, widened by the bound of the error of binning.
    """
    metrics: dict[ScoreMetricName, ScoreEstimates | None] = {
        "auroc": auroc(counts, confidence),
        "average_precision": average_precision(counts, confidence),
        "brier_score": None,
        "expected_calibration_error": None,
    }
    if scale == "probability":
        metrics["brier_score"] = brier_score(counts, confidence)
        metrics["expected_calibration_error"] = expected_calibration_error(counts, generator, confidence)
    positives, negatives = counts.positives.sum(axis=1), counts.negatives.sum(axis=1)
    rows = []
    for i, (label, grouping, group) in enumerate(pairs):
        p, n = int(positives[i]), int(negatives[i])
        for metric, estimates in metrics.items():
            value = low = high = None
            status: ScoreStatus = "small" if min(p, n) < minimum else "ok"
            if estimates is None:
                status = "unbounded_scores"
            elif np.isnan(estimates.value[i]):
                status = "not_estimable"
            else:
                value, error = float(estimates.value[i]), float(estimates.error[i])
                low = max(float(estimates.low[i]) - error, 0.0)
                high = min(float(estimates.high[i]) + error, 1.0)
            rows.append(
                ScoreMetric(
                    label=label,
                    attribute=grouping,
                    group=group,
                    metric=metric,
                    value=value,
                    positives=p,
                    negatives=n,
                    low=low,
                    high=high,
                    status=status,
                )
            )
    return rows


def reliability_rows(
    pairs: Sequence[tuple[str, tuple[str, ...], tuple[str, ...]]], counts: ScoreCounts, confidence: float = 0.95
) -> list[ReliabilityBin]:
    """The reliability curve of every pair, as rows; empty calibration bins have none.

    Parameters
    ----------
    pairs
        Label, grouping and group of each pair, in the order of `counts`.
    counts
        Histograms of scores that are probabilities.
    confidence
        Confidence of the two-sided intervals.
    """
    curve = reliability_curve(counts, confidence)
    return [
        ReliabilityBin(
            label=label,
            attribute=grouping,
            group=group,
            bin_low=float(CALIBRATION_EDGES[k]),
            bin_high=float(CALIBRATION_EDGES[k + 1]),
            mean_score=float(curve.mean_score[i, k]),
            share=float(curve.share[i, k]),
            low=float(curve.low[i, k]),
            high=float(curve.high[i, k]),
            positives=int(curve.positives[i, k]),
            total=int(curve.n[i, k]),
        )
        for i, (label, grouping, group) in enumerate(pairs)
        for k in np.flatnonzero(curve.n[i])
    ]


def _effective(
    value: Floats, variance: Floats, least: Floats, degrees_of_freedom: Floats, most: Floats | float = np.inf
) -> Estimates:
    """Estimates with as many trials as give the variance: `least` where it is 0, never more than `most`."""
    with np.errstate(invalid="ignore", divide="ignore"):
        size = value * (1 - value) / variance
    size = np.where((variance > 0) & (size > 0), size, least)
    return Estimates(value, np.where(np.isnan(value), 0.0, np.clip(size, np.minimum(1, most), most)), degrees_of_freedom)


def _of_subjects(clusters: _Clusters, value: Floats, n: Floats, parts: _Parts, members: _Parts) -> Estimates:
    """A share of `n` faces whose sampling error is the sum of `parts`; `members` is 1 for the faces that it is a share of."""
    variance, subjects, degrees_of_freedom = clusters.variance(parts, members)
    return _effective(value, variance, subjects, degrees_of_freedom, n)


def _variance_of_mean(counts: ScoreCounts, parts: _Parts) -> tuple[Floats, Floats, Floats]:
    """Variance of a mean over faces, independent units (faces or subjects) and degrees of freedom, each (pairs,)."""
    if counts.clusters is not None:
        ones = np.ones_like(counts.positives)
        return counts.clusters.variance(parts, _Parts(ones, ones))
    n = counts.n.sum(axis=1)
    faces = np.concatenate([counts.positives, counts.negatives], axis=1)
    variance, spread = _variance_of_sum(faces, np.concatenate([parts.positives, parts.negatives], axis=1))
    return variance, n, _degrees_of_freedom(variance, spread)


def _variance_of_sum(faces: Floats, part: Floats) -> tuple[Floats, Floats]:
    """Variance of a sum of independent parts with mean zero, and the sampling variance of that variance; (pairs,) each."""
    n = faces.sum(axis=1)
    squares = np.where(faces > 0, part, 0.0) ** 2
    total = (faces * squares).sum(axis=1)
    return total * _unbiased(n), (faces * squares**2).sum(axis=1) - total**2 / np.maximum(n, 1)


def _degrees_of_freedom(variance: Floats, spread: Floats) -> Floats:
    """Satterthwaite's degrees of freedom, 2 variance² / Var(variance), at least 1.

    `spread` is the sum of the fourth powers of the parts less the square of the sum of their squares over their number: the
    sampling variance of the estimated variance. For normal parts that gives about their number, and far less where a few
    parts make up most of the variance, as where few faces are wrong.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where((spread > 0) & (variance > 0), np.maximum(2 * variance**2 / spread, 1), np.inf)


def _weighted_bincount(index: NDArray[np.int64], weights: Floats, length: int) -> Floats:
    # The type stubs of numpy give the type of a count without weights.
    return np.asarray(np.bincount(index, weights, length), np.float64)


def _unbiased(n: Floats) -> Floats:
    """Factor n / (n - 1), or 1 where n is below 2."""
    return np.where(n > 1, n / np.maximum(n - 1, 1), 1.0)


def _middle(one: Floats, other: Floats) -> tuple[Floats, Floats]:
    """Middle and half of the range between two numbers."""
    return (one + other) / 2, np.abs(one - other) / 2


def _by_calibration_bin(of_bins: Floats) -> Floats:
    """(pairs, BINS) summed to (pairs, 15)."""
    sums: Floats = np.add.reduceat(of_bins, _CALIBRATION_STARTS, axis=1)
    return sums


def _residual_root(counts: ScoreCounts, d: Floats) -> Floats:
    """(pairs, 15, 15) matrix square root of the covariance of the mean residuals `d` of the calibration bins.

    The variance of each is at least that under calibration.
    """
    bins = d.shape[1]
    n = counts.n.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        if counts.clusters is None:
            squares = _by_calibration_bin(counts.positives * (1 - _MIDDLE) ** 2 + counts.negatives * _MIDDLE**2) / n[:, None]
            covariance = squares[:, :, None] * np.eye(bins) - d[:, :, None] * d[:, None, :]
            covariance *= (_unbiased(n) / n)[:, None, None]
        else:
            covariance = counts.clusters.covariance(
                [
                    _Parts(
                        ((1 - _MIDDLE) * (k == _CALIBRATION_BIN) - d[:, [k]]) / n[:, None],
                        (-_MIDDLE * (k == _CALIBRATION_BIN) - d[:, [k]]) / n[:, None],
                    )
                    for k in range(bins)
                ]
            )
    values, vectors = np.linalg.eigh(np.nan_to_num(covariance))
    root: Floats = vectors * np.sqrt(np.maximum(values, 0))[:, None, :]
    variance = (root**2).sum(axis=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        calibrated = _by_calibration_bin(counts.n * _MIDDLE * (1 - _MIDDLE)) / n[:, None] ** 2
        scale = np.sqrt(np.where(variance > 0, np.maximum(calibrated / variance, 1), 1.0))
    return root * scale[:, :, None]


def _negatives_first(p: Floats, true: Floats, false: Floats) -> Floats:
    """(pairs,) sums of the precision at each positive if within each bin the negatives come first and no two faces are tied.

    In a bin with T positives and F negatives in the bins before and in it, that is the sum of i / (i + F) over its positives
    i = T - p + 1, ..., T, which is p - F (digamma(T + F + 1) - digamma(T - p + F + 1)).
    """
    from scipy import special  # slow to import

    harmonic = special.digamma(true + false + 1) - special.digamma(true - p + false + 1)
    sums: Floats = (p - false * harmonic).sum(axis=1)
    return sums


def _average_precision_influence(p: Floats, true: Floats, false: Floats, value: Floats, precision: Floats) -> _Parts:
    """Change of the average precision for one more positive or negative in each bin; bins in descending order.

    The derivative of Σ p T / (T + F) / Σ p, where T and F are the cumulative sums of positives and negatives: a face in a bin
    changes T or F of that bin and of all bins after it.
    """
    total = true + false
    with np.errstate(invalid="ignore", divide="ignore"):
        by_true = np.where(p > 0, p * false / total**2, 0.0)
        by_false = np.where(p > 0, -p * true / total**2, 0.0)
        after = [np.cumsum(a[:, ::-1], axis=1)[:, ::-1] for a in (by_true, by_false)]
        positives = true[:, [-1]]
        return _Parts((precision - value[:, None] + after[0]) / positives, after[1] / positives)


def _logit_interval(value: Floats, size: Floats, degrees_of_freedom: Floats, confidence: float) -> tuple[Floats, Floats]:
    """Logit interval of a proportion of `size` trials; Wilson's where the proportion is 0 or 1."""
    from scipy import special  # slow to import

    tail = (1 - confidence) / 2
    low, high = Estimates(value, size, degrees_of_freedom).limits(tail)
    z = np.where(
        np.isinf(degrees_of_freedom), normal_quantile(1 - tail), special.stdtrit(np.minimum(degrees_of_freedom, 1e9), 1 - tail)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        half = z / np.sqrt(size * value * (1 - value))
        below, above = (special.expit(special.logit(value) + side * half) for side in (-1, 1))
    inside = (value > 0) & (value < 1)
    return np.where(inside, below, low), np.where(inside, above, high)
