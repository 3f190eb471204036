"""Each group vs. the rest: exact probabilities, tests that cannot reject, and subjects."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import optimize, stats

from fairfer.stats import Estimates
from fairfer.stats.groups_vs_rest import critical_vs_rest, groups_vs_rest, subjects_vs_rest
from fairfer.stats.score_limits import score_ratio_limits


def enumerated(hits, trials):
    """Probability over all tables with the same totals, one by one."""
    total, successes = sum(trials), sum(hits)

    def statistic(x):
        return max(abs(k - n * successes / total) / math.sqrt(n * (total - n)) for k, n in zip(x, trials, strict=True))

    tables = [x for x in itertools.product(*(range(n + 1) for n in trials)) if sum(x) == successes]
    ways = [math.prod(math.comb(n, k) for n, k in zip(trials, x, strict=True)) for x in tables]
    reaching = sum(w for w, x in zip(ways, tables, strict=True) if statistic(x) >= statistic(hits) - 1e-9)
    most = max(statistic(x) for x in tables)
    rarest = sum(w for w, x in zip(ways, tables, strict=True) if statistic(x) >= most - 1e-9)
    return reaching / sum(ways), rarest / sum(ways)


@pytest.mark.parametrize(
    ("hits", "trials"), [((5, 1), (6, 9)), ((0, 3), (4, 5)), ((4, 1, 0), (6, 5, 7)), ((1, 1, 5, 2), (4, 3, 6, 4))]
)
def test_p_is_that_of_all_tables(hits, trials):
    test = groups_vs_rest(hits, trials)
    assert (test.p, test.least_p) == pytest.approx(enumerated(hits, trials))


def test_large_tables_agree_with_the_normal_approximation():
    """Two groups of 30,000; the convolution is then a Fourier transform."""
    hits, trials = np.array([9_000, 9_250]), np.array([30_000, 30_000])
    test = groups_vs_rest(hits, trials)
    table = np.stack([hits, trials - hits])
    assert test.p == pytest.approx(stats.chi2_contingency(table, correction=True).pvalue, rel=0.03)
    assert test.statistic[1] == pytest.approx(-test.statistic[0])
    assert test.statistic[1] > 0


def test_a_test_without_hits_cannot_reject():
    assert groups_vs_rest([0, 0], [50, 50]).least_p == 1
    assert groups_vs_rest([50, 50], [50, 50]).least_p == 1
    assert groups_vs_rest([1, 0], [50, 50]).least_p == pytest.approx(1)
    assert groups_vs_rest([0, 6], [50, 50]).least_p < 0.05


def test_an_extreme_table_has_a_small_positive_p():
    assert 0 < groups_vs_rest([500, 0], [500, 500]).p <= 1e-11


def units(generator, rates, subjects=25, samples=8):
    group = np.repeat(np.arange(len(rates)), subjects)
    return group, generator.binomial(samples, np.asarray(rates)[group]), np.full(len(group), samples)


def test_subjects_of_a_different_group_are_found():
    group, hits, trials = units(np.random.default_rng(3), (0.1, 0.1, 0.4))
    none, every = np.zeros_like(hits), trials
    tests = subjects_vs_rest(
        group, np.stack([hits, none, every], axis=1), trials, permutations=999, generator=np.random.default_rng(0)
    )
    assert tests[0].p == 1 / 1000
    assert int(np.argmax(np.abs(tests[0].statistic))) == 2
    assert tests[0].statistic[2] > 0
    assert [t.p for t in tests[1:]] == [1, 1]
    assert [t.least_p for t in tests] == [1 / 1000, 1, 1]


def test_few_permutations_suffice_when_nothing_differs():
    """The p-value of equal groups is decided after one batch, and agrees with all permutations."""
    group, hits, trials = units(np.random.default_rng(5), (0.2, 0.2))
    few, many = (
        subjects_vs_rest(group, hits[:, None], trials, permutations=n, generator=np.random.default_rng(0))[0].p
        for n in (1000, 100_000)
    )
    assert few == many
    assert few > 0.05


@pytest.mark.parametrize("level", [0.05, 0.004])
@pytest.mark.parametrize("trials", [(30, 1000), (25, 60, 200), (130, 90, 40, 227)])
def test_the_critical_value_makes_the_same_decision_as_the_p_value(trials, level):
    """And limits of the ratio at this critical value exclude 1 exactly where the p-value is significant."""
    generator = np.random.default_rng(4)
    significant = 0
    for hits in generator.binomial(trials, generator.uniform(0.01, 0.3, (60, len(trials)))):
        if hits.sum() == 0:
            continue
        result, critical = groups_vs_rest(hits, trials), critical_vs_rest(hits, trials, level)
        assert (np.abs(result.statistic).max() > critical) == (result.p <= level)
        if not np.isfinite(critical):
            assert result.least_p > level
            continue
        most = int(np.argmax(np.abs(result.statistic)))
        one = Estimates.of_counts(hits[most], trials[most])
        rest = Estimates.of_counts(hits.sum() - hits[most], sum(trials) - trials[most])
        low, high = score_ratio_limits(one, rest, critical)
        assert (low > 1 or high < 1) == (result.p <= level)
        significant += result.p <= level
    assert 5 < significant < 60


def test_the_score_limits_of_a_ratio_solve_the_score_equation():
    """Against the restricted likelihood, maximized numerically."""
    hits, trials, quantile = (15, 13), (130, 357), 2.9
    one, other = (Estimates.of_counts(k, n) for k, n in zip(hits, trials, strict=True))

    def statistic(ratio):
        def loss(q):
            return -stats.binom.logpmf(hits[0], trials[0], ratio * q) - stats.binom.logpmf(hits[1], trials[1], q)

        q = optimize.minimize_scalar(
            loss, bounds=(1e-6, min(1, 1 / ratio) - 1e-6), method="bounded", options={"xatol": 1e-12}
        ).x
        variance = ratio * q * (1 - ratio * q) / trials[0] + ratio**2 * q * (1 - q) / trials[1]
        return (hits[0] / trials[0] - ratio * hits[1] / trials[1]) / np.sqrt(variance)

    low, high = score_ratio_limits(one, other, quantile)
    assert (statistic(float(low)), statistic(float(high))) == pytest.approx((quantile, -quantile), abs=1e-4)


def test_score_limits_of_a_ratio_to_and_of_no_hits():
    none, some = Estimates.of_counts(0, 10), Estimates.of_counts(5, 10)
    low, high = score_ratio_limits(some, none, 1.96)
    assert low > 1
    assert np.isinf(high)
    low, high = score_ratio_limits(none, some, 1.96)
    assert low == 0
    assert 0 < high < 1


@pytest.mark.parametrize(("trials", "rate", "ratio"), [((50, 500), 0.04, 0.3), ((30, 300), 0.1, 2), ((60, 100), 0.1, 1)])
def test_limits_of_a_ratio_at_the_critical_value_cover_it(trials, rate, ratio):
    """Summed over all pairs of counts: the error of both limits together."""
    level, error, total = 0.05, 0.0, 0.0
    first, second = (stats.binom.pmf(np.arange(n + 1), n, p) for n, p in zip(trials, (rate * ratio, rate), strict=True))
    known: dict[int, float] = {}
    for k in np.flatnonzero(first > 1e-4):
        x = np.flatnonzero(second > 1e-4)
        x = x[k + x > 0]
        critical = np.array([known.setdefault(int(k + i), critical_vs_rest((k, i), trials, level)) for i in x])
        finite = np.isfinite(critical)
        one, other = (
            Estimates.of_counts(np.full(len(x), k), np.full(len(x), trials[0])),
            Estimates.of_counts(x, np.full(len(x), trials[1])),
        )
        low, high = score_ratio_limits(one, other, np.where(finite, critical, 99.0))
        weight = first[k] * second[x]
        error += weight[finite & ((low > ratio) | (high < ratio))].sum()
        total += weight.sum()
    assert total > 0.9
    assert 0.01 < error <= 0.05
