"""Exact conditional test of two proportions: the distribution of the hits of one group, given those of both together."""

from __future__ import annotations

import math

import numpy as np

from fairfer.stats.intervals import Floats, normal_quantile

_EXACT_VARIANCE = 1e6
"""Hypergeometric variance above which the normal approximation replaces the sum of probabilities."""

_TAIL = 14.0
"""Standard deviations around the mean that are summed; less than 1e-40 of the probability is beyond them."""


def conditional_p(hits: int, trials: int, other_hits: int, other_trials: int) -> float:
    """Two-sided p-value of equal proportions in two groups, given the margins.

    Parameters
    ----------
    hits, trials, other_hits, other_trials
        Counts of both groups, each with at least one trial.

    Returns
    -------
    float
        Probability of a difference at least as large as the observed one; 1 where nothing can vary.

    Notes
    -----
    Fisher's exact test with outcomes ordered by their distance from the expected number of hits. With fixed margins this is the
    order of the score statistic, so the p-value is that of the permutation test of two groups, without drawing permutations.
    """
    distribution = conditional_distribution(trials, other_trials, hits + other_hits)
    mean = trials * (hits + other_hits) / (trials + other_trials)
    distance = abs(hits - mean)
    if distribution is None:
        deviation = math.sqrt(conditional_variance(trials, other_trials, hits + other_hits))
        return math.erfc(distance / deviation / math.sqrt(2))
    values, probability = distribution
    # The probability of the observed counts is above 0, even where it is too small for a double.
    return min(max(float(probability[np.abs(values - mean) >= distance - 1e-9].sum()), np.finfo(float).tiny), 1.0)


def least_conditional_p(trials: int, other_trials: int, total_hits: int) -> float:
    """The smallest p-value that `conditional_p` can take with these margins."""
    lowest, highest = max(0, total_hits - other_trials), min(trials, total_hits)
    return min(conditional_p(k, trials, total_hits - k, other_trials) for k in (lowest, highest))


def conditional_gap(trials: int, other_trials: int, total_hits: int, quantile: float) -> float:
    """Quantile of the absolute difference of both rates, given the margins."""
    distribution = conditional_distribution(trials, other_trials, total_hits)
    scale = 1 / trials + 1 / other_trials
    mean = trials * total_hits / (trials + other_trials)
    if distribution is None:
        deviation = math.sqrt(conditional_variance(trials, other_trials, total_hits))
        return normal_quantile((1 + quantile) / 2) * deviation * scale
    values, probability = distribution
    gaps = np.abs(values - mean) * scale
    order = np.argsort(gaps, kind="stable")
    reached = np.cumsum(probability[order]) >= quantile - 1e-12
    return float(gaps[order][int(np.argmax(reached))]) if reached.any() else float(gaps.max())


def conditional_variance(trials: int, other_trials: int, total_hits: int) -> float:
    """Variance of the hits of the first group, given the margins."""
    total = trials + other_trials
    return trials * other_trials / total * (total_hits / total) * (total - total_hits) / max(total - 1, 1)


def conditional_distribution(trials: int, other_trials: int, total_hits: int) -> tuple[Floats, Floats] | None:
    """Hits of the first group and their probabilities; ``None`` where there are so many that they are normal."""
    variance = conditional_variance(trials, other_trials, total_hits)
    if variance > _EXACT_VARIANCE:
        return None
    from scipy import special

    mean = trials * total_hits / (trials + other_trials)
    reach = _TAIL * math.sqrt(variance) + 50
    low = max(0, total_hits - other_trials, math.floor(mean - reach))
    high = min(trials, total_hits, math.ceil(mean + reach))
    k = np.arange(low, high + 1, dtype=float)

    def log_binomial(n: float, chosen: Floats) -> Floats:
        return np.asarray(special.gammaln(n + 1) - special.gammaln(chosen + 1) - special.gammaln(n - chosen + 1), float)

    log = log_binomial(trials, k) + log_binomial(other_trials, total_hits - k)
    weight = np.exp(log - log.max())
    return k, weight / weight.sum()
