"""Rates of samples that share subjects."""

from __future__ import annotations

import numpy as np
import pytest

from fairfer.stats import estimate_by_subjects, wilson


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
