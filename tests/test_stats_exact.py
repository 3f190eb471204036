"""Limits that decide: against scipy and statsmodels, their error by enumeration in the tails, and their power."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, special, stats

from fairfer.stats import Estimates
from fairfer.stats.binomial import clopper_pearson, normal_tail
from fairfer.stats.effective import cautious_trials
from fairfer.stats.exact import ArcLimits, difference_bounds, gap_bound_above, gap_bound_below, paired_bounds

ONE, OTHER = np.array([0]), np.array([1])
TAILS = (0.05, 0.05 / 28, 0.05 / 64 / 28, 1e-9)


# ---- single rates


@pytest.mark.parametrize("tail", [0.49, 0.05, 0.001, 1e-5, 1e-7])
@pytest.mark.parametrize("n", [1, 2, 20, 137, 1000, 50_000])
def test_limits_of_a_rate_are_those_of_scipy(n, tail):
    """The tail probability at a limit is the stated one, to 0.03 % of itself."""
    hits = np.unique(np.concatenate([np.arange(min(n, 70)), n - np.arange(min(n, 70)), np.linspace(0, n, 40).round()]))
    low, high = clopper_pearson(hits, np.full(len(hits), n), tail)
    assert low[0] == 0
    assert high[-1] == 1
    np.testing.assert_allclose(stats.binom.sf(hits[1:] - 1, n, low[1:]), tail, rtol=3e-4)
    np.testing.assert_allclose(stats.binom.cdf(hits[:-1], n, high[:-1]), tail, rtol=3e-4)


def test_limits_of_a_rate_without_trials_or_with_effective_counts():
    """None without trials; between those of the neighbouring counts for fractional ones; 0 for less than half a hit."""
    low, high = clopper_pearson([0, 0.3, 3.5], [0, 20, 20], 0.05)
    assert np.isnan([low[0], high[0]]).all()
    assert low[1] == 0
    assert low[2] == pytest.approx(special.betaincinv(3.5, 17.5, 0.05), rel=1e-4)
    assert high[2] == pytest.approx(special.betaincinv(4.5, 16.5, 0.95), rel=1e-4)


@pytest.mark.parametrize("limit", [0.5, 0.7, 0.9, 0.99])
def test_score_limits_fail_where_exact_ones_hold(limit):
    """Eight groups of 25 at the limit: the score limits that the gate had fail in up to 18.8 %."""
    hits, trials = np.arange(26), np.full(26, 25)
    probability = stats.binom.pmf(hits, 25, limit)
    score = Estimates.of_counts(hits, trials).limits(0.05 / 8, continuity=True)[1]
    exact = clopper_pearson(hits, trials, 0.05 / 8)[1]
    wrong = [1 - (1 - probability[high < limit].sum()) ** 8 for high in (score, exact)]
    assert wrong[1] <= 0.05
    if limit == 0.99:
        assert wrong[0] == pytest.approx(0.188, abs=0.001)


# ---- differences and ratios


def limit_by_optimization(k, n, x, m, tail, contrast):
    """Largest contrast of two rates inside the circle, with scipy's distribution functions and a fine scan."""
    z = stats.norm.isf(tail)

    def rates(angle):
        errors = stats.norm.sf(z * np.cos(angle)), stats.norm.sf(z * np.sin(angle))
        one = 1.0 if k == n else special.betaincinv(k + 1, n - k, 1 - errors[0])
        return one, (0.0 if x == 0 else special.betaincinv(x, m - x + 1, errors[1]))

    grid = np.linspace(0, np.pi / 2, 400)
    values = [contrast(*rates(a)) for a in grid]
    best = int(np.argmax(values))
    around = grid[max(best - 1, 0)], grid[min(best + 1, 399)]
    return max(values[best], -optimize.minimize_scalar(lambda a: -contrast(*rates(a)), bounds=around, method="bounded").fun)


@pytest.mark.parametrize("tail", [0.05, 1e-3, 1e-5])
@pytest.mark.parametrize(
    ("k", "n", "x", "m"), [(180, 200, 120, 200), (3, 20, 0, 500), (19, 20, 950, 1000), (20, 20, 20, 20), (5, 400, 2, 400)]
)
def test_limits_of_a_difference_and_of_a_ratio_are_the_largest_on_the_circle(k, n, x, m, tail):
    """At most 0.1 % of the distance inside the optimum, and 1 % outside."""
    arc = ArcLimits.of_counts([k, x], [n, m], tail)
    high = float(arc.difference(ONE, OTHER)[1][0])
    expected = limit_by_optimization(k, n, x, m, tail, lambda p, q: p - q)
    distance = expected - k / n + x / m
    assert expected - 0.001 * distance - 1e-9 <= high <= expected + 0.01 * distance + 1e-9
    mirrored = float(arc.difference(OTHER, ONE)[0][0])
    assert mirrored == pytest.approx(-high)
    if x:
        ratio = float(arc.ratio(ONE, OTHER)[1][0])
        expected = limit_by_optimization(k, n, x, m, tail, lambda p, q: p / q)
        assert expected * (1 - 1e-3) <= ratio <= expected * 1.05
        assert float(arc.ratio(OTHER, ONE)[0][0]) == pytest.approx(1 / ratio)


@pytest.mark.parametrize(("k", "n", "x", "m"), [(1700, 2000, 1200, 2000), (850, 1000, 800, 1000), (380, 500, 410, 800)])
def test_limits_of_a_difference_are_score_limits_for_large_samples(k, n, x, m):
    """Those of Miettinen and Nurminen, from statsmodels, and half a face of each group."""
    from statsmodels.stats.proportion import confint_proportions_2indep

    low, high = (float(b[0]) for b in difference_bounds([k], [n], [x], [m], 0.05))
    score = confint_proportions_2indep(k, n, x, m, compare="diff", method="score", alpha=0.1)
    half = 0.5 / n + 0.5 / m
    assert (low, high) == pytest.approx((score[0] - half, score[1] + half), abs=0.0015)


def test_no_ratio_is_bounded_above_by_a_rate_that_may_be_0():
    low, high = ArcLimits.of_counts([5, 0], [20, 20], 0.05).ratio(ONE, OTHER)
    assert np.isinf(high[0])
    assert 0 <= low[0] < 10


def worst_error(inside, n, m, one, other):
    """Largest probability of a set of outcomes of two groups, over pairs of rates."""
    first, second = (stats.binom.pmf(np.arange(s + 1), s, np.clip(r, 0, 1)[:, None]) for s, r in ((n, one), (m, other)))
    return float(((first @ inside) * second).sum(axis=1).max())


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize(("n", "m"), [(20, 20), (20, 300), (57, 131)])
def test_limits_of_a_difference_have_their_error_in_the_tails(n, m, tail):
    """By enumeration, over 200 pairs of rates for each of eleven differences; and they are not empty of decisions."""
    hits = np.stack(np.meshgrid(np.arange(n + 1), np.arange(m + 1), indexing="ij"), axis=-1)
    tables = [ArcLimits.of_counts(np.arange(s + 1), np.full(s + 1, s), tail) for s in (n, m)]
    low, high = (np.stack([getattr(t, side)[:, hits[..., i]] for i, t in enumerate(tables)], -1) for side in ("low", "high"))
    bounds = ArcLimits(low, high).difference(ONE, OTHER)[1][..., 0]
    worst = 0.0
    for difference in (-0.5, -0.1, -0.02, 0, 0.02, 0.05, 0.1, 0.3, 0.5, 0.8, 0.95):
        below = max(0, -difference) + (1 - abs(difference)) * np.sin(np.linspace(0, np.pi / 2, 200)) ** 2
        worst = max(worst, worst_error(bounds <= difference, n, m, below + difference, below))
    assert 0.3 * tail < worst <= tail


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize(("n", "m"), [(20, 60), (60, 20)])
def test_limits_of_a_ratio_have_their_error_in_the_tails(n, m, tail):
    hits = np.stack(np.meshgrid(np.arange(n + 1), np.arange(m + 1), indexing="ij"), axis=-1)
    tables = [ArcLimits.of_counts(np.arange(s + 1), np.full(s + 1, s), tail) for s in (n, m)]
    parts = (np.stack([getattr(t, side)[:, hits[..., i]] for i, t in enumerate(tables)], -1) for side in ("low", "high"))
    low, high = (b[..., 0] for b in ArcLimits(*parts).ratio(ONE, OTHER))
    for ratio in (0.1, 0.5, 0.8, 0.95, 1.0, 1.5):
        rate = min(1, 1 / ratio) * np.sin(np.linspace(0.01, np.pi / 2, 200)) ** 2
        assert worst_error(low >= ratio, n, m, rate * ratio, rate) <= tail
        assert worst_error(high <= ratio, n, m, rate * ratio, rate) <= tail


# ---- gaps


@given(st.lists(st.integers(0, 40), min_size=2, max_size=6))
def test_bounds_of_a_gap_contain_the_observed_one(hits):
    k, n = np.array(hits), np.full(len(hits), 40)
    low = float(gap_bound_below(k / n, ArcLimits.of_counts(k, n, [[0.01], [0.005]]), 0.01))
    high = float(gap_bound_above(ArcLimits.of_counts(k, n, 0.05)))
    assert 0 <= low <= np.ptp(k / n) + 1e-12 <= high + 1e-9


def test_bounds_of_a_gap_are_those_of_its_pairs():
    """Above: the largest of any pair. Below: one-sided far from 0, and 0 where no two-sided limit is above it."""
    k, n = np.array([180, 120, 150]), np.full(3, 200)
    pairs = list(itertools.combinations(range(3), 2))
    high = max(np.abs(difference_bounds(k[[i]], n[[i]], k[[j]], n[[j]], 0.05)).max() for i, j in pairs)
    assert float(gap_bound_above(ArcLimits.of_counts(k, n, 0.05))) == pytest.approx(high)
    low = max(difference_bounds(k[[i]], n[[i]], k[[j]], n[[j]], 0.01)[0][0] for i, j in ((0, 1), (0, 2), (2, 1)))
    below = gap_bound_below(k / n, ArcLimits.of_counts(k, n, [[0.01], [0.005]]), 0.01)
    assert float(below) == pytest.approx(low, abs=1e-4)
    one_sided = next(k for k in range(100, 140) if difference_bounds([k], [200], [100], [200], 0.05)[0][0] > 0)
    counts = [one_sided, 100], [200, 200]
    assert float(gap_bound_below(np.divide(*counts), ArcLimits.of_counts(*counts, [[0.05], [0.025]]), 0.05)) == 0


@pytest.mark.parametrize("limit", [0.0, 0.01, 0.05, 0.2])
@pytest.mark.parametrize(("n", "m"), [(20, 20), (30, 200)])
def test_the_lower_bound_of_a_gap_has_its_error_in_both_directions(n, m, limit):
    """A pair at the limit, either of which is the higher one, and equal pairs."""
    for tail in TAILS:
        hits = np.stack(np.meshgrid(np.arange(n + 1), np.arange(m + 1), indexing="ij"), axis=-1)
        tables = [ArcLimits.of_counts(np.arange(s + 1), np.full(s + 1, s), [[tail], [tail / 2]]) for s in (n, m)]
        parts = (np.stack([getattr(t, s)[..., hits[..., i]] for i, t in enumerate(tables)], -1) for s in ("low", "high"))
        beyond = gap_bound_below(hits / np.array([n, m]), ArcLimits(*parts), tail) > limit
        rate = (1 - limit) * np.sin(np.linspace(0, np.pi / 2, 200)) ** 2
        assert worst_error(beyond, n, m, rate + limit, rate) <= tail
        assert worst_error(beyond, n, m, rate, rate + limit) <= tail


# ---- paired changes


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("n", [20, 90])
def test_limits_of_a_change_have_their_error_in_the_tails(n, tail):
    """By enumeration of all numbers of gained and lost faces."""
    gained, lost = (x.ravel() for x in np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij"))
    gained, lost = gained[gained + lost <= n], lost[gained + lost <= n]
    low, high = paired_bounds(gained, lost, np.full(len(lost), n), tail)
    assert (low <= (gained - lost) / n).all()
    assert ((gained - lost) / n <= high).all()
    outcomes = np.stack([gained, lost, n - gained - lost], axis=1)
    for change in (-0.3, -0.05, 0.0, 0.02, 0.1, 0.5):
        for share in (0.0, 0.001, 0.02, 0.1, 0.2):
            rates = np.array([max(change, 0) + share, max(-change, 0) + share])
            if rates.sum() > 1:
                continue
            probability = stats.multinomial.pmf(outcomes, n, [*rates, 1 - rates.sum()])
            assert probability[high < change - 1e-12].sum() <= tail
            assert probability[low > change + 1e-12].sum() <= tail


def test_limits_of_a_change_mirror_and_have_power():
    low, high = paired_bounds([3, 0, 20], [10, 0, 0], [200, 200, 20], 0.05)
    mirrored = paired_bounds([10, 0, 0], [3, 0, 20], [200, 200, 20], 0.05)
    np.testing.assert_allclose(-mirrored[1], low)
    assert high[2] == pytest.approx(1)
    assert 0 < high[1] < 0.02
    generator = np.random.default_rng(1)
    more, less = generator.binomial(200, 0.03, size=(2, 4000))
    assert (paired_bounds(more, less, np.full(4000, 200), 0.05)[0] >= -0.05).mean() > 0.75


# ---- subjects


def test_cautious_trials_are_between_subjects_and_samples():
    """All samples where each shows another subject; the number of subjects at a rate of 1; never more than estimated."""
    n = np.full(4, 1000.0)
    spread, size, largest = (
        np.array([0.16, 0.0, 0.16, 0.16]),
        np.array([1000, 100, 300, 1000]),
        np.array([1, 10, 10, 10]) / 1000,
    )
    result = cautious_trials(spread, size, largest, n, 0.05)
    assert 990 < result[0] <= 1000
    assert result[1] == 100
    assert 100 < result[2] < 300
    assert result[2] < result[3] < 1000
    assert (cautious_trials(spread, size, largest, n, 1e-4) <= result + 1e-9).all()
    assert (cautious_trials(spread, size, largest, n, 0.05, 4.0) >= 4 * result - 1e-9).all()


@pytest.mark.parametrize(("rate", "correlation"), [(0.95, 0.6), (0.8, 0.6), (0.9, 0.1)])
@pytest.mark.parametrize("subjects", [10, 50])
def test_cautious_trials_keep_the_error_of_a_limit(subjects, rate, correlation):
    """Where the estimated size alone lets it be exceeded up to four times as often."""
    generator = np.random.default_rng(3)
    a = 1 / correlation - 1
    hits = generator.binomial(10, generator.beta(rate * a, (1 - rate) * a, size=(20_000, subjects)))
    found, n = hits.mean(axis=1) / 10, 10 * subjects
    variance = hits.var(axis=1, ddof=1) / 100 / subjects
    varied = (variance > 0) & (found < 1)
    size = np.where(varied, found * (1 - found) / np.where(varied, variance, 1), subjects)
    trials = cautious_trials(found * (1 - found), np.clip(size, 1, n), 1 / subjects, n, 0.05)
    assert (clopper_pearson(found * trials, trials, 0.05)[0] >= rate).mean() <= 0.05
    if (rate, correlation, subjects) == (0.95, 0.6, 50):
        assert (clopper_pearson(found * size, size, 0.05)[0] >= rate).mean() > 0.065


def test_normal_tail():
    z = np.array([-3, 0, 2, 8.0])
    np.testing.assert_allclose(normal_tail(z), stats.norm.sf(z))
