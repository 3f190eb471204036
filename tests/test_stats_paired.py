"""Paired uncertainty: McNemar's mid-p, intervals of a change, and of a change of a gap, held against second computations."""

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
"""The first group gains, the second loses: the gap goes from .0 to .275."""

NARROWS = WIDENS[:, [0, 2, 1, 3]]


def mid_p(b, c):
    """Every way in which b + c changed samples can fall, by counting; what is as likely as what was seen counts half."""
    n = b + c
    ways = [math.comb(n, k) for k in range(n + 1)]
    distance = [abs(2 * k - n) for k in range(n + 1)]
    beyond = sum(w for w, d in zip(ways, distance, strict=True) if d > abs(b - c))
    as_far = sum(w for w, d in zip(ways, distance, strict=True) if d == abs(b - c))
    return (beyond + as_far / 2) / 2**n if b != c else 1.0


def bonett_price(b, c, n, confidence=0.95):
    """The formula of the paper, with one changed sample added to each side."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    p, q = (b + 1) / (n + 2), (c + 1) / (n + 2)
    half = z * math.sqrt((p + q - (p - q) ** 2) / (n + 2))
    return max(p - q - half, -1), min(p - q + half, 1)


def seen_change(cells):
    """How much wider the second gap is, loop by loop."""
    first, second = [], []
    for both, more, less, none in cells:
        trials = both + more + less + none
        first.append((both + less) / trials)
        second.append((both + more) / trials)
    return (max(second) - min(second)) - (max(first) - min(first))


def test_mid_p_is_counted_out():
    """All (b, c) up to 12: the p-value is that of listing every way the changed samples could fall."""
    b, c = np.meshgrid(np.arange(13), np.arange(13), indexing="ij")
    found = mcnemar(b, c)
    expected = [[mid_p(i, j) for j in range(13)] for i in range(13)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize(("b", "c", "published"), [(1, 7, 0.0391), (6, 16, 0.0347)])
def test_mid_p_of_a_published_example(b, c, published):
    """Fagerland, Lydersen and Laake (2013): the airways of 21 children, and the response of 161 patients to a treatment."""
    assert round(float(mcnemar(b, c)), 4) == published


@given(st.integers(0, 5000), st.integers(0, 5000))
def test_mid_p_knows_no_direction(b, c):
    """Which model is called the second makes no difference; equal numbers prove nothing; a p-value is a probability."""
    p = float(mcnemar(b, c))
    assert p == float(mcnemar(c, b))
    assert 0 <= p <= 1
    assert p == 1 if b == c else p < 1


def test_mid_p_falls_with_every_sample_more_on_one_side():
    """More evidence of the same kind never raises the p-value."""
    p = mcnemar(np.arange(5, 60), 5)
    assert (np.diff(p) < 0).all()


@pytest.mark.parametrize("n", [5, 10, 20, 40, 80, 200])
def test_mid_p_has_the_size_it_says(n):
    """Where models are equally good, about one in twenty comparisons at most looks changed, by listing every outcome.

    The level is met on average over n; of five changed samples, all on one side, mid-p makes 1 in 16.
    """
    b = np.arange(n + 1)
    rejected = mcnemar(b, n - b) <= 0.05
    assert stats.binom.pmf(b, n, 0.5)[rejected].sum() <= 0.0625


def test_mid_p_has_the_size_it_says_when_the_number_of_changes_is_chance_too():
    """The same of all (b, c) of 60 samples: mid-p stays near its level, the exact test would be far below it."""
    for changed in (0.1, 0.3, 0.6):
        size = 0.0
        for n in range(61):
            b = np.arange(n + 1)
            inside = stats.binom.pmf(b, n, 0.5)[mcnemar(b, n - b) <= 0.05].sum()
            size += stats.binom.pmf(n, 60, changed) * inside
        assert size <= 0.052


@given(st.integers(1, 400), st.data())
def test_an_interval_of_a_change_holds_what_was_seen(n, data):
    """The observed change lies in its own interval, which lies in [-1, 1] and mirrors when the models swap places."""
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
def test_limits_are_those_of_the_paper(n, data):
    """Bonett and Price's formula, written a second time; the interval differs from it only to take in what was seen."""
    b = data.draw(st.integers(0, n))
    c = data.draw(st.integers(0, n - b))
    expected = bonett_price(b, c, n)
    assert tuple(map(float, paired_limits(b, c, n, 0.025))) == pytest.approx(expected, abs=1e-9)
    seen = (b - c) / n
    found = tuple(map(float, paired_difference(b, c, n)))
    assert found == pytest.approx((min(expected[0], seen), max(expected[1], seen)), abs=1e-9)


def test_nothing_seen_is_no_interval():
    """Without a sample there is no change, and its limits are no numbers; beside others they stay in their place."""
    low, high = paired_difference([0, 3], [0, 1], [0, 20])
    assert np.isnan([low[0], high[0]]).all()
    assert (low[1], high[1]) == pytest.approx(bonett_price(3, 1, 20))


def test_nothing_changed_is_no_certainty():
    """Ten samples read alike leave room for change, a thousand for less."""
    few, many = (paired_difference(0, 0, n) for n in (10, 1000))
    assert few[0] < -0.1
    assert few[1] > 0.1
    assert -0.01 < many[0] < 0 < many[1] < 0.01


@pytest.mark.parametrize("n", [20, 60, 150])
@pytest.mark.parametrize(("more", "less"), [(0.05, 0.05), (0.2, 0.05), (0.3, 0.3), (0.02, 0.1), (0.5, 0.1)])
def test_intervals_of_changes_hold_what_they_say(n, more, less):
    """The chance that an interval covers the true change, summed over every (b, c) that n samples can give."""
    b, c = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
    possible = b + c <= n
    b, c = b[possible], c[possible]
    expected_by_chance = stats.multinomial.pmf(np.stack([b, c, n - b - c], axis=1), n, [more, less, 1 - more - less])
    low, high = paired_difference(b, c, n)
    covered_share = (low <= more - less) & (more - less <= high)
    assert expected_by_chance.sum() == pytest.approx(1)
    assert 0.93 <= expected_by_chance[covered_share].sum() <= (0.999 if n == 20 else 0.99)


@given(st.lists(st.tuples(*[st.integers(0, 60)] * 4).filter(any), min_size=2, max_size=5), st.integers(0, 2**32))
def test_an_interval_of_a_change_of_a_gap_holds_what_was_seen(cells, seed):
    """Whatever the counts, the seen change lies in its interval."""
    low, high = change_of_gap(cells, generator=np.random.default_rng(seed))
    assert low <= seen_change(cells) <= high


@pytest.mark.parametrize("chances", [EQUAL, WIDENS, NARROWS], ids=["equal", "widens", "narrows"])
def test_an_interval_of_a_change_of_a_gap_mirrors(chances):
    """With the models in each other's place, what was wider by so much is narrower by as much."""
    cells = chances * 400
    low, high = change_of_gap(cells, generator=np.random.default_rng(1))
    mirrored = change_of_gap(cells[:, [0, 2, 1, 3]], generator=np.random.default_rng(2))
    assert (-mirrored[1], -mirrored[0]) == pytest.approx((low, high), abs=0.02)


def test_an_interval_of_a_change_of_a_gap_agrees_with_the_normal_one():
    """Where gaps are far from 0 the largest difference is a plain one, whose variance is written down: the same width."""
    cells = np.array([[600, 60, 20, 320], [250, 40, 90, 620]])
    low, high = change_of_gap(cells, generator=np.random.default_rng(3))
    parts = [(m / n + x / n - ((m - x) / n) ** 2) / n for _, m, x, _ in cells for n in [1000]]
    half = 1.96 * math.sqrt(sum(parts))
    assert (low, high) == pytest.approx((seen_change(cells) - half, seen_change(cells) + half), abs=0.006)
    wide = change_of_gap(cells, generator=np.random.default_rng(3), confidence=0.99)
    assert wide[0] < low < high < wide[1]


@pytest.mark.parametrize("chances", [EQUAL, WIDENS, NARROWS], ids=["equal", "widens", "narrows"])
def test_intervals_of_changes_of_gaps_hold_what_they_say(chances):
    """Two groups of 200, models that agree on most samples: nine in ten intervals at the least cover the true change."""
    generator = np.random.default_rng(4)
    truth, runs = seen_change(chances), 400
    covered_share = 0
    for _ in range(runs):
        cells = np.stack([generator.multinomial(200, c) for c in chances])
        low, high = change_of_gap(cells, generator=generator)
        covered_share += low <= truth <= high
    assert covered_share / runs >= 0.9


def people_of(generator, number, copies):
    """(people, 2, 4) counts: half of the people in each group, each read the same way in all copies."""
    kind = np.concatenate([generator.choice(4, number // 2, p=c) for c in WIDENS])
    rows = np.zeros((number, 2, 4))
    rows[np.arange(number), np.repeat([0, 1], number // 2), kind] = copies
    return rows


def test_copies_of_people_prove_no_more():
    """Ten pictures of each person leave the interval as wide as one; counted as strangers' they would narrow it."""
    rows = people_of(np.random.default_rng(5), 200, 1)
    one = change_of_gap(rows.sum(axis=0), generator=np.random.default_rng(6), people=rows)
    ten = change_of_gap(10 * rows.sum(axis=0), generator=np.random.default_rng(7), people=10 * rows)
    strangers = change_of_gap(10 * rows.sum(axis=0), generator=np.random.default_rng(8))
    assert np.ptp(ten) == pytest.approx(np.ptp(one), rel=0.1)
    assert np.ptp(strangers) < 0.45 * np.ptp(ten)


def test_people_with_one_picture_each_are_strangers():
    """Where nobody is seen twice, resampling people and resampling pictures agree."""
    rows = people_of(np.random.default_rng(9), 400, 1)
    people = change_of_gap(rows.sum(axis=0), generator=np.random.default_rng(10), people=rows)
    plain = change_of_gap(rows.sum(axis=0), generator=np.random.default_rng(11))
    assert people == pytest.approx(plain, abs=0.03)


def test_intervals_of_changes_of_gaps_hold_what_they_say_of_people():
    """Two hundred people, five pictures each: nine in ten intervals cover the true change, as strangers' far fewer."""
    generator = np.random.default_rng(12)
    truth, runs = seen_change(WIDENS), 80
    people = strangers = 0
    for _ in range(runs):
        rows = people_of(generator, 200, 5)
        low, high = change_of_gap(rows.sum(axis=0), generator=generator, people=rows)
        people += low <= truth <= high
        low, high = change_of_gap(rows.sum(axis=0), generator=generator)
        strangers += low <= truth <= high
    assert people / runs >= 0.9
    assert strangers / runs < 0.8
