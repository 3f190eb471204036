"""Rates of samples that share subjects."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairfer.stats import estimate_by_subjects, estimate_ratio, resampled_sums, variance_by_subjects, wilson


def test_one_sample_per_subject_is_independent():
    """The effective size is about the number of samples, and the interval about Wilson's."""
    hits = np.repeat([1, 0], [160, 40])[:, None]
    estimates = estimate_by_subjects(hits, np.ones_like(hits), generator=np.random.default_rng(0))
    assert estimates.rate[0] == 0.8
    assert estimates.size[0] == pytest.approx(200, rel=0.08)
    low, high = estimates.limits(0.025)
    assert (low[0], high[0]) == pytest.approx([float(x) for x in wilson(160, 200)], abs=0.01)


def test_copies_do_not_raise_the_effective_size():
    """Ten identical samples per subject are as informative as one."""
    hits = np.repeat([10, 0], [40, 10])[:, None]
    estimates = estimate_by_subjects(hits, np.full_like(hits, 10), generator=np.random.default_rng(1))
    assert estimates.size[0] == pytest.approx(50, rel=0.15)
    assert estimates.degrees_of_freedom[0] == 49


def test_interval_has_a_width_where_no_subject_has_an_error():
    """Three subjects with a hundred hits each, where a bootstrap of subjects gives [1, 1]."""
    estimates = estimate_by_subjects([[100]] * 3, [[100]] * 3, generator=np.random.default_rng(2))
    low, high = estimates.limits(0.025)
    assert (estimates.size[0], high[0]) == (3, 1)
    assert low[0] < 0.2


def test_estimates_without_trials_are_undefined():
    """A rate for which no subject has trials, and a group without subjects."""
    estimates = estimate_by_subjects([[0, 1], [0, 0]], [[0, 1], [0, 1]], generator=np.random.default_rng(3))
    assert np.isnan(estimates.limits(0.025)[0][0])
    no_subjects = estimate_by_subjects(np.zeros((0, 2)), np.zeros((0, 2)), generator=np.random.default_rng(3))
    assert np.isnan(no_subjects.limits(0.025)[0]).all()


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(-1, 1)), min_size=2, max_size=30))
def test_variance_by_subjects_by_definition(rows):
    """A loop over subjects."""
    subject, residuals = np.array([s for s, _ in rows]), np.array([r for _, r in rows])
    numbers = set(subject.tolist())
    total = sum(residuals[subject == s].sum() ** 2 for s in numbers)
    variance, subjects = variance_by_subjects(residuals, subject)
    assert subjects == len(numbers)
    assert variance == pytest.approx(total * subjects / max(subjects - 1, 1))


def test_ratio_of_independent_parts_has_their_number_as_effective_size():
    """One part per subject: the variance is that of a proportion."""
    hits, trials, subject = np.repeat([1.0, 0.0], [30, 70]), np.ones(100), np.arange(100)
    estimate = estimate_ratio(hits, trials, subject, 1000)
    assert (float(estimate.rate), float(estimate.degrees_of_freedom)) == (0.3, 99)
    assert float(estimate.size) == pytest.approx(99)
    assert float(estimate_ratio(hits, trials, subject, 50).size) == 50
    assert float(estimate_ratio(hits, trials, subject // 10, 1000).size) < 20


def test_ratio_without_trials_is_undefined():
    assert np.isnan(estimate_ratio(np.zeros(2), np.zeros(2), np.arange(2), 1).limits(0.025)[0])


def test_resampled_sums_have_the_mean_and_variance_of_the_bootstrap():
    rows = np.array([[0.0, 1], [2, 1], [7, 1]])
    sums = resampled_sums(rows, 20_000, np.random.default_rng(4))
    assert (sums[:, 1] == 3).all()
    assert sums[:, 0].mean() == pytest.approx(9, abs=0.15)
    assert sums[:, 0].var() == pytest.approx(3 * rows[:, 0].var(), rel=0.05)
    weighted = resampled_sums(rows, 100, np.random.default_rng(4), np.array([0.0, 1, 0]), 5)
    assert (weighted == [10, 5]).all()
