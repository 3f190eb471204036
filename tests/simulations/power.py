"""Power: differences of the minimum detectable size, and with the additional sample size, reported in a family of tests.

Only the planted gap is drawn again and again: with the other gaps unchanged, it is reported if its p-value is below
0.05 (R + 1) / m (`exact_decision`). The decision of `fairfer.stats.resolve` over the whole family is simulated too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from rows import Row, about, share, sizes_name, stream
from subjects import subject_rates

from fairfer.stats import (
    SampleTest,
    SubjectDesign,
    SubjectTest,
    additional_sample_size,
    minimum_detectable_difference,
    minimum_detectable_difference_of_subjects,
    planted_rates,
    resolve,
)
from fairfer.stats.conditional import conditional_p

DETECTABLE = "a difference of the minimum detectable size is reported in about 80 %"
FAMILY = "the same, decided with the whole family of tests"
ADDITIONAL = "with the additional sample size, the observed difference is reported in about 80 %"
SUBJECTS = "a difference of the minimum detectable size between groups of subjects is reported in at least 75 %"
TESTS = 46
PLANTED = (
    ((20, 20), 0.5),
    ((20, 20), 0.9),
    ((50, 50), 0.5),
    ((200, 200), 0.8),
    ((200, 200), 0.95),
    ((60, 300), 0.6),
    ((30, 1000), 0.8),
    ((30, 3000), 0.95),
    ((1000, 1000), 0.99),
    ((3000, 3000), 0.85),
    ((20, 20, 20), 0.9),
    ((100, 100, 100), 0.8),
    ((30, 1000, 1000), 0.95),
    ((25, 25, 1000, 1000), 0.8),
    ((50,) * 8, 0.85),
    ((200,) * 8, 0.95),
)
OBSERVED = (
    ((160, 220), (200, 300)),
    ((55, 65), (100, 100)),
    ((198, 195), (200, 200)),
    ((18, 1900), (30, 2500)),
    ((80, 75, 70), (100, 100, 100)),
)
OF_SUBJECTS = (((20, 20), 0.85, 0.2), ((50, 50), 0.9, 0.1), ((10, 50), 0.8, 0.2), ((20, 20, 20), 0.8, 0.2))
_PERMUTATIONS = 20_000
_PAIR = 2


def rows(seed: int, *, short: bool) -> Iterator[Row]:
    """Independent samples, the whole family, additional samples, then subjects."""
    for significant in (0, 5):
        level = 0.05 * (significant + 1) / TESTS
        for sizes, rate in PLANTED[:: 4 if short else 1]:
            yield from _planted(sizes, rate, significant, level, stream(seed, sizes, rate, significant), short=short)
    for significant in (0, 5):
        yield _family(significant, stream(seed, "family", significant), 60 if short else 1000)
    for hits, sizes in OBSERVED[:: 3 if short else 1]:
        yield _additional(hits, sizes, stream(seed, hits, sizes), short=short)
    for subjects, rate, correlation in OF_SUBJECTS[:1] if short else OF_SUBJECTS:
        generator = stream(seed, "subjects", subjects, rate)
        yield _of_subjects(subjects, rate, correlation, generator, 40 if short else 500)


def exact_decision(
    rates: np.ndarray, sizes: Sequence[int], level: float, generator: np.random.Generator, *, short: bool
) -> np.ndarray:
    """Whether simulated data sets have a p-value below the level."""
    trials = np.array(sizes)
    if len(sizes) == _PAIR:
        hits = generator.binomial(trials, rates, size=(300 if short else 4000, 2))
        return np.array([conditional_p(int(a), sizes[0], int(b), sizes[1]) < level for a, b in hits])
    found = []
    for hits in generator.binomial(trials, rates, size=(40 if short else 300, len(sizes))):
        test = SampleTest(hits, trials, generator)
        largest = test.draw(_PERMUTATIONS)[0]
        found.append((1 + (largest >= test.observed.max() - 1e-9).sum()) / (1 + _PERMUTATIONS) < level)
    return np.array(found)


def _planted(
    sizes: tuple[int, ...], rate: float, significant: int, level: float, generator: np.random.Generator, *, short: bool
) -> Iterator[Row]:
    gap = minimum_detectable_difference(rate, sizes, level)
    if gap is None:
        return
    for pair in ((0, 1),) if sizes[0] == sizes[1] else ((0, 1), (1, 0)):
        reported = exact_decision(planted_rates(rate, sizes, pair, gap), sizes, level, generator, short=short)
        higher = "first" if pair[0] == 0 else "second"
        setting = f"{sizes_name(sizes)}, rate {rate:g}, {significant} others significant, gap {gap:.3f}, {higher} group higher"
        yield about(DETECTABLE, f"{len(sizes)} groups", setting, *share(reported))


def _family(significant: int, generator: np.random.Generator, repetitions: int) -> Row:
    sizes, rate = (200, 200), 0.9
    others = [SampleTest([20 if i < significant else 80, 80], [100, 100], generator) for i in range(TESTS - 1)]
    gap = minimum_detectable_difference(rate, sizes, 0.05 * (significant + 1) / TESTS)
    rates = planted_rates(rate, sizes, (0, 1), gap or 1.0)
    found = [
        resolve([SampleTest(hits, sizes, generator), *others], permutations=1000)[0].significant
        for hits in generator.binomial(sizes, rates, size=(repetitions, 2))
    ]
    setting = f"{sizes_name(sizes)}, rate {rate:g}, {significant} of {TESTS - 1} others significant"
    return about(FAMILY, "2 groups", setting, *share(np.array(found)))


def _additional(hits: tuple[int, ...], sizes: tuple[int, ...], generator: np.random.Generator, *, short: bool) -> Row:
    additional = additional_sample_size(hits, sizes, 0.05 / TESTS)
    setting = " vs. ".join(f"{k} of {n}" for k, n in zip(hits, sizes, strict=True))
    if additional is None:
        message = f"{setting}: no sample size is enough, so there is nothing to simulate"
        raise ValueError(message)
    larger = np.array(sizes)
    larger[list(additional)] += list(additional.values())
    rates = np.array(hits) / sizes
    reported = exact_decision(rates, larger.tolist(), 0.05 / TESTS, generator, short=short)
    name = f"{setting}: then {sizes_name(larger.tolist())}"
    return about(ADDITIONAL, f"{len(sizes)} groups", name, *share(reported))


def _of_subjects(
    subjects: tuple[int, ...], rate: float, correlation: float, generator: np.random.Generator, repetitions: int
) -> Row:
    design = SubjectDesign(tuple(np.full(s, 10) for s in subjects), correlation)
    level = 0.05 / TESTS
    gap = minimum_detectable_difference_of_subjects(design, rate, level)
    rates = planted_rates(rate, design.sizes, (1, 0), gap or 1.0)
    group = np.repeat(np.arange(len(subjects)), subjects)
    found = []
    for _ in range(repetitions):
        own = np.ones(len(group))
        for g, mean in enumerate(rates):
            if mean < 1:
                own[group == g] = subject_rates(mean, correlation, subjects[g], generator)
        test = SubjectTest(group, np.arange(len(group)), generator.binomial(10, own), np.full(len(group), 10), generator)
        largest = test.draw(_PERMUTATIONS)[0]
        found.append((1 + (largest >= test.observed.max() - 1e-9).sum()) / (1 + _PERMUTATIONS) < level)
    setting = f"{sizes_name(subjects)} subjects x 10, rate {rate:g}, correlation {correlation:g}"
    return about(SUBJECTS, f"{len(subjects)} groups", setting, *share(np.array(found)))
