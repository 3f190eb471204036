"""Families of tests: the false discovery rate, members, sequential permutations, comparisons and their bounds."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from fairfer.stats import Comparisons, Estimates, SampleTest, SubjectTest, resolve, score_difference_limits
from fairfer.stats.comparisons import score_statistics


def sample_test(hits, trials, seed=0) -> SampleTest:
    return SampleTest(hits, trials, np.random.default_rng(seed))


def fisher(hits, trials) -> float:
    (a, b), (n, m) = hits, trials
    return stats.fisher_exact([[a, n - a], [b, m - b]]).pvalue


def test_two_groups_are_decided_by_fishers_test_and_benjamini_hochberg():
    """With groups of one size the exact conditional p-value is Fisher's."""
    tables = [(90, 60), (70, 68), (50, 30), (99, 88), (10, 20)]
    resolved = resolve([sample_test(k, (100, 100)) for k in tables], permutations=100)
    p = [fisher(k, (100, 100)) for k in tables]
    assert [r.p for r in resolved] == pytest.approx(p)
    q = stats.false_discovery_control(p)
    assert [r.q for r in resolved] == pytest.approx(list(q))
    assert [r.significant for r in resolved] == [bool(v < 0.05) for v in q]
    assert not any(r.borderline for r in resolved)


@pytest.mark.parametrize(
    ("hits", "trials"),
    [((0, 0), (50, 40)), ((50, 40), (50, 40)), ((1, 0), (50, 40)), ((0, 0, 0), (9, 9, 9)), ((9, 9, 8), (9, 9, 9))],
)
def test_a_test_that_cannot_reject_is_no_member(hits, trials):
    """No outcome with these margins is significant by itself, so it must not weaken the other tests."""
    planted = sample_test((90, 60), (100, 100))
    alone = resolve([planted], permutations=500)[0]
    first, second = resolve([planted, sample_test(hits, trials)], permutations=500)
    assert (second.p, second.q, second.significant) == (None, None, False)
    assert first.q == alone.q


def test_a_rare_label_with_an_extreme_group_stays_a_member():
    """All three errors in the small group would be significant."""
    [resolved] = resolve([sample_test((20, 1000), (20, 1003))], permutations=100)
    assert resolved.p == pytest.approx(1)


def test_more_permutations_follow_where_the_decision_is_open():
    """The p-value of three groups near 0.05: with any seed, the decision is that of a million permutations."""
    hits, trials = (46, 60, 58), (80, 80, 80)
    exact = resolve([sample_test(hits, trials, 99)], permutations=2_000_000)[0]
    assert 0.04 < exact.p < 0.047
    decisions = {resolve([sample_test(hits, trials, seed)], permutations=200)[0].significant for seed in range(12)}
    assert decisions == {exact.significant}


def test_a_test_that_stays_open_is_borderline():
    """With a small maximum, a p-value near the threshold cannot be decided."""
    hits, trials = (46, 60, 58), (80, 80, 80)
    assert resolve([sample_test(hits, trials)], permutations=100, maximum=400)[0].borderline
    assert not resolve([sample_test((80, 20, 20), trials)], permutations=400, level=0.2, maximum=400)[0].borderline


def test_comparisons_name_what_differs():
    """The third group differs from both others, and from the rest; the first two do not differ."""
    [resolved] = resolve([sample_test((900, 895, 600), (1000, 1000, 1000))], permutations=2000)
    comparisons = Comparisons.of(3)
    names = list(zip(comparisons.one.tolist(), comparisons.other.tolist(), strict=True))
    assert names == [(0, 1), (0, 2), (1, 2), (0, 3), (1, 4), (2, 5)]
    significant = dict(zip(names, resolved.significant_comparisons.tolist(), strict=True))
    assert not significant[0, 1]
    assert significant[0, 2]
    assert significant[1, 2]
    assert significant[2, 5]


def test_comparisons_are_tested_at_the_level_of_the_significant_tests():
    """Of many tests few are significant, so the comparisons within them need smaller p-values (Benjamini and Bogomolov)."""
    planted = ((300, 250, 277), (400, 400, 400))
    alone = resolve([sample_test(*planted)], permutations=20_000)[0]
    many = [sample_test((320, 322, 318), (400, 400, 400), s) for s in range(60)]
    with_others = resolve([sample_test(*planted), *many], permutations=20_000)[0]
    assert alone.significant
    assert with_others.significant
    assert alone.significant_comparisons.sum() >= with_others.significant_comparisons.sum() >= 1
    assert with_others.critical > alone.critical


@pytest.mark.parametrize(("trials", "rates"), [((30, 1000, 1000), (0.95, 0.95, 0.6)), ((25, 1000, 1000), (0.98, 0.98, 0.6))])
def test_a_true_null_pair_beside_a_different_group_is_rarely_rejected(trials, rates):
    """Wald statistics reject it in 21 and 61 % (subset pivotality)."""
    generator = np.random.default_rng(3)
    times, rejected, found = 250, 0, 0
    for i in range(times):
        hits = generator.binomial(trials, rates)
        [resolved] = resolve([sample_test(hits, trials, i)], permutations=300)
        rejected += bool(resolved.significant_comparisons[0])
        found += bool(resolved.significant_comparisons[2])
    assert rejected / times <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / times)
    assert found == times


def test_small_groups_do_not_hide_a_difference_of_large_ones():
    """With the largest minus the smallest rate as statistic, this difference was found in 7 %."""
    generator = np.random.default_rng(4)
    trials = np.array([1000, 1000, 25, 25])
    found = right = 0
    for i in range(60):
        hits = generator.binomial(trials, (0.85, 0.75, 0.8, 0.8))
        [resolved] = resolve([sample_test(hits, trials, i)], permutations=500)
        found += resolved.significant
        right += bool(resolved.significant_comparisons[0])
    assert found >= 57
    assert right >= 57


def test_one_group_that_differs_from_13_others_is_significant():
    """278 faces at 0.58 against 0.73 elsewhere, among 40 other tests."""
    trials = np.full(14, 278)
    hits = np.array([161] + [203] * 13)
    null = [sample_test(np.random.default_rng(s).binomial(trials, 0.73), trials, s) for s in range(40)]
    resolved = resolve([sample_test(hits, trials), *null], permutations=2000)[0]
    assert resolved.significant
    assert resolved.significant_comparisons[91]  # the first group vs. the rest, after the 91 pairs


def test_subjects_are_compared_with_their_own_pair_alone():
    """The comparison of two groups of subjects does not rest on the variance of a third group."""
    generator = np.random.default_rng(5)
    group = np.repeat([0, 1, 2], 40)
    trials = np.full(120, 10)
    hits = generator.binomial(trials, np.repeat([0.9, 0.5, 0.9], 40))
    [resolved] = resolve([SubjectTest(group, np.arange(120), hits, trials, generator)], permutations=1000)
    assert resolved.significant_comparisons.tolist()[:3] == [True, False, True]
    assert resolved.adjusted[1] > 0.1


@given(
    st.lists(st.tuples(st.integers(1, 60), st.floats(0, 1)), min_size=2, max_size=4),
)
@settings(max_examples=50)
def test_score_statistics_are_those_of_pearsons_test(groups):
    trials = np.array([n for n, _ in groups])
    hits = np.array([round(n * r) for n, r in groups])
    values = score_statistics(hits, trials, Comparisons.of(len(groups)))
    for (i, j), value in zip(itertools.combinations(range(len(groups)), 2), values, strict=False):
        table = np.array([[hits[i], trials[i] - hits[i]], [hits[j], trials[j] - hits[j]]])
        expected = np.sqrt(stats.chi2_contingency(table, correction=False).statistic) if table.sum(axis=0).all() else 0
        assert value == pytest.approx(expected, abs=1e-9)


def restricted_error(k, n, j, m, difference) -> float:
    """Standard error at the rates that maximize the likelihood and differ by `difference`, by numerical search."""

    def loss(rate) -> float:
        rates = np.clip([rate, rate - difference], 1e-15, 1 - 1e-15)
        return -(k * np.log(rates[0]) + (n - k) * np.log1p(-rates[0]) + j * np.log(rates[1]) + (m - j) * np.log1p(-rates[1]))

    bounds = (max(0, difference), min(1, 1 + difference))
    rate = optimize.minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x
    return np.sqrt(rate * (1 - rate) / n + (rate - difference) * (1 - rate + difference) / m)


@pytest.mark.parametrize("counts", [(45, 50, 30, 60), (1, 30, 0, 25), (99, 100, 480, 500), (7, 20, 7, 20), (30, 30, 10, 40)])
@pytest.mark.parametrize("quantile", [1.645, 1.96, 3.29])
def test_at_the_score_limits_the_statistic_equals_the_quantile(counts, quantile):
    k, n, j, m = counts
    for limit in score_difference_limits(Estimates.of_counts(k, n), Estimates.of_counts(j, m), quantile):
        statistic = abs(k / n - j / m - limit) / restricted_error(k, n, j, m, float(limit))
        assert statistic == pytest.approx(quantile, rel=1e-3)


@given(st.integers(1, 80), st.integers(1, 80), st.data())
@settings(max_examples=60)
def test_score_limits_exclude_0_where_the_score_test_rejects(n, m, data):
    k, j = data.draw(st.integers(0, n)), data.draw(st.integers(0, m))
    quantile = data.draw(st.floats(0.5, 5))
    low, high = score_difference_limits(Estimates.of_counts(k, n), Estimates.of_counts(j, m), quantile)
    statistic = score_statistics([k, j], [n, m], Comparisons.of(2))[0]
    if abs(statistic - quantile) > 1e-6:
        assert bool(low > 0 or high < 0) == bool(statistic > quantile)
    assert -1 <= low <= k / n - j / m + 1e-12 <= high + 2e-12
