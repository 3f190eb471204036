"""Permutation tests of whether groups differ, computed on counts.

The statistic of a test is the largest of the studentized differences of all pairs of groups, and of each group vs. the rest
(max-T, Westfall and Young 1993). One permutation distribution gives the p-value of each comparison, adjusted for all
comparisons of the test, and the p-value of the test, which is the smallest of them.

The largest plain difference would not do: the smallest group has the largest difference by chance and would set the critical
value for all others.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fairfer.stats.comparisons import Comparisons, differences, score_statistics, with_rests
from fairfer.stats.conditional import conditional_gap, conditional_p, least_conditional_p
from fairfer.stats.intervals import normal_quantile

if TYPE_CHECKING:
    from fairfer.stats.intervals import Floats

Counts = NDArray[np.int64]
_HYPERGEOMETRIC_LIMIT = 1_000_000_000
"""numpy's hypergeometric generators accept fewer samples than this."""

_CHUNK = 4_000_000
"""Statistics held in memory at a time."""

_RELEVANT = 1.5
"""Statistics below this are never significant, so that their exact p-value is not computed."""

_LEAST_P = 1e-15
"""The normal quantile of a smaller p-value cannot be computed; it does not limit the statistic."""

_NO_ERROR = 1e-12
"""Standard errors below this are 0 except for rounding."""


@dataclass(frozen=True)
class PermutationResult:
    """Result of a test of the differences between groups.

    Attributes
    ----------
    expected
        Gap expected by chance: the quantile (95th percentile by default) of the largest minus the smallest rate under
        permutation.
    p
        p-value of the largest studentized difference: (1 + number of permutations in which it is at least as large) /
        (1 + permutations). Exact for two groups of independent samples.
    """

    expected: float
    p: float


class PermutationTest(ABC):
    """A test of all comparisons between some groups.

    Attributes
    ----------
    comparisons
        What is compared.
    difference
        (comparisons,) signed differences of the rates.
    scale
        (comparisons,) standard errors of the differences; 0 where nothing varies.
    observed
        (comparisons,) absolute studentized differences.
    effort
        How many times as long a permutation takes as one of independent samples, roughly.
    degrees_of_freedom
        Of the standard errors of the smallest group: how heavy the tail of the statistic is.
    """

    comparisons: Comparisons
    difference: Floats
    scale: Floats
    observed: Floats
    effort: ClassVar[int] = 1
    degrees_of_freedom: float = np.inf

    @property
    def exact_p(self) -> float | None:
        """Exact p-value, where no permutations are needed."""
        return None

    @property
    def least_p(self) -> float | None:
        """The smallest p-value possible with these margins, where it is known without permutations."""
        return None

    def expected_gap(self, quantile: float) -> float | None:
        """Quantile of the gap under permutation, where it is known without permutations."""
        del quantile
        return None

    @abstractmethod
    def draw(self, permutations: int) -> tuple[Floats, Floats]:
        """(permutations,) largest studentized difference, and gap, of further permutations."""

    def single(self, comparison: int) -> PermutationTest | None:
        """The test of one comparison with only its own samples.

        It has the right size whatever the rates of the other groups are. ``None`` where `observed` allows for that already.
        """
        del comparison
        return None


class SampleTest(PermutationTest):
    """Test of groups of independent samples.

    Parameters
    ----------
    hits, trials
        (groups,) counts of at least two groups, each with at least one trial.
    generator
        Source of randomness.

    Notes
    -----
    Under permutation of membership the hits of the groups are multivariate hypergeometric. They are drawn directly, so the cost
    does not depend on the number of samples. For two groups the p-value is computed without drawing.

    The permutation distribution describes groups that all have one rate. Where some differ, the distribution of the statistic
    of two groups that do not differ is another in small samples (subset pivotality holds only in large ones). So no observed
    statistic counts for more than the normal quantile of its own exact conditional p-value, which does not depend on other
    groups.
    """

    def __init__(self, hits: ArrayLike, trials: ArrayLike, generator: np.random.Generator) -> None:
        self._hits, self._trials = np.asarray(hits, np.int64), np.asarray(trials, np.int64)
        self._generator = generator
        self.comparisons = Comparisons.of(len(self._trials))
        k, n = with_rests(self._hits), with_rests(self._trials)
        self.difference = differences(k / n, self.comparisons)
        raw = score_statistics(self._hits, self._trials, self.comparisons)
        self.scale = np.divide(np.abs(self.difference), raw, out=np.zeros_like(raw), where=raw > 0)
        self._p = np.ones(len(raw))
        for c in np.flatnonzero(raw >= _RELEVANT) if len(raw) > 1 else range(1):
            one, other = self.comparisons.one[c], self.comparisons.other[c]
            self._p[c] = conditional_p(int(k[one]), int(n[one]), int(k[other]), int(n[other]))
        capped = [normal_quantile(1 - p / 2) if _LEAST_P < p < 1 else (0.0 if p >= 1 else np.inf) for p in self._p]
        self.observed = np.where(raw >= _RELEVANT, np.minimum(raw, capped), raw)

    @property
    def exact_p(self) -> float | None:
        """Of the only pair."""
        return float(self._p[0]) if len(self.comparisons) == 1 else None

    @property
    def least_p(self) -> float | None:
        """Of the only pair."""
        if len(self.comparisons) > 1:
            return None
        return least_conditional_p(int(self._trials[0]), int(self._trials[1]), int(self._hits.sum()))

    def expected_gap(self, quantile: float) -> float | None:
        """Of the only pair."""
        if len(self.comparisons) > 1:
            return None
        return conditional_gap(int(self._trials[0]), int(self._trials[1]), int(self._hits.sum()), quantile)

    def draw(self, permutations: int) -> tuple[Floats, Floats]:
        """Largest studentized difference, and gap, of further permutations."""
        largest, gaps = np.empty(permutations), np.empty(permutations)
        for part in chunks(permutations, len(self.comparisons)):
            hits = _permuted_hits(self._hits, self._trials, part.stop - part.start, self._generator)
            largest[part] = score_statistics(hits, self._trials, self.comparisons).max(axis=1)
            gaps[part] = np.ptp(hits / self._trials, axis=1)
        return largest, gaps


class StratifiedTest(PermutationTest):
    """Test of directly standardized rates: membership is permuted within each stratum.

    Parameters
    ----------
    hits, trials
        (strata, groups) counts, with at least one trial everywhere.
    weights
        (strata,) common weights, which sum to 1.
    generator
        Source of randomness.
    """

    def __init__(self, hits: Counts, trials: Counts, weights: Floats, generator: np.random.Generator) -> None:
        self._hits, self._trials, self._weights, self._generator = hits, trials, weights, generator
        self.comparisons = Comparisons.of(hits.shape[1], rest=False)
        rates, self.scale = self._rates_and_scale(hits[:, None, :].astype(float))
        self.scale, rates = self.scale[0], rates[0]
        self.difference = differences(rates, self.comparisons)
        self.observed = _ratio(np.abs(self.difference), self.scale)

    def _rates_and_scale(self, hits: Floats) -> tuple[Floats, Floats]:
        """(draws, groups) standardized rates and (draws, comparisons) standard errors with the rate pooled in each stratum."""
        one, other = self.comparisons.one, self.comparisons.other
        rates = np.zeros(hits.shape[1:])
        variance = np.zeros((hits.shape[1], len(self.comparisons)))
        for k, n, weight in zip(hits, self._trials, self._weights, strict=True):
            rates += weight * k / n
            pooled = (k[:, one] + k[:, other]) / (n[one] + n[other])
            variance += weight**2 * pooled * (1 - pooled) * (1 / n[one] + 1 / n[other])
        return rates, np.sqrt(np.maximum(variance, 0))

    def draw(self, permutations: int) -> tuple[Floats, Floats]:
        """Largest studentized difference, and gap, of further permutations."""
        largest, gaps = np.empty(permutations), np.empty(permutations)
        for part in chunks(permutations, len(self.comparisons) * len(self._hits)):
            count = part.stop - part.start
            hits = np.stack(
                [
                    _permuted_hits(k, n, count, self._generator).astype(float)
                    for k, n in zip(self._hits, self._trials, strict=True)
                ]
            )
            rates, scale = self._rates_and_scale(hits)
            largest[part] = _ratio(np.abs(differences(rates, self.comparisons)), scale).max(axis=1)
            gaps[part] = np.ptp(rates, axis=1)
        return largest, gaps


class ParametricTest(PermutationTest):
    """Test of rates of which only standard errors are available: Student's t instead of permutation.

    Parameters
    ----------
    rate, error, degrees_of_freedom
        (groups,) rates, their standard errors and the degrees of freedom of those.
    generator
        Source of randomness.
    """

    def __init__(self, rate: Floats, error: Floats, degrees_of_freedom: Floats, generator: np.random.Generator) -> None:
        self._error, self._degrees_of_freedom, self._generator = error, degrees_of_freedom, generator
        self.comparisons = Comparisons.of(len(rate), rest=False)
        self.difference = differences(rate, self.comparisons)
        self.scale = np.hypot(error[self.comparisons.one], error[self.comparisons.other])
        self.observed = _ratio(np.abs(self.difference), self.scale)

    def draw(self, permutations: int) -> tuple[Floats, Floats]:
        """Largest studentized difference, and gap, of further simulated rates."""
        largest, gaps = np.empty(permutations), np.empty(permutations)
        for part in chunks(permutations, len(self.comparisons)):
            size = (part.stop - part.start, len(self._error))
            rates = self._generator.standard_t(self._degrees_of_freedom, size=size) * self._error
            largest[part] = _ratio(np.abs(differences(rates, self.comparisons)), self.scale).max(axis=1)
            gaps[part] = np.ptp(rates, axis=1)
        return largest, gaps


def permutation_test(
    hits: ArrayLike, trials: ArrayLike, *, permutations: int, generator: np.random.Generator, confidence: float = 0.95
) -> PermutationResult:
    """Permutation test of the differences between groups of independent samples (see `SampleTest`).

    Parameters
    ----------
    hits, trials
        (groups,) counts of at least two groups, each with at least one trial.
    permutations
        Number of permutations.
    generator
        Source of randomness.
    confidence
        Quantile of the gap under permutation that is reported as the gap expected by chance.
    """
    return run_test(SampleTest(hits, trials, generator), permutations, confidence)


def stratified_permutation_test(
    hits: Counts,
    trials: Counts,
    weights: Floats,
    *,
    permutations: int,
    generator: np.random.Generator,
    confidence: float = 0.95,
) -> PermutationResult:
    """As `permutation_test`, for directly standardized rates (see `StratifiedTest`)."""
    return run_test(StratifiedTest(hits, trials, weights, generator), permutations, confidence)


def parametric_gap_test(
    rate: Floats,
    error: Floats,
    degrees_of_freedom: Floats,
    *,
    permutations: int,
    generator: np.random.Generator,
    confidence: float = 0.95,
) -> PermutationResult:
    """As `permutation_test`, for rates of which only standard errors are available (see `ParametricTest`)."""
    return run_test(ParametricTest(rate, error, degrees_of_freedom, generator), permutations, confidence)


def run_test(test: PermutationTest, permutations: int, confidence: float = 0.95) -> PermutationResult:
    """Result of one test with a fixed number of permutations."""
    p, expected = test.exact_p, test.expected_gap(confidence)
    if p is None or expected is None:
        largest, gaps = test.draw(permutations)
        expected = float(np.quantile(gaps, confidence))
        p = (1 + int((largest >= test.observed.max() - TIE).sum())) / (1 + permutations)
    return PermutationResult(expected, p)


TIE = 1e-9
"""Statistics that differ by less are equal except for rounding."""


def chunks(permutations: int, width: int) -> Iterator[slice]:
    """Slices of a number of permutations, each of which has a table of `width` columns that fits into memory."""
    step = max(1, _CHUNK // max(width, 1))
    for start in range(0, permutations, step):
        yield slice(start, min(start + step, permutations))


def _ratio(value: Floats, scale: Floats) -> Floats:
    """``value / scale``; 0 where the scale is 0, because then nothing varies."""
    wide = np.broadcast_to(scale, value.shape)
    ratio: Floats = np.divide(value, wide, out=np.zeros_like(value), where=wide > _NO_ERROR)
    return ratio


def _permuted_hits(hits: Counts, trials: Counts, permutations: int, generator: np.random.Generator) -> Counts | Floats:
    """(permutations, groups) hits after random reassignment of the samples to the groups."""
    if trials.sum() < _HYPERGEOMETRIC_LIMIT:
        permuted: Counts = generator.multivariate_hypergeometric(trials, int(hits.sum()), size=permutations, method="marginals")
        return permuted
    # With this many samples the rates are normal. Their correlation is a shift common to all groups, which no difference
    # depends on.
    pooled = hits.sum() / trials.sum()
    normal: Floats = trials * (
        pooled + generator.standard_normal((permutations, len(trials))) * np.sqrt(pooled * (1 - pooled) / trials)
    )
    return normal
