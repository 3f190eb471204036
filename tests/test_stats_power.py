"""Minimum detectable difference and additional sample size: simulated power, and the usual formula."""

from __future__ import annotations

import numpy as np
import pytest

from fairfer.stats import additional_sample_size, minimum_detectable_difference, permutation_test


@pytest.mark.parametrize(("sizes", "rate"), [([200, 200], 0.8), ([60, 300], 0.5), ([100, 100, 400], 0.7)])
def test_the_minimum_detectable_difference_has_80_percent_power(sizes, rate):
    """Planted between the two smallest groups, in either direction."""
    generator = np.random.default_rng(11)
    trials = np.array(sizes)
    equal = np.rint(trials * rate).astype(int)
    expected_by_chance = permutation_test(equal, trials, permutations=4000, generator=generator)
    gap = minimum_detectable_difference(expected_by_chance.expected, rate, trials)
    for low, high in ((0, 1), (1, 0)):
        truth = np.full(len(sizes), rate)
        share = trials[low] / (trials[0] + trials[1])
        truth[high], truth[low] = rate + gap * share, rate - gap * (1 - share)
        result = [
            permutation_test(generator.binomial(trials, truth), trials, permutations=199, generator=generator).p <= 0.05
            for _ in range(300)
        ]
        assert np.mean(result) >= 0.8 - 3 * np.sqrt(0.8 * 0.2 / 300)
    smaller = np.full(len(sizes), rate)
    smaller[0] -= gap / 2
    result = [
        permutation_test(generator.binomial(trials, smaller), trials, permutations=199, generator=generator).p <= 0.05
        for _ in range(300)
    ]
    assert np.mean(result) < 0.7


def test_the_minimum_detectable_difference_of_two_groups_is_the_usual_one():
    """About 480 samples per group to distinguish 0.85 from 0.78; here one more, as gaps are multiples of one sample."""
    result = minimum_detectable_difference(1.96 * np.sqrt(2 * 0.815 * 0.185 / 480), 0.815, [480, 480])
    assert result == pytest.approx(0.07 + 1 / 480, abs=0.001)


def test_no_difference_is_detectable_in_very_small_groups():
    """Two samples per group; a rate without variation."""
    assert minimum_detectable_difference(1.0, 0.5, [2, 2]) is None
    assert minimum_detectable_difference(0.0, 1.0, [200, 200]) is None
    assert minimum_detectable_difference(0.99, 0.5, [3, 3]) is None
    assert 0.6 < minimum_detectable_difference(0.6, 0.5, [10, 10]) <= 1


def test_the_additional_sample_size_gives_80_percent_power():
    """The observed rates are taken as the true ones."""
    more = additional_sample_size([160, 220], [200, 300])
    trials = np.array([200 + more.get(0, 0), 300 + more.get(1, 0)])
    generator = np.random.default_rng(12)
    rates = [0.8, 220 / 300]
    result = [
        permutation_test(generator.binomial(trials, rates), trials, permutations=199, generator=generator).p <= 0.05
        for _ in range(400)
    ]
    assert np.mean(result) == pytest.approx(0.8, abs=0.07)


def test_additional_sample_size_of_a_significant_and_of_no_gap():
    """Empty where the data suffice, None where there is no gap; one group alone where that is enough."""
    assert additional_sample_size([180, 120], [200, 200]) == {}
    assert additional_sample_size([100, 100], [200, 200]) is None
    assert additional_sample_size([100_000, 100_001], [200_000, 200_000]) is None
    assert set(additional_sample_size([18, 1900], [30, 2500])) == {0}


def test_additional_sample_size_includes_a_small_group_between_the_extremes():
    """It makes the gap expected by chance large, however many samples the others have."""
    hits, sizes = np.array([26, 165, 800]), np.array([30, 200, 900])
    more = additional_sample_size(hits, sizes)
    assert set(more) == {0, 1, 2}
    trials = sizes + more[0]
    generator = np.random.default_rng(13)
    rates = hits / sizes
    result = [
        permutation_test(generator.binomial(trials, rates), trials, permutations=199, generator=generator).p <= 0.05
        for _ in range(300)
    ]
    assert np.mean(result) > 0.7
