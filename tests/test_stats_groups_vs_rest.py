"""Each group vs. the rest: exact probabilities, tests that cannot reject, and subjects."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from fairfer.stats.groups_vs_rest import groups_vs_rest, subjects_vs_rest


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
