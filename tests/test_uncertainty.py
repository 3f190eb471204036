"""Uncertainty: each interval and test is held against a second computation, and against what it claims."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import confint_proportions_2indep

from fairfer.stats import (
    Estimates,
    additional_sample_size,
    benjamini_hochberg,
    permutation_test,
    stratified_permutation_test,
    permutation_test_of_subjects,
    estimate_by_subjects,
    gap_bounds,
    holm,
    minimum_detectable_difference,
    newcombe,
    paired_difference,
    wilson,
)


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


def permuted_gaps(hits, trials, permutations, seed) -> np.ndarray:
    """Gaps after shuffling who belongs to which group, row by row."""
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
def test_the_chance_gap_is_that_of_shuffled_rows(hits, trials):
    """Drawn on counts or by shuffling rows: the same distribution, its 95 % quantile and p within Monte Carlo error."""
    found = permutation_test(hits, trials, permutations=20_000, generator=np.random.default_rng(1))
    null = permuted_gaps(hits, trials, 3000, seed=2)
    rates = np.array(hits) / np.array(trials)
    observed = rates.max() - rates.min()
    p = (null >= observed - 1e-12).mean()
    assert found.p == pytest.approx(p, abs=4 * np.sqrt(max(p * (1 - p), 0.01) / 3000) + 1e-3)
    assert np.quantile(null, 0.92) - 1e-9 <= found.gap <= np.quantile(null, 0.98) + 1e-9


def test_two_groups_have_fishers_p():
    """For two groups of one size the gap orders tables as Fisher's exact test does."""
    for a, b, n in ((8, 15, 20), (1, 6, 12), (10, 10, 20)):
        found = permutation_test([a, b], [n, n], permutations=40_000, generator=np.random.default_rng(3))
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
        alarms += permutation_test(hits, trials, permutations=199, generator=generator).p <= 0.05
    assert alarms / runs <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)


def test_a_planted_gap_is_found():
    """A test that never rejects would pass the one above."""
    generator = np.random.default_rng(5)
    found = sum(
        permutation_test(generator.binomial([200, 200], [0.9, 0.7]), [200, 200], permutations=199, generator=generator).p <= 0.05
        for _ in range(100)
    )
    assert found >= 95


def test_more_samples_than_numpy_can_deal_are_normal(monkeypatch):
    """From a thousand million samples on; held against dealing where both can be done."""
    from fairfer.stats import expected_by_chance as module

    k, n = [60_000, 30_100, 8_900], [100_000, 50_000, 15_000]
    dealt = permutation_test(k, n, permutations=20_000, generator=np.random.default_rng(1))
    monkeypatch.setattr(module, "_MOST", 1000)
    normal = permutation_test(k, n, permutations=20_000, generator=np.random.default_rng(2))
    assert normal.gap == pytest.approx(dealt.gap, rel=0.03)
    assert normal.p == pytest.approx(dealt.p, abs=0.02)
    monkeypatch.undo()
    many = [5_000_000_000, 3_333_333_333]
    huge = permutation_test([3_000_000_000, 2_000_100_000], many, permutations=500, generator=np.random.default_rng(3))
    assert 0 < huge.gap < 1e-4


@pytest.mark.parametrize(("hits", "trials"), [([0, 0], [5, 9]), ([5, 9], [5, 9])])
def test_no_difference_is_no_evidence(hits, trials):
    """All right or all wrong: the gap is 0 and p is 1."""
    found = permutation_test(hits, trials, permutations=100, generator=np.random.default_rng(0))
    assert (found.gap, found.p) == (0, 1)


def test_p_is_never_0():
    """The observed table is one of the permutations."""
    found = permutation_test([0, 500], [500, 500], permutations=99, generator=np.random.default_rng(0))
    assert found.p == pytest.approx(0.01)


def test_the_same_seed_gives_the_same_chance():
    """An audit can be made again to the last digit."""
    one, two = (permutation_test([8, 15], [20, 20], permutations=500, generator=np.random.default_rng(7)) for _ in range(2))
    assert one == two
    wider = permutation_test([8, 15], [20, 20], permutations=500, generator=np.random.default_rng(7), confidence=0.99)
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


pairs = st.tuples(st.integers(1, 400), st.floats(0, 1))


@given(pairs, pairs, st.sampled_from([0.8, 0.9, 0.95]))
def test_newcombe_is_statsmodels(one, other, confidence):
    """The hybrid score interval of statsmodels, one pair at a time."""
    (n, a), (m, b) = one, other
    k, j = round(a * n), round(b * m)
    low, high = newcombe([k], [n], [j], [m], confidence)
    theirs = confint_proportions_2indep(k, n, j, m, method="newcomb", alpha=1 - confidence)
    assert (low[0], high[0]) == pytest.approx(theirs, abs=1e-9)
    assert low[0] <= k / n - j / m <= high[0]


def test_newcombes_own_example():
    """Newcombe (1998), table II, example a (56/70 v 48/80), method 10: 0.0524 to 0.3339."""
    low, high = newcombe(56, 70, 48, 80)
    assert (float(low), float(high)) == pytest.approx((0.0524, 0.3339), abs=5e-5)


@given(pairs, pairs)
def test_swapping_the_groups_mirrors_the_difference(one, other):
    """What one has over the other, the other lacks."""
    (n, a), (m, b) = one, other
    there, back = newcombe(round(a * n), n, round(b * m), m), newcombe(round(b * m), m, round(a * n), n)
    assert (float(there[0]), float(there[1])) == pytest.approx((-float(back[1]), -float(back[0])))


def test_equality_is_covered():
    """Fairlearn's ``difference_ci`` covers a true gap of 0 in no simulation; this interval in about 95 of a hundred."""
    generator = np.random.default_rng(6)
    k = generator.binomial(100, 0.8, size=(4000, 2))
    low, high = newcombe(k[:, 0], 100, k[:, 1], 100)
    assert 0.935 < ((low <= 0) & (high >= 0)).mean() < 0.97


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 300))
def test_a_paired_difference_lies_in_its_interval(more, less, rest):
    """Also where nothing or everything changed, and mirrored when the two are swapped."""
    n = more + less + rest
    low, high = paired_difference(more, less, n)
    back = paired_difference(less, more, n)
    if not n:
        assert np.isnan(low)
        return
    assert -1 <= low <= (more - less) / n <= high <= 1
    assert (float(low), float(high)) == pytest.approx((-float(back[1]), -float(back[0])))


def test_a_paired_difference_is_covered_about_as_often_as_it_says():
    """Two proportions of the same 120 samples."""
    generator = np.random.default_rng(7)
    drawn = generator.multinomial(120, [0.12, 0.05, 0.83], size=4000)
    low, high = paired_difference(drawn[:, 0], drawn[:, 1], 120)
    assert 0.935 < ((low <= 0.07) & (high >= 0.07)).mean() < 0.975


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_is_statsmodels(p):
    """Adjusted p-values of ``multipletests``."""
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])


def test_an_empty_family_has_no_adjusted_p():
    """No test, no error."""
    assert holm([]).size == 0


@given(st.lists(st.integers(0, 40), min_size=2, max_size=6))
def test_bounds_hold_the_gap_seen(hits):
    """Some pair surely differs by at most as much as the widest pair does, and no pair surely by more than the upper bound."""
    k, n = np.array(hits), np.full(len(hits), 40)
    low, high = gap_bounds(Estimates.of_counts(k, n))
    assert 0 <= low <= np.ptp(k / n) + 1e-12 <= high + 1e-9


def newcombe_corrected(hits, trials, tail):
    """Newcombe's method 11 for two groups, from scipy's Wilson interval with continuity correction."""
    (p, low, high), (q, other_low, other_high) = (
        (k / n, *stats.binomtest(k, n).proportion_ci(confidence_level=1 - 2 * tail, method="wilsoncc"))
        for k, n in zip(hits, trials, strict=True)
    )
    return p - q - math.hypot(p - low, other_high - q), p - q + math.hypot(high - p, q - other_low)


def test_bounds_of_two_groups_are_one_sided_newcombe():
    """Far from 0 the lower bound is Newcombe's one-sided one; the upper bound is uncorrected however many groups there are."""
    low, high = gap_bounds(Estimates.of_counts([180, 120], [200, 200]))
    assert (float(low), float(high)) == pytest.approx(newcombe_corrected([180, 120], [200, 200], 0.05), abs=1e-6)
    more_low, more_high = gap_bounds(Estimates.of_counts([180, 120, 150], [200, 200, 200]))
    assert more_high == pytest.approx(float(high))
    assert more_low < low


@given(st.integers(1, 500), st.floats(0, 1), st.sampled_from([0.01, 0.025, 0.1]))
def test_limits_that_decide_are_scipys_with_continuity_correction(n, share, tail):
    """Against scipy's ``proportion_ci(method="wilsoncc")``."""
    k = round(share * n)
    low, high = Estimates.of_counts(k, n).limits(tail, continuity=True)
    wanted = stats.binomtest(k, n).proportion_ci(confidence_level=1 - 2 * tail, method="wilsoncc")
    assert (float(low), float(high)) == pytest.approx((float(wanted.low), float(wanted.high)), abs=1e-9)


def test_bounds_near_0_are_two_sided():
    """A difference that only a one-sided test would call sure is none: either group could have been the worse one."""
    n = 200
    one_sided = [k for k in range(100, 140) if newcombe_corrected((k, 100), (n, n), 0.05)[0] > 0]
    assert float(gap_bounds(Estimates.of_counts([one_sided[0], 100], [n, n]))[0]) == 0
    two_sided = [k for k in range(100, 140) if newcombe_corrected((k, 100), (n, n), 0.025)[0] > 0]
    assert float(gap_bounds(Estimates.of_counts([two_sided[0] + 1, 100], [n, n]))[0]) > 0


@pytest.mark.parametrize(
    ("sizes", "rates", "limit"),
    [
        ([200, 200], [0.8, 0.7], 0.1),
        ([400] * 8, [0.8] * 7 + [0.7], 0.1),
        ([20, 20], [0.5, 0.49], 0.01),
        ([50, 50], [0.5, 0.5], 0),
        ([30, 500], [0.02, 0.0], 0.02),
        ([20, 200], [0.2, 0.0], 0.2),
        ([20, 200], [0.1, 0.5], 0.4),
    ],
)
def test_a_gap_at_the_limit_is_rarely_called_within_or_beyond_it(sizes, rates, limit):
    """The promise a gate rests on: each wrong claim in at most 5 %."""
    generator = np.random.default_rng(8)
    k = generator.binomial(sizes, rates, size=(8000, len(sizes)))
    low, high = gap_bounds(Estimates.of_counts(k, np.broadcast_to(sizes, k.shape)))
    margin = 3 * np.sqrt(0.05 * 0.95 / 8000)
    assert (low > limit).mean() <= 0.05 + margin
    assert (high <= limit).mean() <= (0.05 + margin if limit else 0)


def test_bounds_have_power():
    """Bounds that never decide anything would pass the test above."""
    generator = np.random.default_rng(9)
    equal = generator.binomial(1000, 0.8, size=(500, 8))
    assert (gap_bounds(Estimates.of_counts(equal, np.full(equal.shape, 1000)))[1] <= 0.1).mean() > 0.97
    wide = generator.binomial(400, [0.8] * 7 + [0.6], size=(500, 8))
    assert (gap_bounds(Estimates.of_counts(wide, np.full(wide.shape, 400)))[0] > 0.1).mean() > 0.85


def test_people_with_one_sample_each_are_independent_samples():
    """The null of people is then the null of samples, and so is p."""
    rows = {"permutations": 20_000, "confidence": 0.95}
    plain = permutation_test([80, 60], [100, 90], generator=np.random.default_rng(1), **rows)
    hits = [1] * 80 + [0] * 20 + [1] * 60 + [0] * 30
    people = permutation_test_of_subjects([0] * 100 + [1] * 90, hits, [1] * 190, generator=np.random.default_rng(2), **rows)
    assert people.p == pytest.approx(plain.p, abs=0.01)
    assert people.gap == pytest.approx(plain.gap, abs=0.02)


def spread(member, hits, trials) -> tuple[np.ndarray, np.ndarray]:
    """Rate of each group and its standard error, person by person; no less than if these people were like all."""
    pooled = hits.sum() / trials.sum()
    pairs = (trials * (trials - 1)).sum()
    even = pooled * (1 - pooled)
    alike = (((hits - pooled * trials) ** 2).sum() / even - trials.sum()) / pairs if even and pairs else 0
    alike = min(max(alike, 0), 1)
    rates, errors = [], []
    for g in range(member.max() + 1):
        k, n = hits[member == g], trials[member == g]
        rates.append(k.sum() / n.sum())
        own = ((k - rates[-1] * n) ** 2).sum() * len(n) / max(len(n) - 1, 1)
        least = even * (n * (1 + (n - 1) * alike)).sum()
        errors.append(math.sqrt(max(own, least)) / n.sum())
    return np.array(rates), np.array(errors)


def dealt_people(member, hits, trials, permutations, seed) -> np.ndarray:
    """Gaps after shuffling which group each person is in, person by person: plain, or stretched pair by pair, if wider."""
    generator = np.random.default_rng(seed)
    pairs = list(itertools.combinations(range(member.max() + 1), 2))
    _, as_is = spread(member, hits, trials)
    gaps = []
    for _ in range(permutations):
        rates, errors = spread(generator.permutation(member), hits, trials)
        stretched = [
            abs(rates[i] - rates[j]) * math.hypot(as_is[i], as_is[j]) / math.hypot(errors[i], errors[j])
            for i, j in pairs
            if math.hypot(errors[i], errors[j])
        ]
        gaps.append(max([np.ptp(rates), *stretched]))
    return np.array(gaps)


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4), st.integers(1, 4)), min_size=6, max_size=14).filter(
        lambda units: {u[0] for u in units} == {0, 1, 2}
    )
)
@settings(max_examples=8)
def test_people_are_dealt_whole(units):
    """Drawn kind by kind on counts, or by shuffling people: the same p."""
    member, hits, trials = (np.array(c) for c in zip(*units, strict=True))
    hits = np.minimum(hits, trials)
    found = permutation_test_of_subjects(member, hits, trials, permutations=4000, generator=np.random.default_rng(3))
    rates = np.bincount(member, hits) / np.bincount(member, trials)
    p = (dealt_people(member, hits, trials, 1500, 4) >= np.ptp(rates) - 1e-12).mean()
    assert found.p == pytest.approx(p, abs=0.065)


def test_pictures_of_few_people_prove_little():
    """Two people with a hundred pictures each, one always read and one never: as chance, this is the rule and no exception."""
    alone = permutation_test([100, 0], [100, 100], permutations=999, generator=np.random.default_rng(0))
    people = permutation_test_of_subjects([0, 1], [100, 0], [100, 100], permutations=999, generator=np.random.default_rng(0))
    assert alone.p == 0.001
    assert people.p == 1


@pytest.mark.parametrize("shape", [((10, 2), (100, 20)), ((30, 1), (30, 10)), ((20, 2), (20, 10), (50, 30))])
@pytest.mark.parametrize(("rate", "agreement"), [(0.7, 0.0), (0.7, 0.4), (0.95, 0.1)])
def test_groups_whose_people_have_more_pictures_are_not_called_different_for_that(shape, rate, agreement):
    """Dealing people alone found differences in up to 42 % of such equal groups."""
    generator = np.random.default_rng(6)
    group = np.repeat(np.arange(len(shape)), [people for people, _ in shape])
    trials = np.repeat([n for _, n in shape], [people for people, _ in shape])
    times, alarms = 200, 0
    for _ in range(times):
        own = np.full(len(group), rate)
        if agreement:
            own = generator.beta(rate * (1 / agreement - 1), (1 - rate) * (1 / agreement - 1), len(group))
        hits = generator.binomial(trials, own)
        alarms += permutation_test_of_subjects(group, hits, trials, permutations=200, generator=generator).p <= 0.05
    assert alarms / times <= 0.07 + 3 * np.sqrt(0.07 * 0.93 / times)


def test_a_stratum_alone_is_no_stratum():
    """One stratum of weight 1 gives what the plain null gives, draw for draw."""
    k, n = np.array([[15, 9]]), np.array([[20, 25]])
    plain = permutation_test(k[0], n[0], permutations=500, generator=np.random.default_rng(5))
    assert stratified_permutation_test(k, n, np.ones(1), permutations=500, generator=np.random.default_rng(5)) == plain


def test_a_gap_made_by_the_mix_alone_is_chance_within_strata():
    """Simpson's paradox: equal within each stratum, far apart over both."""
    k, n = np.array([[90, 9], [2, 20]]), np.array([[100, 10], [10, 100]])
    plain = permutation_test(k.sum(0), n.sum(0), permutations=999, generator=np.random.default_rng(0))
    within = stratified_permutation_test(k, n, np.array([0.5, 0.5]), permutations=999, generator=np.random.default_rng(0))
    assert plain.p == 0.001
    assert within.p > 0.9


def test_one_picture_a_person_is_as_good_as_independent():
    """Effective size is then about the number of pictures, and the interval about Wilson's."""
    hits = np.repeat([1, 0], [160, 40])[:, None]
    known = estimate_by_subjects(hits, np.ones_like(hits), generator=np.random.default_rng(0))
    assert known.rate[0] == 0.8
    assert known.size[0] == pytest.approx(200, rel=0.08)
    low, high = known.limits(0.025)
    assert (low[0], high[0]) == pytest.approx([float(x) for x in wilson(160, 200)], abs=0.01)


def test_copies_of_a_picture_teach_nothing():
    """Each person photographed ten times, always alike: known as well as from one picture each, not ten times better."""
    hits = np.repeat([10, 0], [40, 10])[:, None]
    known = estimate_by_subjects(hits, np.full_like(hits, 10), generator=np.random.default_rng(1))
    assert known.size[0] == pytest.approx(50, rel=0.15)
    assert known.degrees_of_freedom[0] == 49


def test_people_who_are_all_right_are_not_certainty():
    """Three people with a hundred pictures each, all read rightly: where a bootstrap of people says [1, 1]."""
    known = estimate_by_subjects([[100]] * 3, [[100]] * 3, generator=np.random.default_rng(2))
    low, high = known.limits(0.025)
    assert (known.size[0], high[0]) == (3, 1)
    assert low[0] < 0.2


def test_nobody_tells_nothing():
    """A rate that no person has trials for, and a group without people."""
    known = estimate_by_subjects([[0, 1], [0, 0]], [[0, 1], [0, 1]], generator=np.random.default_rng(3))
    assert np.isnan(known.limits(0.025)[0][0])
    nobody = estimate_by_subjects(np.zeros((0, 2)), np.zeros((0, 2)), generator=np.random.default_rng(3))
    assert np.isnan(nobody.limits(0.025)[0]).all()


@pytest.mark.parametrize(("sizes", "rate"), [([200, 200], 0.8), ([60, 300], 0.5), ([100, 100, 400], 0.7)])
def test_a_detectable_gap_is_detected(sizes, rate):
    """Four times in five, or more often: planted between the two groups that are known least, lower and higher in turn."""
    generator = np.random.default_rng(11)
    trials = np.array(sizes)
    equal = np.rint(trials * rate).astype(int)
    expected_by_chance = permutation_test(equal, trials, permutations=4000, generator=generator)
    gap = minimum_detectable_difference(expected_by_chance.gap, rate, trials)
    for low, high in ((0, 1), (1, 0)):
        truth = np.full(len(sizes), rate)
        share = trials[low] / (trials[0] + trials[1])
        truth[high], truth[low] = rate + gap * share, rate - gap * (1 - share)
        found = [
            permutation_test(generator.binomial(trials, truth), trials, permutations=199, generator=generator).p <= 0.05
            for _ in range(300)
        ]
        assert np.mean(found) >= 0.8 - 3 * np.sqrt(0.8 * 0.2 / 300)
    narrow = np.full(len(sizes), rate)
    narrow[0] -= gap / 2
    found = [
        permutation_test(generator.binomial(trials, narrow), trials, permutations=199, generator=generator).p <= 0.05
        for _ in range(300)
    ]
    assert np.mean(found) < 0.7


def test_the_detectable_gap_of_two_groups_is_the_textbooks():
    """About 480 faces a group to tell .85 from .78 with 80 % power; here a face more, as gaps come in steps of one."""
    found = minimum_detectable_difference(1.96 * np.sqrt(2 * 0.815 * 0.185 / 480), 0.815, [480, 480])
    assert found == pytest.approx(0.07 + 1 / 480, abs=0.001)


def test_no_gap_can_be_detected_where_chance_makes_any():
    """Two faces a group; and a rate that never varied."""
    assert minimum_detectable_difference(1.0, 0.5, [2, 2]) is None
    assert minimum_detectable_difference(0.0, 1.0, [200, 200]) is None
    assert minimum_detectable_difference(0.99, 0.5, [3, 3]) is None
    assert 0.6 < minimum_detectable_difference(0.6, 0.5, [10, 10]) <= 1


def test_more_images_settle_a_gap():
    """With as many as it says the observed rates, were they the true ones, are told apart four times in five."""
    more = additional_sample_size([160, 220], [200, 300])
    trials = np.array([200 + more.get(0, 0), 300 + more.get(1, 0)])
    generator = np.random.default_rng(12)
    rates = [0.8, 220 / 300]
    found = [
        permutation_test(generator.binomial(trials, rates), trials, permutations=199, generator=generator).p <= 0.05
        for _ in range(400)
    ]
    assert np.mean(found) == pytest.approx(0.8, abs=0.07)


def test_what_is_settled_needs_no_more_and_what_is_equal_is_never_settled():
    """Empty, or nothing at all; and one group alone where that is enough."""
    assert additional_sample_size([180, 120], [200, 200]) == {}
    assert additional_sample_size([100, 100], [200, 200]) is None
    assert additional_sample_size([100_000, 100_001], [200_000, 200_000]) is None
    assert set(additional_sample_size([18, 1900], [30, 2500])) == {0}


def test_a_small_group_between_the_extremes_is_grown_too():
    """It makes the chance gap wide, however many images the others have."""
    hits, sizes = np.array([26, 165, 800]), np.array([30, 200, 900])
    more = additional_sample_size(hits, sizes)
    assert set(more) == {0, 1, 2}
    trials = sizes + more[0]
    generator = np.random.default_rng(13)
    rates = hits / sizes
    found = [
        permutation_test(generator.binomial(trials, rates), trials, permutations=199, generator=generator).p <= 0.05
        for _ in range(300)
    ]
    assert np.mean(found) > 0.7
