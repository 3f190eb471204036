"""Families of permutation tests: which are significant with a controlled false discovery rate.

The tests are drawn sequentially: those whose decision could still change with more permutations get more, so that the random
numbers do not decide (Gandy and Hahn 2014, Scand. J. Stat. 41).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fairfer.stats.intervals import Floats, normal_quantile
from fairfer.stats.multiple_testing import benjamini_hochberg
from fairfer.stats.permutation import TIE, PermutationTest

LEVEL = 0.05
"""False discovery rate, and significance level of FDR-adjusted p-values."""

MAXIMUM_PERMUTATIONS = 1_000_000
"""Permutations after which a test that is still undecided is called borderline."""

_SMALLER = 10
"""Which groups of a significant gap differ is decided with at most this part of the maximum, as there are many comparisons."""

_RISK = 1e-4
"""Probability that the limits of a p-value, from some number of permutations, do not contain the exact p-value."""

_LEAST_TIES = 20
"""The most extreme outcome must have occurred this often for its probability to be known."""

_FACTOR = 4
_TAIL_DRAWS = 50
"""A quantile with fewer permutations beyond it is extrapolated."""

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class ResolvedTest:
    """Result of one test of a family.

    Attributes
    ----------
    p, q
        p-value of the test, and FDR-adjusted over the family; ``None`` where the test is no member, because no outcome with
        these margins would be significant.
    significant, borderline
        Whether q is less than the level; whether this could still change with more permutations.
    expected
        Gap expected by chance.
    adjusted
        (comparisons,) p-values adjusted for all comparisons of the test.
    significant_comparisons
        (comparisons,) whether each is significant: adjusted p-value below the level times the share of significant tests
        (Benjamini and Bogomolov 2014, J. R. Stat. Soc. B 76).
    critical
        Critical value of the studentized differences at that level; for a test that is not significant, at the level at which
        it would be, if its p-value alone were smaller.
    """

    p: float | None
    q: float | None
    significant: bool
    borderline: bool
    expected: float
    adjusted: Floats
    significant_comparisons: Flags
    critical: float


def resolve(
    tests: Sequence[PermutationTest],
    *,
    permutations: int,
    confidence: float = 0.95,
    level: float = LEVEL,
    maximum: int = MAXIMUM_PERMUTATIONS,
) -> list[ResolvedTest]:
    """Decide a family of tests.

    Parameters
    ----------
    tests
        The tests, each with its own source of randomness.
    permutations
        Number of permutations of each test to begin with.
    confidence
        Quantile of the gap under permutation that is reported as the gap expected by chance.
    level
        False discovery rate.
    maximum
        Number of permutations after which a test that is still undecided is called borderline. Tests of subjects, whose
        permutations take longer, get a smaller number (see `PermutationTest.effort`).

    Returns
    -------
    list of ResolvedTest
        In the order of the tests.

    Notes
    -----
    Benjamini and Hochberg (1995) over the p-values of the tests; within those that are significant, comparisons at the level
    times the share of significant tests. A test is no member of the family where even its most extreme outcome is not
    significant by itself (Tarone 1990, Biometrics 46): this depends on the margins only, so it does not bias the others.
    """
    runs = [_Run.of(t, permutations) for t in tests]
    members = [r for r in runs if r.is_member(level)]
    while True:
        undecided = _undecided(members, level, permutations)
        open_runs = []
        for run, (test_is_open, comparison_is_open) in zip(members, undecided, strict=True):
            most = max(maximum // run.test.effort, permutations)
            most = most if test_is_open else max(most // _SMALLER, permutations)
            if (test_is_open or comparison_is_open) and run.draws < most:
                open_runs.append((run, min(run.draws * (_FACTOR - 1), most - run.draws)))
        if not open_runs:
            break
        for run, further in open_runs:
            run.extend(further)
    q = benjamini_hochberg([r.p for r in members])
    number = int((q < level).sum())
    results = {}
    for run, value, (is_open, _) in zip(members, q, undecided, strict=True):
        results[id(run)] = run.result(float(value), level, number, len(members), borderline=is_open, confidence=confidence)
    return [results[id(r)] if id(r) in results else r.no_member(confidence) for r in runs]


def _undecided(members: Sequence[_Run], level: float, permutations: int) -> list[tuple[bool, bool]]:
    """Whether the decision on each test, and on one of its comparisons, could change with more permutations."""
    limits = [r.limits() for r in members]
    q = benjamini_hochberg([r.p for r in members])
    certain = benjamini_hochberg([float(high.min()) for _, high in limits]) < level
    possible = benjamini_hochberg([float(low.min()) for low, _ in limits]) < level
    threshold = level * int((q < level).sum()) / max(len(members), 1)
    flags = []
    for i, run in enumerate(members):
        comparison = False
        if q[i] < level:
            run.add_single_tests(threshold, permutations)
            low, high = run.limits()
            comparison = bool(((low < threshold) != (high < threshold)).any())
        flags.append((bool(possible[i] != certain[i]), comparison))
    return flags


@dataclass
class _Run:
    """A test with the permutations drawn so far."""

    test: PermutationTest
    reached: NDArray[np.int64]
    draws: int = 0
    largest: list[Floats] = field(default_factory=list)
    gaps: Floats = field(default_factory=lambda: np.zeros(0))
    singles: dict[int, _Run] = field(default_factory=dict)

    @classmethod
    def of(cls, test: PermutationTest, permutations: int) -> _Run:
        run = cls(test, np.zeros(len(test.comparisons), np.int64))
        if test.exact_p is None:
            run.extend(permutations)
        return run

    def extend(self, permutations: int) -> None:
        largest, gaps = self.test.draw(permutations)
        ordered = np.sort(largest)
        self.reached = self.reached + permutations - np.searchsorted(ordered, self.test.observed - TIE)
        self.draws += permutations
        self.largest.append(largest)
        if not len(self.gaps):
            # The quantile of the gap is only shown; it does not depend on how long the test is drawn.
            self.gaps = gaps
        for single in self.singles.values():
            single.extend(permutations)

    def is_member(self, level: float) -> bool:
        least = self.test.least_p
        if least is None:
            largest = np.concatenate(self.largest)
            ties = int((largest >= largest.max() - TIE).sum())
            least = ties / len(largest) if ties >= _LEAST_TIES else 0.0
        return least <= level

    @property
    def p(self) -> float:
        """p-value of the test."""
        return float(self.adjusted().min())

    def adjusted(self) -> Floats:
        """p-value of each comparison."""
        if self.test.exact_p is not None:
            return np.array([self.test.exact_p])
        p: Floats = (1 + self.reached) / (1 + self.draws)
        for c, single in self.singles.items():
            p[c] = max(p[c], single.p)
        return p

    def limits(self) -> tuple[Floats, Floats]:
        """Lower and upper limit of the exact p-value of each comparison (Clopper and Pearson 1934)."""
        if self.test.exact_p is not None:
            p = self.adjusted()
            return p, p
        from scipy import special

        r, n = self.reached, self.draws
        low = np.where(r > 0, special.betaincinv(np.maximum(r, 1), n - r + 1, _RISK), 0.0)
        high = np.where(r < n, special.betaincinv(r + 1, np.maximum(n - r, 1), 1 - _RISK), 1.0)
        for c, single in self.singles.items():
            single_low, single_high = single.limits()
            low[c], high[c] = max(low[c], float(single_low[0])), max(high[c], float(single_high[0]))
        return np.asarray(low, float), np.asarray(high, float)

    def add_single_tests(self, threshold: float, permutations: int) -> None:
        """Test each comparison that may be significant also with its own samples alone."""
        for c in np.flatnonzero(self.limits()[0] < threshold):
            if int(c) not in self.singles and (single := self.test.single(int(c))) is not None:
                self.singles[int(c)] = _Run.of(single, permutations)

    def critical(self, level: float) -> float:
        """Critical value of the studentized differences; beyond the permutations, of the normal distribution."""
        if self.test.exact_p is not None:
            return normal_quantile(1 - level / 2)
        largest = np.concatenate(self.largest)
        known = min(max(level, _TAIL_DRAWS / self.draws), 1.0)
        value = float(np.quantile(largest, 1 - known, method="higher"))
        if known <= level or value <= 0:
            return value
        # Far out, the tail of the largest statistic is that of a number of independent ones: normal, or Student's t.
        freedom = self.test.degrees_of_freedom
        if np.isfinite(freedom):
            from scipy import special

            number = known / (2 * float(special.stdtr(freedom, -value)))
            return max(value, -float(special.stdtrit(freedom, min(level / (2 * number), 0.5))))
        number = known / (2 * (1 - _normal_cdf(value)))
        return max(value, normal_quantile(1 - min(level / (2 * number), 0.5)))

    def expected(self, confidence: float) -> float:
        """Gap expected by chance."""
        known = self.test.expected_gap(confidence)
        return float(np.quantile(self.gaps, confidence)) if known is None else known

    def result(self, q: float, level: float, number: int, family: int, *, borderline: bool, confidence: float) -> ResolvedTest:
        significant = q < level
        share = level * (number if significant else number + 1) / family
        adjusted = self.adjusted()
        chosen = (adjusted < share) if significant else np.zeros(len(adjusted), bool)
        if significant and not chosen.any():  # the smallest p-value equals the threshold
            chosen = adjusted <= adjusted.min()
        critical = self.critical(share)
        if chosen.any():
            # The same permutations decide and give the bounds.
            critical = min(critical, float(self.test.observed[chosen].min()))
        return ResolvedTest(
            p=float(adjusted.min()),
            q=q,
            significant=significant,
            borderline=borderline,
            expected=self.expected(confidence),
            adjusted=adjusted,
            significant_comparisons=chosen,
            critical=critical,
        )

    def no_member(self, confidence: float) -> ResolvedTest:
        count = len(self.test.comparisons)
        return ResolvedTest(
            p=None,
            q=None,
            significant=False,
            borderline=False,
            expected=self.expected(confidence),
            adjusted=np.ones(count),
            significant_comparisons=np.zeros(count, bool),
            critical=float("inf"),
        )


def _normal_cdf(value: float) -> float:
    from statistics import NormalDist

    return NormalDist().cdf(min(value, 8.0))
