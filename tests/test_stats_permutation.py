"""Permutation tests of a gap: against shuffled rows, Fisher's exact test, their size and their power."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fairfer.stats import parametric_gap_test, permutation_test, permutation_test_of_subjects, stratified_permutation_test


def permuted_gaps(hits, trials, permutations, seed) -> np.ndarray:
    """Gaps after shuffling group membership, row by row."""
    generator = np.random.default_rng(seed)
    right = np.concatenate([np.repeat([1, 0], [k, n - k]) for k, n in zip(hits, trials, strict=True)])
    member = np.repeat(np.arange(len(trials)), trials)
    gaps = []
    for _ in range(permutations):
        shuffled = generator.permutation(member)
        rates = [right[shuffled == g].mean() for g in range(len(trials))]
        gaps.append(max(rates) - min(rates))
    return np.array(gaps)


@pytest.mark.parametrize(
    ("hits", "trials"),
    [([8, 15], [20, 20]), ([5, 9, 20], [10, 12, 40]), ([0, 3], [5, 50]), ([30, 35, 20, 25], [40, 40, 30, 30])],
)
def test_permutation_on_counts_equals_shuffled_rows(hits, trials):
    """The 95th percentile and the p-value agree within Monte-Carlo error."""
    result = permutation_test(hits, trials, permutations=20_000, generator=np.random.default_rng(1))
    null = permuted_gaps(hits, trials, 3000, seed=2)
    rates = np.array(hits) / np.array(trials)
    observed = rates.max() - rates.min()
    p = (null >= observed - 1e-12).mean()
    assert result.p == pytest.approx(p, abs=4 * np.sqrt(max(p * (1 - p), 0.01) / 3000) + 1e-3)
    assert np.quantile(null, 0.92) - 1e-9 <= result.expected <= np.quantile(null, 0.98) + 1e-9


def test_p_of_two_groups_is_that_of_fishers_exact_test():
    """For two groups of one size the gap orders tables as Fisher's exact test does."""
    for a, b, n in ((8, 15, 20), (1, 6, 12), (10, 10, 20)):
        result = permutation_test([a, b], [n, n], permutations=40_000, generator=np.random.default_rng(3))
        exact = stats.fisher_exact([[a, n - a], [b, n - b]]).pvalue
        assert result.p == pytest.approx(exact, abs=4 * np.sqrt(0.25 / 40_000))


@pytest.mark.parametrize("trials", [[30, 30], [25, 50, 200], [20] * 6])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_size_is_at_most_5_percent(trials, rate):
    """With three standard errors of the simulation on top."""
    generator = np.random.default_rng(4)
    runs, rejections = 600, 0
    for _ in range(runs):
        hits = generator.binomial(trials, rate)
        rejections += permutation_test(hits, trials, permutations=199, generator=generator).p <= 0.05
    assert rejections / runs <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)


def test_a_planted_gap_is_significant():
    """A test that never rejects would pass the one above."""
    generator = np.random.default_rng(5)
    result = sum(
        permutation_test(generator.binomial([200, 200], [0.9, 0.7]), [200, 200], permutations=199, generator=generator).p
        <= 0.05
        for _ in range(100)
    )
    assert result >= 95


def test_large_counts_use_the_normal_approximation(monkeypatch):
    """From 1,000,000,000 samples on; compared with the exact test where both are possible."""
    from fairfer.stats import permutation as module

    k, n = [60_000, 30_100, 8_900], [100_000, 50_000, 15_000]
    exact = permutation_test(k, n, permutations=20_000, generator=np.random.default_rng(1))
    monkeypatch.setattr(module, "_HYPERGEOMETRIC_LIMIT", 1000)
    normal = permutation_test(k, n, permutations=20_000, generator=np.random.default_rng(2))
    assert normal.expected == pytest.approx(exact.expected, rel=0.03)
    assert normal.p == pytest.approx(exact.p, abs=0.02)
    monkeypatch.undo()
    many = [5_000_000_000, 3_333_333_333]
    huge = permutation_test([3_000_000_000, 2_000_100_000], many, permutations=500, generator=np.random.default_rng(3))
    assert 0 < huge.expected < 1e-4


@pytest.mark.parametrize(("hits", "trials"), [([0, 0], [5, 9]), ([5, 9], [5, 9])])
def test_equal_rates_of_0_or_1_have_p_1(hits, trials):
    result = permutation_test(hits, trials, permutations=100, generator=np.random.default_rng(0))
    assert (result.expected, result.p) == (0, 1)


def test_p_is_never_0():
    """The observed table is one of the permutations."""
    result = permutation_test([0, 500], [500, 500], permutations=99, generator=np.random.default_rng(0))
    assert result.p == pytest.approx(0.01)


def test_the_same_seed_gives_the_same_result():
    first, second = (
        permutation_test([8, 15], [20, 20], permutations=500, generator=np.random.default_rng(7)) for _ in range(2)
    )
    assert first == second
    wider = permutation_test([8, 15], [20, 20], permutations=500, generator=np.random.default_rng(7), confidence=0.99)
    assert wider.expected >= first.expected


def test_subjects_with_one_sample_each_are_independent_samples():
    rows = {"permutations": 20_000, "confidence": 0.95}
    plain = permutation_test([80, 60], [100, 90], generator=np.random.default_rng(1), **rows)
    hits = [1] * 80 + [0] * 20 + [1] * 60 + [0] * 30
    subjects = permutation_test_of_subjects([0] * 100 + [1] * 90, hits, [1] * 190, generator=np.random.default_rng(2), **rows)
    assert subjects.p == pytest.approx(plain.p, abs=0.01)
    assert subjects.expected == pytest.approx(plain.expected, abs=0.02)


def rates_and_errors(member, hits, trials) -> tuple[np.ndarray, np.ndarray]:
    """Rate of each group and its standard error, which is at least that of units with the pooled rate and correlation."""
    pooled = hits.sum() / trials.sum()
    pairs = (trials * (trials - 1)).sum()
    variance = pooled * (1 - pooled)
    correlation = (((hits - pooled * trials) ** 2).sum() / variance - trials.sum()) / pairs if variance and pairs else 0
    correlation = min(max(correlation, 0), 1)
    rates, errors = [], []
    for g in range(member.max() + 1):
        k, n = hits[member == g], trials[member == g]
        rates.append(k.sum() / n.sum())
        own = ((k - rates[-1] * n) ** 2).sum() * len(n) / max(len(n) - 1, 1)
        least = variance * (n * (1 + (n - 1) * correlation)).sum()
        errors.append(math.sqrt(max(own, least)) / n.sum())
    return np.array(rates), np.array(errors)


def permuted_subject_gaps(member, hits, trials, permutations, seed) -> np.ndarray:
    """Gaps after shuffling the group of each subject: the plain one or, where larger, the largest rescaled difference."""
    generator = np.random.default_rng(seed)
    pairs = list(itertools.combinations(range(member.max() + 1), 2))
    _, observed_errors = rates_and_errors(member, hits, trials)
    gaps = []
    for _ in range(permutations):
        rates, errors = rates_and_errors(generator.permutation(member), hits, trials)
        rescaled = [
            abs(rates[i] - rates[j]) * math.hypot(observed_errors[i], observed_errors[j]) / math.hypot(errors[i], errors[j])
            for i, j in pairs
            if math.hypot(errors[i], errors[j])
        ]
        gaps.append(max([np.ptp(rates), *rescaled]))
    return np.array(gaps)


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4), st.integers(1, 4)), min_size=6, max_size=14).filter(
        lambda units: {u[0] for u in units} == {0, 1, 2}
    )
)
@settings(max_examples=8)
def test_subjects_are_permuted_with_all_of_their_samples(units):
    """On counts by kind, or by shuffling subjects: the same p-value within Monte-Carlo error."""
    member, hits, trials = (np.array(c) for c in zip(*units, strict=True))
    hits = np.minimum(hits, trials)
    result = permutation_test_of_subjects(member, hits, trials, permutations=4000, generator=np.random.default_rng(3))
    rates = np.bincount(member, hits) / np.bincount(member, trials)
    p = (permuted_subject_gaps(member, hits, trials, 1500, 4) >= np.ptp(rates) - 1e-12).mean()
    assert result.p == pytest.approx(p, abs=0.065)


def test_many_samples_of_two_subjects_are_no_evidence():
    """Two subjects with a hundred samples each, one always right and one never."""
    alone = permutation_test([100, 0], [100, 100], permutations=999, generator=np.random.default_rng(0))
    subjects = permutation_test_of_subjects([0, 1], [100, 0], [100, 100], permutations=999, generator=np.random.default_rng(0))
    assert alone.p == 0.001
    assert subjects.p == 1


@pytest.mark.parametrize("shape", [((10, 2), (100, 20)), ((30, 1), (30, 10)), ((20, 2), (20, 10), (50, 30))])
@pytest.mark.parametrize(("rate", "correlation"), [(0.7, 0.0), (0.7, 0.4), (0.95, 0.1)])
def test_size_with_unequal_samples_per_subject(shape, rate, correlation):
    """Permuting subjects without rescaling rejected in up to 42 % of such equal groups."""
    generator = np.random.default_rng(6)
    group = np.repeat(np.arange(len(shape)), [subjects for subjects, _ in shape])
    trials = np.repeat([n for _, n in shape], [subjects for subjects, _ in shape])
    times, rejections = 200, 0
    for _ in range(times):
        own = np.full(len(group), rate)
        if correlation:
            own = generator.beta(rate * (1 / correlation - 1), (1 - rate) * (1 / correlation - 1), len(group))
        hits = generator.binomial(trials, own)
        rejections += permutation_test_of_subjects(group, hits, trials, permutations=200, generator=generator).p <= 0.05
    assert rejections / times <= 0.07 + 3 * np.sqrt(0.07 * 0.93 / times)


def test_one_stratum_is_the_plain_permutation_test():
    """One stratum of weight 1 gives the same result, draw for draw."""
    k, n = np.array([[15, 9]]), np.array([[20, 25]])
    plain = permutation_test(k[0], n[0], permutations=500, generator=np.random.default_rng(5))
    assert stratified_permutation_test(k, n, np.ones(1), permutations=500, generator=np.random.default_rng(5)) == plain


def test_simpsons_paradox_is_not_significant_within_strata():
    """Equal within each stratum, far apart over both."""
    k, n = np.array([[90, 9], [2, 20]]), np.array([[100, 10], [10, 100]])
    plain = permutation_test(k.sum(0), n.sum(0), permutations=999, generator=np.random.default_rng(0))
    within = stratified_permutation_test(k, n, np.array([0.5, 0.5]), permutations=999, generator=np.random.default_rng(0))
    assert plain.p == 0.001
    assert within.p > 0.9


def test_parametric_gap_test_of_two_groups_is_the_t_test():
    """Of two rates with equal errors and many degrees of freedom, the gap is a normal difference."""
    rate, error = np.array([0.8, 0.7]), np.array([0.04, 0.04])
    freedom = np.array([1e6, 1e6])
    result = parametric_gap_test(rate, error, freedom, permutations=40_000, generator=np.random.default_rng(1))
    deviation = 0.04 * np.sqrt(2)
    assert result.p == pytest.approx(2 * stats.norm.sf(0.1 / deviation), abs=0.005)
    assert result.expected == pytest.approx(stats.norm.ppf(0.975) * deviation, rel=0.02)
