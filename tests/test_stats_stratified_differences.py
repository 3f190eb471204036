"""Differences between two groups at equal strata, against published numbers, statsmodels, scipy and enumeration."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fairfer.stats import shrunk_rates
from fairfer.stats.stratified_differences import (
    StratifiedOutcomes,
    mean_score_test,
    pearson_chi_square,
    standardized_difference,
)


def binary(tables) -> StratifiedOutcomes:
    """Outcomes of (hits, trials, other hits, other trials) by stratum."""
    rows = [
        (stratum, side, outcome, count)
        for stratum, (hits, trials, other, others) in enumerate(tables)
        for side, (k, n) in enumerate(((hits, trials), (other, others)))
        for outcome, count in ((1, k), (0, n - k))
        if count
    ]
    return StratifiedOutcomes(*np.array(rows, np.int64).T)


def faces(stratum, side, outcome, subject=None) -> StratifiedOutcomes:
    columns = [np.asarray(c, np.int64) for c in (stratum, side, outcome)]
    return StratifiedOutcomes(
        *columns, np.ones(len(columns[0]), np.int64), None if subject is None else np.asarray(subject, np.int64)
    )


# Chen and Joo (2021), notebook "Figure 2 and Table 2" of github.com/yunliangchen/auc-fer: ExpW, happiness, AU6 x AU12.
SIZES = {"male": 58929, "female": 26426}
SHARES = {  # of faces with AU6, AU12, both, and any
    "male": (0.12360637377182711, 0.23160073987340699, 0.08912420030884624, 0.2660829133363879),
    "female": (0.13214258684628774, 0.298683115113903, 0.10947551653674412, 0.3213501854234466),
}
HAPPY = {  # by pattern: none, AU12, AU6, both
    "male": (0.175542, 0.662697, 0.245571, 0.800647),
    "female": (0.215011, 0.769600, 0.285476, 0.870031),
}
CHI_SQUARE = (129.83856321196143, 171.39572805970025, 3.881253558653169, 62.283958646921036)


def expw() -> list[tuple[int, int, int, int]]:
    """Whole counts that the published shares stand for: women first."""
    counts = {}
    for group, size in SIZES.items():
        cheek, corners, both, either = (share * size for share in SHARES[group])
        exact = (size - either, corners - both, cheek - both, both)
        assert np.allclose(exact, np.rint(exact), atol=1e-6)
        trials = [round(n) for n in exact]
        counts[group] = [(round(rate * n), n) for rate, n in zip(HAPPY[group], trials, strict=True)]
    return [(*woman, *man) for woman, man in zip(counts["female"], counts["male"], strict=True)]


def test_published_chi_squares_are_reproduced() -> None:
    """All digits of the four chi-square statistics, and the overall shares of happy faces."""
    tables = expw()
    for (k, n, x, m), published in zip(tables, CHI_SQUARE, strict=True):
        result = pearson_chi_square((k, x), (n, m))
        assert result is not None
        assert result[0] == pytest.approx(published, rel=1e-12)
    women, men = (sum(t[i] for t in tables) / sum(t[i + 1] for t in tables) for i in (0, 2))
    assert (women, men) == (pytest.approx(0.39324907288276695), pytest.approx(0.303076583685452))


def test_standardized_gap_of_the_published_tables() -> None:
    """At equal patterns 0.053 of the plain difference of 0.090 remain: the sum of weight x difference."""
    outcomes = binary(expw())
    result = standardized_difference(outcomes, 0.025)
    assert result is not None
    weight = [(t[1] + t[3]) / sum(SIZES.values()) for t in expw()]
    by_hand = sum(w * (f - m) for w, f, m in zip(weight, HAPPY["female"], HAPPY["male"], strict=True))
    assert result.value == pytest.approx(by_hand, abs=1e-6)
    assert result.value == pytest.approx(0.0529, abs=5e-5)
    assert (result.strata, result.covered_share) == (4, 1)
    assert result.means[0] - result.means[1] == pytest.approx(result.value)
    assert 0.046 < result.low < result.value < result.high < 0.06


TABLE = st.tuples(st.integers(1, 12), st.integers(1, 12)).flatmap(
    lambda n: st.tuples(st.integers(0, n[0]), st.just(n[0]), st.integers(0, n[1]), st.just(n[1]))
)


@given(st.lists(TABLE, min_size=1, max_size=5))
def test_binary_outcomes_give_the_mantel_haenszel_test_of_statsmodels(tables) -> None:
    """With outcomes 0 and 1 the statistic and p-value are those of the uncorrected test of Cochran, Mantel and Haenszel."""
    from statsmodels.stats.contingency_tables import StratifiedTable

    result = mean_score_test(binary(tables))
    varies = any(0 < k + x < n + m for k, n, x, m in tables)
    assert (result is not None) == varies
    if result is None:
        return
    expected = StratifiedTable([np.array([[k, n - k], [x, m - x]], float) for k, n, x, m in tables])
    test = expected.test_null_odds(correction=False)
    assert result.statistic == pytest.approx(test.statistic, abs=1e-9)
    assert result.p == pytest.approx(test.pvalue, abs=1e-9)
    # Mantel and Fleiss (1980): the first cell can lie between max(0, n - misses) and min(n, hits).
    middle = sum(n * (k + x) / (n + m) for k, n, x, m in tables)
    low = sum(max(0, n - (n + m - k - x)) for k, n, x, m in tables)
    high = sum(min(n, k + x) for k, n, x, m in tables)
    assert result.least_expected == pytest.approx(min(middle - low, high - middle))


@given(st.lists(st.sampled_from([-1, 0, 1]), min_size=3, max_size=7), st.integers(1, 2))
def test_mean_score_test_has_the_moments_of_the_permutation_distribution(values, size) -> None:
    """Mean, variance and range of the sum of the first group over all assignments of the outcomes."""
    sums = [sum(chosen) for chosen in itertools.combinations(values, size)]
    side = [0] * size + [1] * (len(values) - size)
    result = mean_score_test(faces([0] * len(values), side, values))
    variance = float(np.var(sums))
    if variance < 1e-12:
        assert result is None
        return
    assert result is not None
    mean = float(np.mean(sums))
    assert result.statistic == pytest.approx((sum(values[:size]) - mean) ** 2 / variance, abs=1e-9)
    assert result.p == pytest.approx(stats.chi2.sf(result.statistic, 1))
    assert result.least_expected == pytest.approx(min(mean - min(sums), max(sums) - mean))


@given(TABLE)
def test_chi_square_is_that_of_scipy_where_all_expected_counts_are_five(table) -> None:
    """Without Yates's correction; undefined elsewhere."""
    k, n, x, m = (5 * c for c in table)
    result = pearson_chi_square((k, x), (n, m))
    if 0 < k + x < n + m:
        expected = stats.chi2_contingency([[k, n - k], [x, m - x]], correction=False)
        assert (result is not None) == (expected.expected_freq.min() >= 5)
        if result is not None:
            assert result == (pytest.approx(expected.statistic, abs=1e-9), pytest.approx(expected.pvalue, abs=1e-9))
    else:
        assert result is None


@given(st.lists(TABLE, min_size=1, max_size=4))
def test_variance_within_strata_is_that_of_shrunk_rates(tables) -> None:
    """For hits and misses the variance is that which direct standardization of rates uses."""
    result = standardized_difference(binary(tables), 0.025)
    assert result is not None
    hits, trials = (np.array([[t[i], t[i + 2]] for t in tables]) for i in (0, 1))
    weight = trials.sum(axis=1) / trials.sum()
    own = shrunk_rates(hits, trials)
    parts = weight[:, None] ** 2 * own * (1 - own) / trials
    freedom = parts.sum() ** 2 / (parts**2 / np.maximum(trials - 1, 1)).sum()
    half = stats.t.ppf(0.975, max(freedom, 1)) * math.sqrt(parts.sum())
    value = float(weight @ (hits / trials) @ [1, -1])
    assert result.value == pytest.approx(value)
    assert (result.low, result.high) == (pytest.approx(max(value - half, -1)), pytest.approx(min(value + half, 1)))


def test_strata_of_one_group_have_no_part() -> None:
    """They have no weight and are named by the covered share; without a common stratum there is no result."""
    common = binary([(3, 6, 1, 4)])
    more = binary([(3, 6, 1, 4), (2, 5, 0, 0)])
    one, other = (standardized_difference(o, 0.025) for o in (common, more))
    assert one is not None
    assert other is not None
    assert (other.value, other.low, other.strata, other.covered_share) == (one.value, one.low, 1, 10 / 15)
    apart = binary([(3, 6, 0, 0), (0, 0, 1, 4)])
    assert standardized_difference(apart, 0.025) is None
    assert mean_score_test(apart) is None


def test_copies_of_a_face_do_not_make_a_difference_more_certain() -> None:
    """Three equal faces of every subject give the interval and p-value of one, up to the degrees of freedom."""
    rng = np.random.default_rng(0)
    stratum, side = rng.integers(0, 3, 240), rng.integers(0, 2, 240)
    outcome = (rng.random(240) < 0.3 + 0.2 * side + 0.1 * stratum).astype(int)
    alone = faces(stratum, side, outcome)
    subject = np.repeat(np.arange(240), 3)
    copies = faces(*(np.repeat(c, 3) for c in (stratum, side, outcome)), subject)
    naive = faces(*(np.repeat(c, 3) for c in (stratum, side, outcome)))
    tests = [mean_score_test(o) for o in (alone, copies, naive)]
    assert all(t is not None for t in tests)
    one, clustered, independent = (t.p for t in tests if t is not None)
    assert clustered == pytest.approx(one, rel=0.15)
    assert independent < one / 10
    widths = [r.high - r.low for o in (alone, copies, naive) if (r := standardized_difference(o, 0.025))]
    assert widths[1] == pytest.approx(widths[0], rel=0.05)
    assert widths[2] < 0.65 * widths[0]


def test_variance_over_subjects_by_hand() -> None:
    """Four subjects, one stratum: sums of deviations, squared, times subjects / (subjects - 1)."""
    outcomes = faces([0] * 8, [0, 0, 0, 0, 1, 1, 1, 1], [1, 1, 0, 0, 0, 0, 0, 1], [1, 1, 2, 2, 3, 3, 4, 4])
    result = mean_score_test(outcomes)
    assert result is not None
    mean = 3 / 8
    sums = np.array([0.5 * (2 - 2 * mean), 0.5 * (0 - 2 * mean), -0.5 * (0 - 2 * mean), -0.5 * (1 - 2 * mean)])
    variance = max(float((sums**2).sum()) * 4 / 3, 4 * 4 * (8 * 3 - 9) / (64 * 7))
    assert result.statistic == pytest.approx((2 - 4 * mean) ** 2 / variance)
    squares = [sums[:2] ** 2, sums[2:] ** 2]
    freedom = sum(s.sum() for s in squares) ** 2 / sum(s.sum() ** 2 / 1 for s in squares)
    assert result.p == pytest.approx(2 * stats.t.sf(math.sqrt(result.statistic), freedom))


def test_subjects_are_needed_for_their_variance() -> None:
    """A variance over subjects of faces without subjects is a mistake of the caller."""
    with pytest.raises(ValueError, match="None"):
        binary([(1, 2, 1, 2)]).by_subject(np.zeros((1, 2)), np.zeros((1, 2)))


@pytest.mark.parametrize("clustered", [False, True])
def test_coverage_and_error_of_the_paired_difference(clustered) -> None:
    """Outcomes -1, 0 and 1 with equal means in both groups: the error is near 5 %, and not above 8 % in 400 samples."""
    rng = np.random.default_rng(3)
    rejected = missed = 0
    for _ in range(400):
        subjects = np.arange(160)
        side = (subjects % 2).astype(int)
        stratum = rng.integers(0, 4, 160)
        chance = rng.random(160)
        copies = 3 if clustered else 1
        each = [np.repeat(c, copies) for c in (stratum, side, chance, subjects)]
        noise = rng.random(160 * copies)
        outcome = np.where(each[2] * 0.5 + noise * 0.5 < 0.3, 1, np.where(noise > 0.85, -1, 0))
        sample = faces(each[0], each[1], outcome, each[3] if clustered else None)
        test, gap = mean_score_test(sample), standardized_difference(sample, 0.025)
        assert test is not None
        assert gap is not None
        rejected += test.p < 0.05
        missed += not gap.low <= 0 <= gap.high
    assert 4 <= rejected <= 32
    assert missed <= 32
