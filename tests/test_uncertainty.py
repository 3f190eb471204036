"""Uncertainty: each interval and test is held against a second computation, and against what it claims."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fairfer.uncertainty import benjamini_hochberg, chance_gap, wilson


@given(st.integers(1, 3000), st.floats(0, 1), st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99]))
def test_wilson_is_scipys(n, share, confidence):
    """Scipy's ``binomtest(...).proportion_ci('wilson')``, one pair of counts at a time."""
    k = round(share * n)
    low, high = wilson([k], [n], confidence)
    theirs = stats.binomtest(k, n).proportion_ci(confidence, method="wilson")
    assert low[0] == pytest.approx(theirs.low, abs=1e-12)
    assert high[0] == pytest.approx(theirs.high, abs=1e-12)
    assert 0 <= low[0] <= k / n <= high[0] <= 1


def test_wilson_knows_nothing_without_trials():
    """No trials, no interval; the neighbours keep theirs, in any shape."""
    low, high = wilson([[0, 3], [0, 1]], [[0, 3], [5, 2]])
    assert np.isnan(low[0, 0])
    assert np.isnan(high[0, 0])
    assert low[0, 1] == pytest.approx(0.4385, abs=1e-4)
    assert (low[1, 0], high[0, 1]) == (0, 1)


def test_three_of_three_is_not_certainty():
    """Where a bootstrap says [1, 1]."""
    low, high = wilson(3, 3)
    assert float(low) < 0.45
    assert float(high) == 1


@pytest.mark.parametrize(("n", "rate"), list(itertools.product([20, 100, 2000], [0.02, 0.3, 0.8, 0.98])))
def test_wilson_holds_the_truth_about_as_often_as_it_says(n, rate):
    """Exact coverage, summed over every possible outcome; Wilson's is near 95 % and never far below."""
    k = np.arange(n + 1)
    low, high = wilson(k, np.full(n + 1, n))
    coverage = stats.binom.pmf(k, n, rate)[(low <= rate) & (rate <= high)].sum()
    assert 0.92 < coverage < 0.99


def permuted_gaps(hits, trials, draws, seed) -> np.ndarray:
    """Gaps after shuffling who belongs to which group, row by row."""
    generator = np.random.default_rng(seed)
    right = np.concatenate([np.repeat([1, 0], [k, n - k]) for k, n in zip(hits, trials, strict=True)])
    member = np.repeat(np.arange(len(trials)), trials)
    gaps = []
    for _ in range(draws):
        shuffled = generator.permutation(member)
        rates = [right[shuffled == g].mean() for g in range(len(trials))]
        gaps.append(max(rates) - min(rates))
    return np.array(gaps)


@pytest.mark.parametrize(
    ("hits", "trials"),
    [([8, 15], [20, 20]), ([5, 9, 20], [10, 12, 40]), ([0, 3], [5, 50]), ([30, 35, 20, 25], [40, 40, 30, 30])],
)
def test_the_chance_gap_is_that_of_shuffled_rows(hits, trials):
    """Drawn on counts or by shuffling rows: the same distribution, its 95 % quantile and p within Monte Carlo error."""
    found = chance_gap(hits, trials, draws=20_000, generator=np.random.default_rng(1))
    null = permuted_gaps(hits, trials, 3000, seed=2)
    rates = np.array(hits) / np.array(trials)
    observed = rates.max() - rates.min()
    p = (null >= observed - 1e-12).mean()
    assert found.p == pytest.approx(p, abs=4 * np.sqrt(max(p * (1 - p), 0.01) / 3000) + 1e-3)
    assert np.quantile(null, 0.92) - 1e-9 <= found.gap <= np.quantile(null, 0.98) + 1e-9


def test_two_groups_have_fishers_p():
    """For two groups of one size the gap orders tables as Fisher's exact test does."""
    for a, b, n in ((8, 15, 20), (1, 6, 12), (10, 10, 20)):
        found = chance_gap([a, b], [n, n], draws=40_000, generator=np.random.default_rng(3))
        exact = stats.fisher_exact([[a, n - a], [b, n - b]]).pvalue
        assert found.p == pytest.approx(exact, abs=4 * np.sqrt(0.25 / 40_000))


@pytest.mark.parametrize("trials", [[30, 30], [25, 50, 200], [20] * 6])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_equal_groups_are_called_different_at_most_one_time_in_twenty(trials, rate):
    """The claim behind every "wider than chance": size at most 5 %, with the simulation's own error on top."""
    generator = np.random.default_rng(4)
    runs, alarms = 600, 0
    for _ in range(runs):
        hits = generator.binomial(trials, rate)
        alarms += chance_gap(hits, trials, draws=199, generator=generator).p <= 0.05
    assert alarms / runs <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)


def test_a_planted_gap_is_found():
    """A test that never rejects would pass the one above."""
    generator = np.random.default_rng(5)
    found = sum(
        chance_gap(generator.binomial([200, 200], [0.9, 0.7]), [200, 200], draws=199, generator=generator).p <= 0.05
        for _ in range(100)
    )
    assert found >= 95


@pytest.mark.parametrize(("hits", "trials"), [([0, 0], [5, 9]), ([5, 9], [5, 9])])
def test_no_difference_is_no_evidence(hits, trials):
    """All right or all wrong: the gap is 0 and p is 1."""
    found = chance_gap(hits, trials, draws=100, generator=np.random.default_rng(0))
    assert (found.gap, found.p) == (0, 1)


def test_p_is_never_0():
    """The observed table is one of the permutations."""
    found = chance_gap([0, 500], [500, 500], draws=99, generator=np.random.default_rng(0))
    assert found.p == pytest.approx(0.01)


def test_the_same_seed_gives_the_same_chance():
    """An audit can be made again to the last digit."""
    one, two = (chance_gap([8, 15], [20, 20], draws=500, generator=np.random.default_rng(7)) for _ in range(2))
    assert one == two
    wider = chance_gap([8, 15], [20, 20], draws=500, generator=np.random.default_rng(7), confidence=0.99)
    assert wider.gap >= one.gap


def bh_by_hand(p: list[float]) -> list[float]:
    """Benjamini and Hochberg's q, from the definition: the smallest m·p(j)/j over all ranks j from one's own upwards."""
    order = sorted(range(len(p)), key=lambda i: p[i])
    q = [0.0] * len(p)
    for rank, i in enumerate(order, 1):
        q[i] = min(1.0, *(len(p) * p[order[j - 1]] / j for j in range(rank, len(p) + 1)))
    return q


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_benjamini_hochberg_is_its_definition(p):
    """Written out over ranks."""
    assert benjamini_hochberg(p) == pytest.approx(bh_by_hand(p))


def test_ranks_are_ranks_and_not_positions():
    """Giskard's example: ``argsort() + 1`` takes [2, 3, 4, 1] for the ranks of [.9, .001, .02, .5], which are [4, 1, 2, 3]."""
    p = [0.9, 0.001, 0.02, 0.5]
    q = benjamini_hochberg(p)
    assert q == pytest.approx([0.9, 0.004, 0.04, 2 / 3])
    wrong_ranks = np.argsort(p) + 1
    assert list(wrong_ranks) == [2, 3, 4, 1]
    assert not np.allclose(q, np.array(p) * 4 / wrong_ranks)


def test_an_empty_family_has_no_q():
    """No test, no error."""
    assert benjamini_hochberg([]).size == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=10))
def test_q_keeps_the_order_of_p_and_never_falls_below_it(p):
    """Correcting makes nothing more certain and turns no two tests around."""
    q = benjamini_hochberg(p)
    assert (q >= np.array(p) - 1e-12).all()
    for i, j in itertools.combinations(range(len(p)), 2):
        if p[i] < p[j]:
            assert q[i] <= q[j] + 1e-12
