"""Rates of samples that share subjects: the subject, not the sample, is the unit of variation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fairfer.stats.intervals import Estimates, Floats

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

RESAMPLES = 1000
_CHUNK = 4_000_000
"""Weights held in memory at a time, so that memory does not grow with the number of subjects."""


def estimate_by_subjects(
    hits: ArrayLike, trials: ArrayLike, *, generator: np.random.Generator, resamples: int = RESAMPLES
) -> Estimates:
    """Rates of one group of subjects, with effective sizes from a bootstrap of the subjects.

    Parameters
    ----------
    hits, trials
        (subjects, rates) counts of each subject.
    generator
        Source of randomness.
    resamples
        Bootstrap resamples of the subjects.

    Returns
    -------
    Estimates
        (rates,): Σ hits / Σ trials, the effective number of trials, and one degree of freedom less than subjects with any
        trial; where some have many more trials than others, than the number of equally large subjects (Kish 1965).

    Notes
    -----
    The bootstrap gives the variance of the ratio. The effective size is rate (1 - rate) / variance, for Wilson's interval
    with Student's quantile (Korn and Graubard 1998, Surv. Methodol. 24, who use Clopper and Pearson's interval). The
    percentile bootstrap is too narrow with few subjects, and gives [1, 1] where no subject has an error; there, each subject
    counts as one trial. Samples of one subject may agree less than those of different subjects; then the interval is that of
    independent samples, not a narrower one.
    """
    k, n = np.asarray(hits, float), np.asarray(trials, float)
    total = n.sum(axis=0)
    subjects = (n > 0).sum(axis=0).astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = k.sum(axis=0) / total
    variance = _variance(k, n, resamples, generator)
    with np.errstate(invalid="ignore", divide="ignore"):
        # The variance of the bootstrap is (subjects - 1) / subjects of the unbiased one.
        variance = variance * subjects / (subjects - 1)
        size = rate * (1 - rate) / variance
        equal_subjects = total * total / (n * n).sum(axis=0)
    # Without variation between subjects, each of them is one trial.
    size = np.where(np.isfinite(size) & (size > 0), np.clip(size, np.minimum(1, total), total), subjects)
    return Estimates(rate, np.where(total > 0, size, 0.0), np.where(total > 0, np.maximum(equal_subjects - 1, 1), 1.0))


def resampled_sums(
    rows: Floats, resamples: int, generator: np.random.Generator, weights: Floats | None = None, size: int | None = None
) -> Floats:
    """Sums of rows drawn with replacement.

    Parameters
    ----------
    rows
        (rows, columns) numbers to sum.
    resamples
        Number of resamples.
    generator
        Source of randomness.
    weights
        (rows,) relative probability of each row; equal by default.
    size
        Rows per resample; the number of rows by default.

    Returns
    -------
    ndarray
        (resamples, columns).
    """
    probability = np.full(len(rows), 1 / len(rows)) if weights is None else weights / weights.sum()
    drawn = len(rows) if size is None else size
    step = max(1, _CHUNK // len(rows))
    sums = [
        generator.multinomial(drawn, probability, size=min(step, resamples - start)).astype(float) @ rows
        for start in range(0, resamples, step)
    ]
    return np.concatenate(sums)


def variance_by_subjects(residuals: Floats, subject: NDArray[np.int64]) -> tuple[float, int]:
    """Cluster-robust variance of a sum of residuals, and the number of subjects.

    The sandwich estimator of survey statistics: the sum over subjects of (sum of their residuals)², times
    subjects / (subjects - 1) (Cochran 1977, Sampling Techniques, 11.7).

    Parameters
    ----------
    residuals
        (samples,) residuals with mean zero.
    subject
        (samples,) number of the subject of each sample.
    """
    sums = np.bincount(np.unique(subject, return_inverse=True)[1], residuals)
    subjects = len(sums)
    return float((sums**2).sum() * subjects / max(subjects - 1, 1)), subjects


def estimate_ratio(hits: Floats, trials: Floats, subject: NDArray[np.int64], maximum_size: float) -> Estimates:
    """Ratio of weighted sums of parts that share subjects.

    Parameters
    ----------
    hits, trials
        (parts,) weighted counts.
    subject
        (parts,) number of the subject of each part.
    maximum_size
        Effective size if every sample showed another subject, which the result does not exceed.

    Returns
    -------
    Estimates
        Of shape ().
    """
    total = float(trials.sum())
    if total <= 0:
        return Estimates(np.array(np.nan), np.array(0.0), np.array(1.0))
    rate = min(max(float(hits.sum()) / total, 0.0), 1.0)
    variance, subjects = variance_by_subjects((hits - rate * trials) / total, subject)
    per_subject = np.bincount(np.unique(subject, return_inverse=True)[1], trials)
    equal_subjects = total * total / float((per_subject**2).sum())
    # Without variation between subjects, each of them is one trial.
    size = rate * (1 - rate) / variance if variance > 0 and 0 < rate < 1 else float(subjects)
    return Estimates(np.array(rate), np.array(min(max(size, 1.0), maximum_size)), np.array(max(equal_subjects - 1, 1.0)))


def _variance(k: Floats, n: Floats, resamples: int, generator: np.random.Generator) -> Floats:
    """Variance of Σ k / Σ n over resamples of the rows, without the resamples that have no trials."""
    if not len(k):
        return np.full(k.shape[1], np.nan)
    split = k.shape[1]
    sums = resampled_sums(np.concatenate([k, n], axis=1), resamples, generator)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = sums[:, :split] / sums[:, split:]
    defined = np.isfinite(ratios)
    count = defined.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(defined, ratios, 0).sum(axis=0) / count
        variance: Floats = np.where(defined, (ratios - mean) ** 2, 0).sum(axis=0) / count
    return variance
