"""Equal groups: how often a gap is significant."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from rows import Row, at_most, share, sizes_name, stream
from subjects import CORRELATIONS, subject_rates

from fairfer.stats import permutation_test, permutation_test_of_subjects

GAPS = "equal groups are significantly different in at most 5 %"
SUBJECTS = "equal groups of subjects are significantly different in at most 5 %"
SIZES = ((50, 50), (200, 200), (50,) * 8, (20, 500), (30, 30, 1000))
RATES = (0.05, 0.3, 0.8, 0.95)
SHAPES = (
    ((20, 5), (20, 5)),
    ((10, 2), (100, 20)),
    ((20, 2), (20, 10), (50, 30)),
    ((30, 1), (30, 10)),
    ((5, 20), (50, 4)),
)
"""Subjects and samples of each, by group."""

PERMUTATIONS = 199
"""One more is a multiple of 20, so that p ≤ 0.05 has probability 0.05."""


def rows(seed: int, *, short: bool) -> Iterator[Row]:
    """Independent samples, then subjects."""
    for sizes in SIZES:
        for rate in RATES:
            setting = f"{sizes_name(sizes)}, rate {rate:g}"
            generator = stream(seed, "chance", setting)
            hits = generator.binomial(sizes, rate, size=(400 if short else 8000, len(sizes)))
            significant = np.array(
                [permutation_test(k, sizes, permutations=PERMUTATIONS, generator=generator).p <= 0.05 for k in hits]
            )
            yield at_most(GAPS, sizes_name(sizes), setting, *share(significant))
    for shape in SHAPES:
        name = " vs. ".join(f"{subjects} subjects x {samples}" for subjects, samples in shape)
        for correlation in CORRELATIONS:
            for rate in (0.7, 0.95):
                setting = f"{name}, correlation {correlation:g}, rate {rate:g}"
                significant = _of_subjects(shape, rate, correlation, stream(seed, "subjects", setting), 60 if short else 1500)
                yield at_most(SUBJECTS, name, setting, *share(significant))


def _of_subjects(
    shape: tuple[tuple[int, int], ...], rate: float, correlation: float, generator: np.random.Generator, repetitions: int
) -> np.ndarray:
    subjects = [n for n, _ in shape]
    group = np.repeat(np.arange(len(shape)), subjects)
    trials = np.repeat([n for _, n in shape], subjects)
    significant = np.zeros(repetitions, bool)
    for i in range(repetitions):
        hits = generator.binomial(trials, subject_rates(rate, correlation, len(group), generator))
        significant[i] = (
            permutation_test_of_subjects(group, hits, trials, permutations=PERMUTATIONS, generator=generator).p <= 0.05
        )
    return significant
