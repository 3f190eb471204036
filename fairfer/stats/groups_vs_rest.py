"""Tests of each group against the rest: exact for independent samples, by permutation for subjects.

The statistic is the largest absolute score statistic of any group against all others. Its null distribution is that of randomly
reassigned samples (or subjects), so the groups' sizes, and not only the largest gap, decide what is unusual.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fairfer.stats.chance import permuted_sums

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from fairfer.stats.intervals import Floats

_LONG = 400
"""From this length on, a convolution by Fourier transform is faster."""

_FAR = 12.0
"""Standard deviations beyond which a probability is negligible."""

_SMALLEST_P = 1e-11
"""Smaller p-values are beyond the precision of the computation."""

_TIE = 1e-8
"""Statistics that differ by less are equal except for rounding."""

_STEPS = 40
"""Bisections of a critical value."""

_ENOUGH = 100
"""Permutations are drawn until this many of them reach the observed statistic; more do not change a decision."""

_BATCH = 1000


@dataclass(frozen=True)
class GroupsVsRest:
    """Result of a test of the groups against the rest.

    Attributes
    ----------
    statistic
        (groups,) score statistics; positive where the group has the higher rate.
    p
        Probability under random reassignment that the largest absolute statistic is at least as large as the observed one.
    least_p
        Smallest p-value that the sizes and the total number of hits allow.
    """

    statistic: Floats
    p: float
    least_p: float


def groups_vs_rest(hits: ArrayLike, trials: ArrayLike) -> GroupsVsRest:
    """Exact permutation test of each group against the rest.

    Parameters
    ----------
    hits, trials
        (groups,) counts of at least two groups, each with at least one trial.

    Notes
    -----
    Under permutation the hits of the groups are multivariate hypergeometric: independent binomial counts, given their sum. So
    the probability that every group stays within its limits is one entry of a convolution of truncated binomial distributions.
    There is no Monte-Carlo error, and the result does not depend on a seed. With two groups this is the two-sided exact test of
    Fisher, ordered by the difference of the rates.
    """
    k, n = np.asarray(hits, np.int64), np.asarray(trials, np.int64)
    total, successes = int(n.sum()), int(k.sum())
    if successes in (0, total):
        return GroupsVsRest(np.zeros(len(k)), 1.0, 1.0)
    expected, scale, largest = _margins(n, successes)
    statistic = (k - expected) / scale
    p = _reaching(float(np.abs(statistic).max()), n, successes, expected, scale)
    return GroupsVsRest(statistic, p, _reaching(largest, n, successes, expected, scale))


def critical_vs_rest(hits: ArrayLike, trials: ArrayLike, level: float) -> float:
    """Critical value of the statistic of `groups_vs_rest`: one that is larger has a p-value of at most `level`.

    Parameters
    ----------
    hits, trials
        (groups,) counts of at least two groups, not all or none of which are hits.
    level
        Level of the test.

    Returns
    -------
    float
        Infinite if no outcome with these margins has such a p-value.
    """
    n, successes = np.asarray(trials, np.int64), int(np.asarray(hits, np.int64).sum())
    expected, scale, largest = _margins(n, successes)
    if _reaching(largest, n, successes, expected, scale) > level:
        return float("inf")
    below, above = 0.0, largest
    for _ in range(_STEPS):
        middle = (below + above) / 2
        is_critical = _reaching(middle, n, successes, expected, scale) <= level
        below, above = (below, middle) if is_critical else (middle, above)
    possible = [np.abs(np.arange(min(m, successes) + 1) - e) / d for m, e, d in zip(n, expected, scale, strict=True)]
    # Of the values between two possible statistics, all of which make the same decision, the largest gives the widest limits.
    return float(min(v[v >= above].min(initial=largest) for v in possible)) - _TIE


def _margins(trials: NDArray[np.int64], successes: int) -> tuple[Floats, Floats, float]:
    """Expected hits and their standard deviations, and the largest possible statistic."""
    total = int(trials.sum())
    expected = (trials * (successes / total)).astype(np.float64)
    variance = trials * (total - trials) / total * (successes / total) * (1 - successes / total)
    scale = np.sqrt(variance).astype(np.float64)
    fewest, most = np.maximum(0, successes - (total - trials)), np.minimum(trials, successes)
    return expected, scale, float((np.maximum(expected - fewest, most - expected) / scale).max())


def _reaching(limit: float, trials: NDArray[np.int64], successes: int, expected: Floats, scale: Floats) -> float:
    """Probability that some group's absolute statistic is at least `limit`."""
    from scipy import signal, special  # slow to import

    rate = successes / int(trials.sum())

    def binomial(x: NDArray[np.int64], n: int) -> Floats:
        logarithm = special.gammaln(n + 1) - special.gammaln(x + 1) - special.gammaln(n - x + 1)
        probability: Floats = np.exp(logarithm + x * np.log(rate) + (n - x) * np.log1p(-rate))
        return probability

    start, within = 0, np.ones(1)
    for n, center, width in zip(trials, expected, scale, strict=True):
        # A statistic that equals the observed one except for rounding reaches it.
        reach = min(limit * width - 1e-9 * max(width, 1.0), _FAR * np.sqrt(n * rate * (1 - rate)) + _FAR)
        low, high = max(0, int(np.ceil(center - reach))), min(int(n), successes, int(np.floor(center + reach)))
        if high < low:
            return 1.0
        term = binomial(np.arange(low, high + 1), int(n))
        long = min(len(within), len(term)) > _LONG
        within = signal.fftconvolve(within, term) if long else np.convolve(within, term)
        start += low
    if not start <= successes < start + len(within):
        return 1.0
    share = float(within[successes - start]) / float(binomial(np.array([successes]), int(trials.sum()))[0])
    return min(max(1 - share, _SMALLEST_P), 1.0)


def subjects_vs_rest(
    member: ArrayLike, hits: ArrayLike, trials: ArrayLike, *, permutations: int, generator: np.random.Generator
) -> list[GroupsVsRest]:
    """As `groups_vs_rest`, for samples that share subjects, and for several kinds of hits at once.

    Parameters
    ----------
    member
        (units,) number of each unit's group. A unit is the samples of one subject in one group.
    hits
        (units, kinds) hits of each kind; the kinds share the permutations.
    trials
        (units,) samples, at least one each.
    permutations
        Largest number of permutations. Fewer are drawn when for every kind enough of them reach the observed statistic.
    generator
        Source of randomness.

    Returns
    -------
    list of GroupsVsRest
        One per kind. `least_p` is 1 without hits, or when every sample is a hit, else 1 / (1 + permutations).

    Notes
    -----
    Subjects are reassigned with all of their samples. Groups may differ in the number of samples per subject, so the statistic
    is studentized (Chung and Romano 2013, Ann. Stat. 41): the variance is the sum of squared residuals of the units from the
    pooled rate, in the group and in the rest. With few subjects that alone rejects a true hypothesis too often (in up to 9 % of
    simulations), so the p-value is the larger of this test's and that of the sums of residuals as they are.
    """
    group, k, n = np.asarray(member, np.int64), np.asarray(hits, float), np.asarray(trials, float)
    rate = k.sum(axis=0) / n.sum()
    residual = k - rate * n[:, None]
    values = np.concatenate([residual, residual**2, n[:, None]], axis=1)
    groups, kinds = int(group.max()) + 1, k.shape[1]
    totals = (residual**2).sum(axis=0)
    units = np.bincount(group, minlength=groups)[:, None]
    plain_error = np.sqrt(units * (len(group) - units) * np.where(totals > 0, totals, 1.0)) / len(group)
    sums = permuted_sums(group, values, groups, None, 1)[0]
    observed = _studentized(sums, totals, float(n.sum()), kinds)
    largest = np.stack([np.abs(observed).max(axis=0), np.abs(sums[:, :kinds] / plain_error).max(axis=0)])
    varies = (rate > 0) & (rate < 1)
    reached, drawn = np.zeros((2, kinds), np.int64), 0
    while drawn < permutations and (reached.max(axis=0)[varies] < _ENOUGH).any():
        size = min(_BATCH, permutations - drawn)
        sums = permuted_sums(group, values, groups, generator, size)
        null = np.abs(_studentized(sums, totals, float(n.sum()), kinds)).max(axis=1)
        plain = np.abs(sums[..., :kinds] / plain_error).max(axis=1)
        reached += np.stack([(null >= largest[0] - 1e-9).sum(axis=0), (plain >= largest[1] - 1e-9).sum(axis=0)])
        drawn += size
    p = np.where(varies, (1 + reached.max(axis=0)) / (1 + drawn), 1.0)
    least = np.where(varies, 1 / (1 + permutations), 1.0)
    return [GroupsVsRest(observed[:, i], float(p[i]), float(least[i])) for i in range(kinds)]


def _studentized(sums: Floats, totals: Floats, trials: float, kinds: int) -> Floats:
    """(..., groups, kinds) statistics, from sums over units of residuals, squared residuals and trials."""
    residual, square, size = sums[..., :kinds], sums[..., kinds : 2 * kinds], sums[..., 2 * kinds :]
    share = size / trials
    variance = (1 - share) ** 2 * square + share**2 * (totals - square)
    return np.divide(residual, np.sqrt(variance), out=np.zeros_like(residual), where=variance > 0)
