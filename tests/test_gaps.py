"""Gaps: their rows, the differences that they store, and the bounds of significant differences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fairfer.metrics.gaps import compute_gaps
from fairfer.metrics.metric_settings import MetricSettings
from fairfer.metrics.results import Rate

if TYPE_CHECKING:
    from fairfer.vocabulary import Grouping

SETTINGS = MetricSettings(20, 0.95, 1000, 0)
BY: Grouping = ("g",)


def rates(hits, trials, *, grouping=BY, rate="TPR") -> list[Rate]:
    return [
        Rate(
            label="fear", attribute=grouping, group=(f"group {i}",), rate=rate, value=k / n, numerator=int(k),
            denominator=int(n), low=None, high=None, status="ok" if n >= 20 else "small",
        )
        for i, (k, n) in enumerate(zip(hits, trials, strict=True))
    ]  # fmt: skip


def gap(hits, trials, rate="TPR"):
    [row] = compute_gaps(rates(hits, trials, rate=rate), [BY], SETTINGS)
    return row


def test_a_pair_has_the_higher_rate_first():
    row = gap((60, 90), (100, 100))
    [difference] = row.differences
    assert (difference.group, difference.reference) == (("group 1",), ("group 0",))
    assert difference.difference == pytest.approx(0.3)
    assert row.leading == difference
    assert row.significant
    assert 0 < difference.low < 0.3 < difference.high < 1
    assert difference.certain_size == difference.low


@pytest.mark.parametrize(("rate", "worst"), [("TPR", "group 0"), ("FPR", "group 1")])
def test_worst_and_best_follow_the_favorable_direction(rate, worst):
    row = gap((60, 90), (100, 100), rate)
    assert row.worst == (worst,)
    assert row.leading.group == ("group 1",)


def test_one_group_that_differs_from_all_others_is_named():
    """Against the rest, where no pair is as certain: 14 groups, one of which has a lower rate."""
    row = gap((161, *(203,) * 13), (278,) * 14)
    rest = [d for d in row.differences if d.reference is None]
    assert len(rest) == 14
    first = next(d for d in rest if d.group == ("group 0",))
    assert first.significant
    assert first.high < 0
    assert first.certain_size == -first.high
    assert row.leading.certain_size >= first.certain_size


def test_many_groups_store_all_rests_and_only_notable_pairs():
    """Of 91 pairs: those with an adjusted p-value below 0.05, and the most extreme one."""
    generator = np.random.default_rng(0)
    row = gap(generator.binomial(60, 0.7, 14), (60,) * 14)
    pairs = [d for d in row.differences if d.reference is not None]
    assert len(pairs) <= 1 + sum(d.p < 0.05 for d in pairs)
    assert len(row.differences) >= 14
    small = gap((30, 40, 50), (60, 60, 60))
    assert len(small.differences) == 3 + 3


def test_a_gap_that_is_not_significant_has_no_bounds_of_differences():
    """A lower bound above 0 beside "not significant" would be a contradiction."""
    row = gap((75, 80), (100, 100))
    assert not row.significant
    assert [(d.low, d.high, d.significant) for d in row.differences] == [(None, None, False)]
    assert row.high > row.difference


@pytest.mark.parametrize(("hits", "trials"), [((50, 60), (50, 60)), ((0, 0), (50, 60)), ((49, 60), (50, 60))])
def test_a_gap_without_variation_is_not_tested(hits, trials):
    row = gap(hits, trials)
    assert (row.status, row.p, row.q, row.significant) == ("no_variation", None, None, False)
    assert row.difference == pytest.approx(
        max(hits[0] / trials[0], hits[1] / trials[1]) - min(hits[0] / trials[0], hits[1] / trials[1])
    )


def test_a_small_group_takes_no_part():
    row = gap((60, 90, 0), (100, 100, 19))
    assert row.groups == [("group 0",), ("group 1",)]
    assert [e.reason for e in row.excluded] == ["small"]


def test_bounds_widen_with_the_number_of_gaps():
    """One significant gap among 30 has wider bounds than alone (false coverage rate)."""
    alone = gap((60, 90), (100, 100)).leading
    rows, groupings = rates((60, 90), (100, 100)), [BY]
    for i in range(29):
        groupings.append((f"other {i}",))
        rows += rates((75, 75), (100, 100), grouping=groupings[-1])
    among = compute_gaps(rows, groupings, SETTINGS)[0].leading
    assert among.low < alone.low
    z = stats.norm.ppf(1 - 0.05 / 30 / 2)
    plain = 0.3 - z * np.sqrt(0.6 * 0.4 / 100 + 0.9 * 0.1 / 100)
    assert among.low == pytest.approx(plain, abs=0.03)


@given(st.lists(st.tuples(st.integers(0, 120), st.integers(20, 120)), min_size=2, max_size=5))
@settings(max_examples=40, deadline=None)
def test_significance_bounds_and_p_values_agree(groups):
    """A significant difference has bounds on its own side of 0 that contain it; a gap is significant if one of them is."""
    trials = [n for _, n in groups]
    row = gap([min(k, n) for (k, n) in groups], trials)
    assert row.significant == any(d.significant for d in row.differences)
    for d in row.differences:
        if d.significant:
            assert d.p < 0.05
            assert d.low <= d.difference <= d.high
            assert d.low > 0 or d.high < 0
        if d.reference is not None:
            assert d.difference >= 0
    if row.p is not None:
        assert row.p == pytest.approx(min(d.p for d in row.differences))
        assert 0 < row.p <= row.q <= 1
