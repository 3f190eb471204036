"""Confidence intervals: against scipy, statsmodels and published examples, and their coverage."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep

from fairfer.stats import Estimates, newcombe, ratio_limits, wilson


@given(st.integers(1, 3000), st.floats(0, 1), st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99]))
def test_wilson_equals_scipy(n, share, confidence):
    k = round(share * n)
    low, high = wilson([k], [n], confidence)
    reference = stats.binomtest(k, n).proportion_ci(confidence, method="wilson")
    assert low[0] == pytest.approx(reference.low, abs=1e-12)
    assert high[0] == pytest.approx(reference.high, abs=1e-12)
    assert 0 <= low[0] <= k / n <= high[0] <= 1


def test_wilson_is_undefined_without_trials():
    """Zero trials give NaN and leave the other intervals unchanged, in any shape."""
    low, high = wilson([[0, 3], [0, 1]], [[0, 3], [5, 2]])
    assert np.isnan(low[0, 0])
    assert np.isnan(high[0, 0])
    assert low[0, 1] == pytest.approx(0.4385, abs=1e-4)
    assert (low[1, 0], high[0, 1]) == (0, 1)


def test_wilson_has_a_width_where_all_trials_are_hits():
    """A bootstrap gives [1, 1]."""
    low, high = wilson(3, 3)
    assert float(low) < 0.45
    assert float(high) == 1


@pytest.mark.parametrize(("n", "rate"), list(itertools.product([20, 100, 2000], [0.02, 0.3, 0.8, 0.98])))
def test_coverage_of_wilson_is_about_nominal(n, rate):
    """Exact coverage, summed over every possible outcome: near 95 % and never far below."""
    k = np.arange(n + 1)
    low, high = wilson(k, np.full(n + 1, n))
    coverage = stats.binom.pmf(k, n, rate)[(low <= rate) & (rate <= high)].sum()
    assert 0.92 < coverage < 0.99


@given(st.integers(1, 500), st.floats(0, 1), st.sampled_from([0.01, 0.025, 0.1]))
def test_limits_with_continuity_correction_equal_scipy(n, share, tail):
    k = round(share * n)
    low, high = Estimates.of_counts(k, n).limits(tail, continuity=True)
    reference = stats.binomtest(k, n).proportion_ci(confidence_level=1 - 2 * tail, method="wilsoncc")
    assert (float(low), float(high)) == pytest.approx((float(reference.low), float(reference.high)), abs=1e-9)


PAIRS = st.tuples(st.integers(1, 400), st.floats(0, 1))


@given(PAIRS, PAIRS, st.sampled_from([0.8, 0.9, 0.95]))
def test_newcombe_equals_statsmodels(one, other, confidence):
    (n, a), (m, b) = one, other
    k, j = round(a * n), round(b * m)
    low, high = newcombe([k], [n], [j], [m], confidence)
    reference = confint_proportions_2indep(k, n, j, m, method="newcomb", alpha=1 - confidence)
    assert (low[0], high[0]) == pytest.approx(reference, abs=1e-9)
    assert low[0] <= k / n - j / m <= high[0]


def test_newcombe_of_the_published_example():
    """Newcombe (1998), table II, example a (56/70 vs. 48/80), method 10: 0.0524 to 0.3339."""
    low, high = newcombe(56, 70, 48, 80)
    assert (float(low), float(high)) == pytest.approx((0.0524, 0.3339), abs=5e-5)


@given(PAIRS, PAIRS)
def test_swapping_the_groups_mirrors_newcombe(one, other):
    (n, a), (m, b) = one, other
    there, back = newcombe(round(a * n), n, round(b * m), m), newcombe(round(b * m), m, round(a * n), n)
    assert (float(there[0]), float(there[1])) == pytest.approx((-float(back[1]), -float(back[0])))


def test_newcombe_covers_a_difference_of_0():
    """Fairlearn's ``difference_ci`` covers a true gap of 0 in no simulation; this interval in about 95 %."""
    generator = np.random.default_rng(6)
    k = generator.binomial(100, 0.8, size=(4000, 2))
    low, high = newcombe(k[:, 0], 100, k[:, 1], 100)
    assert 0.935 < ((low <= 0) & (high >= 0)).mean() < 0.97


@pytest.mark.parametrize(("sizes", "rates"), [((50, 50), (0.6, 0.8)), ((100, 400), (0.7, 0.7)), ((200, 60), (0.9, 0.5))])
def test_each_limit_of_a_ratio_has_at_most_its_error(sizes, rates):
    """Exact, summed over every pair of counts, at an error of 5 % for each limit."""
    (n, m), (p, q) = sizes, rates
    one = Estimates.of_counts(np.arange(n + 1)[:, None], np.full((n + 1, 1), n))
    other = Estimates.of_counts(np.arange(m + 1)[None, :], np.full((1, m + 1), m))
    low, high = ratio_limits(one, other, 0.05)
    probability = stats.binom.pmf(np.arange(n + 1), n, p)[:, None] * stats.binom.pmf(np.arange(m + 1), m, q)
    assert 0.01 < probability[low > p / q].sum() <= 0.052
    assert 0.01 < probability[high < p / q].sum() <= 0.052


def test_a_ratio_to_a_rate_that_may_be_0_has_no_upper_limit():
    low, high = ratio_limits(Estimates.of_counts([5], [10]), Estimates.of_counts([0], [10]), 0.05)
    assert low[0] > 0
    assert np.isinf(high[0])
