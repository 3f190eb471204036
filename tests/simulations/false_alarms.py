"""Equal groups: how often a gap is called wider than chance."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from people import AGREEMENTS, own_rates
from rows import Row, at_most, share, sizes_name, stream

from fairfer.stats import permutation_test, permutation_test_of_subjects

GAPS = "equal groups are called different in at most 5 %"
PEOPLE = "equal groups of people are called different in at most 5 %"
SIZES = ((50, 50), (200, 200), (50,) * 8, (20, 500), (30, 30, 1000))
RATES = (0.05, 0.3, 0.8, 0.95)
SHAPES = (
    ((20, 5), (20, 5)),
    ((10, 2), (100, 20)),
    ((20, 2), (20, 10), (50, 30)),
    ((30, 1), (30, 10)),
    ((5, 20), (50, 4)),
)
"""People and pictures of each, by group."""

PERMUTATIONS = 199
"""p ≤ 0.05 is then a rank, as with any draws of which 20 is a divisor of one more."""


def rows(seed: int, *, short: bool) -> Iterator[Row]:
    """Independent samples, then people."""
    for sizes in SIZES:
        for rate in RATES:
            setting = f"{sizes_name(sizes)}, rate {rate:g}"
            generator = stream(seed, "chance", setting)
            hits = generator.binomial(sizes, rate, size=(400 if short else 8000, len(sizes)))
            alarms = np.array(
                [permutation_test(k, sizes, permutations=PERMUTATIONS, generator=generator).p <= 0.05 for k in hits]
            )
            yield at_most(GAPS, sizes_name(sizes), setting, *share(alarms))
    for shape in SHAPES:
        name = " v ".join(f"{people} people x {pictures}" for people, pictures in shape)
        for agreement in AGREEMENTS:
            for rate in (0.7, 0.95):
                setting = f"{name}, correlation {agreement:g}, rate {rate:g}"
                alarms = _people(shape, rate, agreement, stream(seed, "people", setting), 60 if short else 3000)
                yield at_most(PEOPLE, name, setting, *share(alarms))


def _people(
    shape: tuple[tuple[int, int], ...], rate: float, agreement: float, generator: np.random.Generator, times: int
) -> np.ndarray:
    people = [n for n, _ in shape]
    group = np.repeat(np.arange(len(shape)), people)
    trials = np.repeat([n for _, n in shape], people)
    alarms = np.zeros(times, bool)
    for i in range(times):
        hits = generator.binomial(trials, own_rates(rate, agreement, len(group), generator))
        alarms[i] = permutation_test_of_subjects(group, hits, trials, permutations=PERMUTATIONS, generator=generator).p <= 0.05
    return alarms
