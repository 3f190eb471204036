"""Summary indices and simultaneous limits: published formulas, NIST's zeros, ranges over boxes, and an independent oracle."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from fairfer.stats import Estimates
from fairfer.stats.chance import permuted_rates, permuted_sums
from fairfer.stats.indices import INDICES, gini, gini_range, max_to_geometric_mean, max_to_min
from fairfer.stats.simultaneous import simultaneous_limits, upper_limit_of_zero

RATES = np.array([0.02, 0.04, 0.08])


def oracle(name, x):
    """The published formulas, term by term."""
    n, mean = len(x), sum(x) / len(x)
    return {
        "difference": max(x) - min(x),
        "SER": max(x) / min(x),
        "MERG": max(x) / math.prod(x) ** (1 / n),
        "MERA": max(x) / mean,
        "Gini": sum(abs(a - b) for a in x for b in x) / (2 * n * (n - 1) * mean),
    }[name]


def test_values_computed_by_hand():
    """Rates of 2, 4 and 8 %: geometric mean 4 %, mean 14/3 %; sum of differences 2 (2 + 6 + 4) %, over 2 x 3 x 2 x 14/3 %."""
    expected = {"difference": 0.06, "SER": 4.0, "MERG": 2.0, "MERA": 12 / 7, "Gini": 24 / 56}
    assert {n: float(i.of(RATES)) for n, i in INDICES.items()} == pytest.approx(expected)


@pytest.mark.parametrize("name", INDICES)
def test_an_index_agrees_with_its_formula(name):
    generator = np.random.default_rng(1)
    for n in (2, 3, 7):
        rates = generator.uniform(0.01, 1, (20, n))
        assert INDICES[name].of(rates) == pytest.approx([oracle(name, list(x)) for x in rates])


def test_zeros_are_treated_as_nist_does():
    """The geometric mean takes the one-sided 95 % Clopper-Pearson limit for a rate of 0; other ratios are not defined."""
    limit = upper_limit_of_zero(np.array([40.0]))
    assert limit[0] == pytest.approx(stats.beta.ppf(0.95, 1, 40))
    rates = np.array([0.0, 0.2])
    assert float(max_to_geometric_mean(rates, np.array([limit[0], 9.9]))) == pytest.approx(0.2 / math.sqrt(0.2 * limit[0]))
    assert np.isinf(max_to_min(rates))
    assert float(gini(rates)) == 1
    zeros = np.zeros(3)
    assert np.isnan([float(INDICES[n].of(zeros)) for n in ("SER", "MERG", "MERA", "Gini")]).all()


@pytest.mark.parametrize("name", INDICES)
def test_the_range_over_a_box_is_that_of_a_search(name):
    """Corners, a common level and random points: the largest value is that of a corner, and the smallest is reached."""
    generator = np.random.default_rng(2)
    index = INDICES[name]
    for repetition in range(60):
        n = int(generator.integers(2, 6))
        low = generator.random(n) * generator.choice([0.1, 0.6, 0.9])
        high = np.minimum(low + generator.random(n) * generator.choice([0.05, 0.4]), 1)
        if repetition % 4 == 0:
            low[generator.integers(n)] = 0
        corners = np.array(list(itertools.product(*zip(low, high, strict=True))))
        level = np.clip(np.linspace(0, 1, 401)[:, None], low, high)
        inside = low + (high - low) * generator.random((500, n))
        values = index.of(np.concatenate([corners, level, inside]))
        values = values[~np.isnan(values)]
        smallest, largest = index.over(low, high)
        assert smallest <= values.min() + 1e-9
        assert smallest == pytest.approx(values.min(), abs=0.02 * max(1, smallest))
        assert largest >= values.max() - 1e-9
        assert np.isinf(largest) or largest == pytest.approx(np.nanmax(index.of(corners)))


def test_extreme_boxes_have_a_range():
    """Nothing known, nothing but zeros, and one group that may have the only errors."""
    nothing, everything = np.zeros(3), np.ones(3)
    assert gini_range(nothing, everything) == (0, 1)
    assert gini_range(nothing, nothing) == (0, 0)
    assert gini_range(np.array([0.2, 0, 0]), np.array([0.3, 0.1, 0.1]))[1] == 1
    for name in ("SER", "MERG"):
        assert INDICES[name].over(nothing, everything) == (1, np.inf)
    assert INDICES["MERA"].over(nothing, everything) == (1, 3)
    assert INDICES["difference"].over(nothing, everything) == (0, 1)


def test_simultaneous_limits_are_those_of_clopper_and_pearson():
    hits, trials = np.array([0, 3, 20]), np.array([20, 30, 20])
    low, high = simultaneous_limits(Estimates.of_counts(hits, trials), 0.05 / 3)
    exact = [stats.binomtest(int(k), int(n)).proportion_ci(1 - 0.05 / 3) for k, n in zip(hits, trials, strict=True)]
    assert low == pytest.approx([e.low for e in exact])
    assert high == pytest.approx([e.high for e in exact])


def test_limits_of_few_subjects_are_wider():
    """Student's quantile takes the place of the normal one (Korn and Graubard 1998)."""
    plain = Estimates(np.array([0.3]), np.array([50.0]), np.array([np.inf]))
    few = Estimates(np.array([0.3]), np.array([50.0]), np.array([9.0]))
    size = 50 * (stats.norm.ppf(0.975) / stats.t.ppf(0.975, 9)) ** 2
    low, high = simultaneous_limits(few, 0.05)
    assert (low[0], high[0]) == pytest.approx(
        (stats.beta.ppf(0.025, 0.3 * size, 0.7 * size + 1), stats.beta.ppf(0.975, 0.3 * size + 1, 0.7 * size))
    )
    assert low[0] < simultaneous_limits(plain, 0.05)[0][0]


def test_permuted_rates_have_the_moments_of_the_hypergeometric_distribution():
    rates = permuted_rates([5, 10], [20, 80], 20_000, np.random.default_rng(0))
    assert rates.mean(axis=0) == pytest.approx([0.15, 0.15], abs=0.003)
    assert rates[:, 0].std() == pytest.approx(stats.hypergeom(100, 15, 20).std() / 20, rel=0.03)
    many = permuted_rates([300_000_000, 300_000_000], [10**9, 10**9], 500, np.random.default_rng(0))
    assert many.std(axis=0) == pytest.approx(math.sqrt(0.21 / 1e9), rel=0.15)


def test_permuted_sums_keep_the_totals():
    values = np.arange(12.0).reshape(6, 2)
    sums = permuted_sums([0, 0, 1, 1, 1, 2], values, 3, np.random.default_rng(0), 50)
    assert sums.sum(axis=1) == pytest.approx(np.tile(values.sum(axis=0), (50, 1)))
    assert len(np.unique(sums[:, 2, 0])) > 3
    assert permuted_sums([0, 0, 1, 1, 1, 2], values, 3, None, 1)[0] == pytest.approx(np.array([[2, 4], [18, 21], [10, 11]]))
