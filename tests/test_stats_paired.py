"""Two models on the same samples: McNemar's mid-p, intervals of a change and of a change of a gap."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fairfer.stats.paired import change_of_gap, mcnemar, paired_difference, paired_limits

EQUAL = np.array([[60, 20, 20, 100], [60, 20, 20, 100]]) / 200
"""Two groups, two models that agree on most samples, and gaps of 0."""

WIDENS = np.array([[130, 20, 5, 45], [90, 5, 35, 70]]) / 200
"""The first group gains, the second loses: the gap goes from 0 to 0.275."""

NARROWS = WIDENS[:, [0, 2, 1, 3]]


def mid_p(b, c):
    """Mid-p by counting every way in which b + c discordant samples can fall."""
    n = b + c
    ways = [math.comb(n, k) for k in range(n + 1)]
    distance = [abs(2 * k - n) for k in range(n + 1)]
    beyond = sum(w for w, d in zip(ways, distance, strict=True) if d > abs(b - c))
    as_far = sum(w for w, d in zip(ways, distance, strict=True) if d == abs(b - c))
    return (beyond + as_far / 2) / 2**n if b != c else 1.0


def bonett_price(b, c, n, confidence=0.95):
    """The formula of the paper, with one discordant sample added to each side."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    p, q = (b + 1) / (n + 2), (c + 1) / (n + 2)
    half = z * math.sqrt((p + q - (p - q) ** 2) / (n + 2))
    return max(p - q - half, -1), min(p - q + half, 1)


def observed_change(cells):
    """The second gap minus the first, by loops."""
    first, second = [], []
    for both, more, less, none in cells:
        trials = both + more + less + none
        first.append((both + less) / trials)
        second.append((both + more) / trials)
    return (max(second) - min(second)) - (max(first) - min(first))


def test_mid_p_by_enumeration():
    """All (b, c) up to 12: the p-value of listing every way in which the discordant samples can fall."""
    b, c = np.meshgrid(np.arange(13), np.arange(13), indexing="ij")
    result = mcnemar(b, c)
    expected = [[mid_p(i, j) for j in range(13)] for i in range(13)]
    np.testing.assert_allclose(result, expected, rtol=1e-12)


@pytest.mark.parametrize(("b", "c", "published"), [(1, 7, 0.0391), (6, 16, 0.0347)])
def test_mid_p_of_published_examples(b, c, published):
    """Fagerland, Lydersen and Laake (2013): the airways of 21 children, and the response of 161 patients to a treatment."""
    assert round(float(mcnemar(b, c)), 4) == published


@given(st.integers(0, 5000), st.integers(0, 5000))
def test_mid_p_is_symmetric(b, c):
    """Swapping the models keeps p, equal numbers have p = 1, and p is a probability."""
    p = float(mcnemar(b, c))
    assert p == float(mcnemar(c, b))
    assert 0 <= p <= 1
    assert p == 1 if b == c else p < 1


def test_mid_p_falls_with_more_samples_on_one_side():
    p = mcnemar(np.arange(5, 60), 5)
    assert (np.diff(p) < 0).all()


@pytest.mark.parametrize("n", [5, 10, 20, 40, 80, 200])
def test_size_of_mid_p(n):
    """Size for n discordant samples, by enumeration.

    It is at most 5 % on average over n; for five discordant samples it is 1 in 16.
    """
    b = np.arange(n + 1)
    rejected = mcnemar(b, n - b) <= 0.05
    assert stats.binom.pmf(b, n, 0.5)[rejected].sum() <= 0.0625


def test_size_of_mid_p_with_a_random_number_of_discordant_samples():
    """Summed over all (b, c) of 60 samples."""
    for changed in (0.1, 0.3, 0.6):
        size = 0.0
        for n in range(61):
            b = np.arange(n + 1)
            inside = stats.binom.pmf(b, n, 0.5)[mcnemar(b, n - b) <= 0.05].sum()
            size += stats.binom.pmf(n, 60, changed) * inside
        assert size <= 0.052


@given(st.integers(1, 400), st.data())
def test_interval_of_a_change_contains_the_observed_change(n, data):
    """It lies in [-1, 1], mirrors when the models are swapped and grows with the confidence."""
    b = data.draw(st.integers(0, n))
    c = data.draw(st.integers(0, n - b))
    low, high = map(float, paired_difference(b, c, n))
    assert -1 <= low <= (b - c) / n <= high <= 1
    mirrored = paired_difference(c, b, n)
    assert (-float(mirrored[1]), -float(mirrored[0])) == pytest.approx((low, high), abs=1e-12)
    wide = paired_difference(b, c, n, 0.99)
    assert wide[0] <= low
    assert high <= wide[1]


@given(st.integers(1, 400), st.data())
def test_limits_equal_the_formula_of_the_paper(n, data):
    """The formula of Bonett and Price; the interval differs from it only to include the observed change."""
    b = data.draw(st.integers(0, n))
    c = data.draw(st.integers(0, n - b))
    expected = bonett_price(b, c, n)
    assert tuple(map(float, paired_limits(b, c, n, 0.025))) == pytest.approx(expected, abs=1e-9)
    observed = (b - c) / n
    result = tuple(map(float, paired_difference(b, c, n)))
    assert result == pytest.approx((min(expected[0], observed), max(expected[1], observed)), abs=1e-9)


def test_change_is_undefined_without_samples():
    """Zero samples give NaN and leave the other intervals unchanged."""
    low, high = paired_difference([0, 3], [0, 1], [0, 20])
    assert np.isnan([low[0], high[0]]).all()
    assert (low[1], high[1]) == pytest.approx(bonett_price(3, 1, 20))


def test_interval_has_a_width_where_nothing_changed():
    few, many = (paired_difference(0, 0, n) for n in (10, 1000))
    assert few[0] < -0.1
    assert few[1] > 0.1
    assert -0.01 < many[0] < 0 < many[1] < 0.01


@pytest.mark.parametrize("n", [20, 60, 150])
@pytest.mark.parametrize(("more", "less"), [(0.05, 0.05), (0.2, 0.05), (0.3, 0.3), (0.02, 0.1), (0.5, 0.1)])
def test_coverage_of_the_interval_of_a_change(n, more, less):
    """Exact, summed over every (b, c) of n samples."""
    b, c = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
    valid = b + c <= n
    b, c = b[valid], c[valid]
    probability = stats.multinomial.pmf(np.stack([b, c, n - b - c], axis=1), n, [more, less, 1 - more - less])
    low, high = paired_difference(b, c, n)
    covered = (low <= more - less) & (more - less <= high)
    assert probability.sum() == pytest.approx(1)
    assert 0.93 <= probability[covered].sum() <= (0.999 if n == 20 else 0.99)


@given(st.lists(st.tuples(*[st.integers(0, 60)] * 4).filter(any), min_size=2, max_size=5), st.integers(0, 2**32))
def test_interval_of_a_change_of_a_gap_contains_the_observed_change(cells, seed):
    low, high = change_of_gap(cells, generator=np.random.default_rng(seed))
    assert low <= observed_change(cells) <= high


@pytest.mark.parametrize("probabilities", [EQUAL, WIDENS, NARROWS], ids=["equal", "widens", "narrows"])
def test_interval_of_a_change_of_a_gap_mirrors(probabilities):
    """Swapping the models changes the sign."""
    cells = probabilities * 400
    low, high = change_of_gap(cells, generator=np.random.default_rng(1))
    mirrored = change_of_gap(cells[:, [0, 2, 1, 3]], generator=np.random.default_rng(2))
    assert (-mirrored[1], -mirrored[0]) == pytest.approx((low, high), abs=0.02)


def test_interval_of_a_change_of_a_gap_equals_the_normal_one_for_large_gaps():
    """Far from 0 the largest difference is a plain one, whose variance is known."""
    cells = np.array([[600, 60, 20, 320], [250, 40, 90, 620]])
    low, high = change_of_gap(cells, generator=np.random.default_rng(3))
    parts = [(m / n + x / n - ((m - x) / n) ** 2) / n for _, m, x, _ in cells for n in [1000]]
    half = 1.96 * math.sqrt(sum(parts))
    assert (low, high) == pytest.approx((observed_change(cells) - half, observed_change(cells) + half), abs=0.006)
    wide = change_of_gap(cells, generator=np.random.default_rng(3), confidence=0.99)
    assert wide[0] < low < high < wide[1]


@pytest.mark.parametrize("probabilities", [EQUAL, WIDENS, NARROWS], ids=["equal", "widens", "narrows"])
def test_coverage_of_the_interval_of_a_change_of_a_gap(probabilities):
    """Two groups of 200, models that agree on most samples: at least nine in ten."""
    generator = np.random.default_rng(4)
    truth, runs = observed_change(probabilities), 400
    covered = 0
    for _ in range(runs):
        cells = np.stack([generator.multinomial(200, c) for c in probabilities])
        low, high = change_of_gap(cells, generator=generator)
        covered += low <= truth <= high
    assert covered / runs >= 0.9


def subject_cells(generator, number, copies):
    """(subjects, 2, 4) counts: half of the subjects in each group, each read the same way in all copies."""
    kind = np.concatenate([generator.choice(4, number // 2, p=c) for c in WIDENS])
    rows = np.zeros((number, 2, 4))
    rows[np.arange(number), np.repeat([0, 1], number // 2), kind] = copies
    return rows


def test_copies_of_samples_do_not_narrow_the_interval_with_subjects():
    """Ten samples per subject leave the interval as wide as one; as independent samples they would narrow it."""
    rows = subject_cells(np.random.default_rng(5), 200, 1)
    one = change_of_gap(rows.sum(axis=0), generator=np.random.default_rng(6), subjects=rows)
    ten = change_of_gap(10 * rows.sum(axis=0), generator=np.random.default_rng(7), subjects=10 * rows)
    independent = change_of_gap(10 * rows.sum(axis=0), generator=np.random.default_rng(8))
    assert np.ptp(ten) == pytest.approx(np.ptp(one), rel=0.1)
    assert np.ptp(independent) < 0.45 * np.ptp(ten)


def test_subjects_with_one_sample_each_are_independent_samples():
    """Resampling subjects and resampling samples agree."""
    rows = subject_cells(np.random.default_rng(9), 400, 1)
    subjects = change_of_gap(rows.sum(axis=0), generator=np.random.default_rng(10), subjects=rows)
    plain = change_of_gap(rows.sum(axis=0), generator=np.random.default_rng(11))
    assert subjects == pytest.approx(plain, abs=0.03)


def test_coverage_of_the_interval_of_a_change_of_a_gap_with_subjects():
    """Two hundred subjects with five samples each: at least nine in ten, and far fewer as independent samples."""
    generator = np.random.default_rng(12)
    truth, runs = observed_change(WIDENS), 40
    subjects = independent = 0
    for _ in range(runs):
        rows = subject_cells(generator, 200, 5)
        low, high = change_of_gap(rows.sum(axis=0), generator=generator, subjects=rows)
        subjects += low <= truth <= high
        low, high = change_of_gap(rows.sum(axis=0), generator=generator)
        independent += low <= truth <= high
    assert subjects / runs >= 0.9
    assert independent / runs < 0.8
