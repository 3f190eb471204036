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
from fairfer.stats.conditional import conditional_gap, conditional_p, least_conditional_p


def largest_score(right, member, groups) -> float:
    """Largest score statistic of all pairs, and of each group vs. the rest, by 2 x 2 tables of rows."""
    sides = [([i], [j]) for i, j in itertools.combinations(range(groups), 2)]
    if groups > 2:
        sides += [([i], [j for j in range(groups) if j != i]) for i in range(groups)]
    largest = 0.0
    for one, other in sides:
        a, b = right[np.isin(member, one)], right[np.isin(member, other)]
        table = np.array([[a.sum(), len(a) - a.sum()], [b.sum(), len(b) - b.sum()]])
        if table.sum(axis=0).all():
            largest = max(largest, math.sqrt(stats.chi2_contingency(table, correction=False).statistic))
    return largest


def shuffled(hits, trials, permutations, seed) -> tuple[np.ndarray, np.ndarray, float]:
    """Gaps and largest score statistics after shuffling group membership, row by row, and the observed statistic."""
    generator = np.random.default_rng(seed)
    right = np.concatenate([np.repeat([1, 0], [k, n - k]) for k, n in zip(hits, trials, strict=True)])
    member = np.repeat(np.arange(len(trials)), trials)
    gaps, largest = [], []
    for _ in range(permutations):
        other = generator.permutation(member)
        rates = [right[other == g].mean() for g in range(len(trials))]
        gaps.append(max(rates) - min(rates))
        largest.append(largest_score(right, other, len(trials)))
    return np.array(gaps), np.array(largest), largest_score(right, member, len(trials))


@pytest.mark.parametrize(
    ("hits", "trials"),
    [([8, 15], [20, 20]), ([5, 9, 20], [10, 12, 40]), ([0, 3], [5, 50]), ([30, 35, 20, 25], [40, 40, 30, 30])],
)
def test_permutation_on_counts_equals_shuffled_rows(hits, trials):
    """The 95th percentile of the gap and the p-value agree within Monte-Carlo error.

    With more than two groups the p-value may be larger: no statistic counts for more than its exact conditional p-value.
    """
    result = permutation_test(hits, trials, permutations=20_000, generator=np.random.default_rng(1))
    gaps, largest, observed = shuffled(hits, trials, 800, seed=2)
    p = (largest >= observed - 1e-9).mean()
    error = 4 * np.sqrt(max(p * (1 - p), 0.01) / 800) + 1e-3
    assert p - error <= result.p <= p + error + (0.05 if len(hits) > 2 else 0)
    assert np.quantile(gaps, 0.92) - 1e-9 <= result.expected <= np.quantile(gaps, 0.98) + 1e-9


@given(st.integers(1, 40), st.integers(1, 40), st.data())
@settings(max_examples=60)
def test_the_exact_conditional_p_value_is_the_sum_over_all_tables(n, m, data):
    """Probabilities of all tables with these margins, as whole numbers of ways."""
    k, j = data.draw(st.integers(0, n)), data.draw(st.integers(0, m))
    ways = {i: math.comb(n, i) * math.comb(m, k + j - i) for i in range(max(0, k + j - m), min(n, k + j) + 1)}
    distance = {i: abs(i * (n + m) - n * (k + j)) for i in ways}
    p = sum(w for i, w in ways.items() if distance[i] >= distance[k]) / sum(ways.values())
    assert conditional_p(k, n, j, m) == pytest.approx(p, rel=1e-9)
    assert least_conditional_p(n, m, k + j) == pytest.approx(
        min(sum(w for i, w in ways.items() if distance[i] >= distance[e]) / sum(ways.values()) for e in (min(ways), max(ways))),
        rel=1e-9,
    )


def test_the_conditional_p_value_of_many_samples_is_normal():
    """Above the limit of the exact sum; compared with the normal tail, and below it with scipy's exact test."""
    n = 40_000_000
    z = (0.5002 - 0.5) / math.sqrt(0.5001 * 0.4999 * 2 / n)
    assert conditional_p(int(0.5002 * n), n, int(0.5 * n), n) == pytest.approx(2 * stats.norm.sf(z), rel=1e-3)
    assert conditional_gap(n, n, n, 0.95) == pytest.approx(1.96 * math.sqrt(0.25 * 2 / n), rel=1e-3)
    exact = stats.fisher_exact([[520, 480], [470, 530]]).pvalue
    assert conditional_p(520, 1000, 470, 1000) == pytest.approx(exact, rel=1e-6)


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
    """The observed table is one of the permutations; the exact p-value of two groups is as small as it is."""
    three = permutation_test([0, 500, 500], [500, 500, 500], permutations=99, generator=np.random.default_rng(0))
    assert three.p == pytest.approx(0.01)
    two = permutation_test([0, 5000], [5000, 5000], permutations=99, generator=np.random.default_rng(0))
    assert 0 < two.p < 1e-100


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


def subject_statistics(member, hits, trials, errors=None) -> tuple[list[float], list[float]]:
    """Studentized differences of pairs and of each group vs. the rest, and the standard errors of the differences.

    The variance of a group is at least that of units with the pooled rate and correlation. With the `errors` of the observed
    groups, the smaller error of the two counts.
    """
    pooled = hits.sum() / trials.sum()
    pairs = (trials * (trials - 1)).sum()
    variance = pooled * (1 - pooled)
    correlation = (((hits - pooled * trials) ** 2).sum() / variance - trials.sum()) / pairs if variance and pairs else 0
    correlation = min(max(correlation, 0), 1)

    def rate_and_error(used) -> tuple[float, float]:
        k, n = hits[used], trials[used]
        rate = k.sum() / n.sum()
        own = ((k - rate * n) ** 2).sum() * len(n) / max(len(n) - 1, 1)
        least = variance * (n * (1 + (n - 1) * correlation)).sum()
        return rate, math.sqrt(max(own, least)) / n.sum()

    groups = range(member.max() + 1)
    sides = [(member == i, member == j) for i, j in itertools.combinations(groups, 2)]
    sides += [(member == i, member != i) for i in groups] if len(groups) > 2 else []
    statistics, own_errors = [], []
    for c, (one, other) in enumerate(sides):
        (a, e), (b, f) = rate_and_error(one), rate_and_error(other)
        error = math.hypot(e, f)
        own_errors.append(error)
        least = error if errors is None else min(error, errors[c])
        statistics.append(abs(a - b) / least if least else 0.0)
    return statistics, own_errors


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
    statistics, errors = subject_statistics(member, hits, trials)
    generator = np.random.default_rng(4)
    largest = [max(subject_statistics(generator.permutation(member), hits, trials, errors)[0]) for _ in range(800)]
    p = (np.array(largest) >= max(statistics) - 1e-9).mean()
    assert result.p == pytest.approx(p, abs=0.09)


@pytest.mark.parametrize("subjects", [12, 400])
def test_samples_of_a_subject_in_several_groups_are_permuted_within_it(subjects):
    """By shuffling the groups of each subject's rows; many subjects are permuted together, as normal sums."""
    generator = np.random.default_rng(8)
    group, subject = np.tile([0, 1], subjects), np.repeat(np.arange(subjects), 2)
    trials = np.tile([3, 2], subjects)
    hits = generator.binomial(trials, np.repeat(generator.beta(2, 1, subjects), 2))
    result = permutation_test_of_subjects(
        group, hits, trials, subject=subject, permutations=8000, generator=np.random.default_rng(1)
    )
    rows = np.zeros((subjects, 5), int)
    for s in range(subjects):
        rows[s, : hits[2 * s]] = 1
        rows[s, 3 : 3 + hits[2 * s + 1]] = 1
    observed = abs(rows[:, :3].mean() - rows[:, 3:].mean())
    gaps = []
    for _ in range(1000):
        shuffled_rows = generator.permuted(rows, axis=1)
        gaps.append(abs(shuffled_rows[:, :3].mean() - shuffled_rows[:, 3:].mean()))
    assert result.p == pytest.approx((np.array(gaps) >= observed - 1e-9).mean(), abs=0.09)
    assert result.expected == pytest.approx(np.quantile(gaps, 0.95), rel=0.15)


def test_many_samples_of_two_subjects_are_no_evidence():
    """Two subjects with a hundred samples each, one always right and one never."""
    alone = permutation_test([100, 0], [100, 100], permutations=999, generator=np.random.default_rng(0))
    subjects = permutation_test_of_subjects([0, 1], [100, 0], [100, 100], permutations=999, generator=np.random.default_rng(0))
    assert alone.p < 1e-40
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
    """One stratum of weight 1 has the exact result of two groups, within Monte-Carlo error."""
    k, n = np.array([[15, 9]]), np.array([[20, 25]])
    plain = permutation_test(k[0], n[0], permutations=100, generator=np.random.default_rng(5))
    stratum = stratified_permutation_test(k, n, np.ones(1), permutations=20_000, generator=np.random.default_rng(5))
    assert stratum.p == pytest.approx(plain.p, abs=0.006)
    assert stratum.expected == pytest.approx(plain.expected, abs=0.05)


def test_simpsons_paradox_is_not_significant_within_strata():
    """Equal within each stratum, far apart over both."""
    k, n = np.array([[90, 9], [2, 20]]), np.array([[100, 10], [10, 100]])
    plain = permutation_test(k.sum(0), n.sum(0), permutations=999, generator=np.random.default_rng(0))
    within = stratified_permutation_test(k, n, np.array([0.5, 0.5]), permutations=999, generator=np.random.default_rng(0))
    assert plain.p < 1e-10
    assert within.p > 0.9


def test_parametric_gap_test_of_two_groups_is_the_t_test():
    """Of two rates with equal errors and many degrees of freedom, the gap is a normal difference."""
    rate, error = np.array([0.8, 0.7]), np.array([0.04, 0.04])
    freedom = np.array([1e6, 1e6])
    result = parametric_gap_test(rate, error, freedom, permutations=40_000, generator=np.random.default_rng(1))
    deviation = 0.04 * np.sqrt(2)
    assert result.p == pytest.approx(2 * stats.norm.sf(0.1 / deviation), abs=0.005)
    assert result.expected == pytest.approx(stats.norm.ppf(0.975) * deviation, rel=0.02)
