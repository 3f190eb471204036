"""Confidence bounds of a gap: against Newcombe's limits, their error and their power."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fairfer.stats import Estimates, gap_bounds


@given(st.lists(st.integers(0, 40), min_size=2, max_size=6))
def test_bounds_contain_the_observed_gap(hits):
    k, n = np.array(hits), np.full(len(hits), 40)
    low, high = gap_bounds(Estimates.of_counts(k, n))
    assert 0 <= low <= np.ptp(k / n) + 1e-12 <= high + 1e-9


def newcombe_with_continuity(hits, trials, tail):
    """Newcombe's method 11 for two groups, from scipy's Wilson interval with continuity correction."""
    (p, low, high), (q, other_low, other_high) = (
        (k / n, *stats.binomtest(k, n).proportion_ci(confidence_level=1 - 2 * tail, method="wilsoncc"))
        for k, n in zip(hits, trials, strict=True)
    )
    return p - q - math.hypot(p - low, other_high - q), p - q + math.hypot(high - p, q - other_low)


def test_bounds_of_two_groups_are_one_sided_newcombe_limits():
    """Far from 0 the lower bound is Newcombe's one-sided limit; the upper bound does not depend on the number of groups."""
    low, high = gap_bounds(Estimates.of_counts([180, 120], [200, 200]))
    assert (float(low), float(high)) == pytest.approx(newcombe_with_continuity([180, 120], [200, 200], 0.05), abs=1e-6)
    low_of_three, high_of_three = gap_bounds(Estimates.of_counts([180, 120, 150], [200, 200, 200]))
    assert high_of_three == pytest.approx(float(high))
    assert low_of_three < low


def test_lower_bound_is_two_sided_near_0():
    """A difference that is significant only in a one-sided test has a lower bound of 0: either group could have been worse."""
    n = 200
    one_sided = [k for k in range(100, 140) if newcombe_with_continuity((k, 100), (n, n), 0.05)[0] > 0]
    assert float(gap_bounds(Estimates.of_counts([one_sided[0], 100], [n, n]))[0]) == 0
    two_sided = [k for k in range(100, 140) if newcombe_with_continuity((k, 100), (n, n), 0.025)[0] > 0]
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
def test_bounds_of_a_gap_at_the_limit_have_their_error(sizes, rates, limit):
    """The gate relies on it: each wrong claim in at most 5 %."""
    generator = np.random.default_rng(8)
    k = generator.binomial(sizes, rates, size=(8000, len(sizes)))
    low, high = gap_bounds(Estimates.of_counts(k, np.broadcast_to(sizes, k.shape)))
    margin = 3 * np.sqrt(0.05 * 0.95 / 8000)
    assert (low > limit).mean() <= 0.05 + margin
    assert (high <= limit).mean() <= (0.05 + margin if limit else 0)


def test_bounds_have_power():
    """Bounds that never decide would pass the test above."""
    generator = np.random.default_rng(9)
    equal = generator.binomial(1000, 0.8, size=(500, 8))
    assert (gap_bounds(Estimates.of_counts(equal, np.full(equal.shape, 1000)))[1] <= 0.1).mean() > 0.97
    unequal = generator.binomial(400, [0.8] * 7 + [0.6], size=(500, 8))
    assert (gap_bounds(Estimates.of_counts(unequal, np.full(unequal.shape, 400)))[0] > 0.1).mean() > 0.85
