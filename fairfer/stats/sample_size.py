"""Sample size before any data exist: how many samples, or subjects, per group detect a difference, and the inverse."""

from __future__ import annotations

import math

import numpy as np

from fairfer.stats.families import LEVEL
from fairfer.stats.power import minimum_detectable_difference, planted_rates, power_of_groups, smallest_with_power
from fairfer.stats.power_of_subjects import SubjectDesign, minimum_detectable_difference_of_subjects, power_of_subjects

LARGEST = 10_000_000
_SMALLEST = 2.0


def sample_size_per_group(
    rate: float, difference: float, groups: int, tests: int, target: float, images: int | None, correlation: float
) -> int | None:
    """Samples, or subjects, per group with which a difference between two of the groups is reported.

    Parameters
    ----------
    rate
        Rate of all groups together.
    difference
        True difference between two groups; the others have the rate of all.
    groups
        Number of groups of equal size.
    tests
        Size of the family, of which this is the only significant test.
    target
        Power.
    images
        Samples of each subject; ``None`` for independent samples.
    correlation
        Correlation of the hits of one subject.

    Returns
    -------
    int or None
        ``None`` when more than ten million would be needed.
    """
    rates = planted_rates(rate, np.ones(groups), (0, 1), difference)
    level = LEVEL / tests

    def probability(size: float) -> float:
        if images is None:
            return power_of_groups(rates, np.full(groups, math.ceil(size)), level)
        return power_of_subjects(_design(groups, math.ceil(size), images, correlation), rates, level)

    guess = 16 * 2 * rate * (1 - rate) / difference**2
    if images is not None:
        guess *= (1 + correlation * (images - 1)) / images
    largest = float(LARGEST if images is None else LARGEST // 100)
    size = smallest_with_power(probability, max(guess, _SMALLEST), largest, 2.0, target)
    return None if size is None else math.ceil(size)


def detectable_difference(
    rate: float, size: int, groups: int, tests: int, target: float, images: int | None, correlation: float
) -> float | None:
    """Smallest difference between two of the groups that is reported; parameters as for `sample_size_per_group`."""
    level = LEVEL / tests
    if images is None:
        return minimum_detectable_difference(rate, np.full(groups, size), level, target)
    return minimum_detectable_difference_of_subjects(_design(groups, size, images, correlation), rate, level, target)


def _design(groups: int, subjects: int, images: int, correlation: float) -> SubjectDesign:
    return SubjectDesign((np.full(subjects, images),) * groups, correlation)
