"""Power: gaps of the minimum detectable size, and gaps with the additional sample size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from rows import Row, about, share, sizes_name, stream

from fairfer.stats import additional_sample_size, minimum_detectable_difference, permutation_test

DETECTABLE = "a gap of the minimum detectable size is significant in about 80 %"
ADDITIONAL = "with the additional sample size, a gap is significant in about 80 %"
PERMUTATIONS = 499
PLANTED = (
    ((50, 50), 0.5),
    ((200, 200), 0.5),
    ((200, 200), 0.8),
    ((60, 300), 0.5),
    ((30, 1000), 0.8),
    ((200, 200), 0.95),
    ((500, 500), 0.95),
    ((60, 300), 0.95),
    ((1000, 1000), 0.99),
    ((100, 100, 100), 0.8),
    ((100, 100, 400), 0.7),
    ((200,) * 8, 0.8),
)
OBSERVED = (
    ((160, 220), (200, 300)),
    ((55, 65), (100, 100)),
    ((470, 455), (500, 500)),
    ((198, 195), (200, 200)),
    ((18, 1900), (30, 2500)),
    ((29, 2400), (30, 2500)),
    ((80, 75, 70), (100, 100, 100)),
    ((22, 165, 800), (30, 200, 900)),
)


def rows(seed: int, *, short: bool) -> Iterator[Row]:
    """Gaps of the minimum detectable size, then gaps with the additional sample size."""
    repetitions = 150 if short else 3000
    for sizes, rate in PLANTED:
        yield from _planted(sizes, rate, seed, repetitions)
    for hits, sizes in OBSERVED:
        setting = " vs. ".join(f"{k} of {n}" for k, n in zip(hits, sizes, strict=True))
        additional = additional_sample_size(hits, sizes)
        if additional is None:
            message = f"{setting}: no sample size is enough, so there is nothing to simulate"
            raise ValueError(message)
        larger = np.array(sizes)
        larger[list(additional)] += list(additional.values())
        significant = _significant(np.array(hits) / sizes, larger, stream(seed, "settle", setting), repetitions)
        kinds = "2 groups" if len(sizes) == 2 else "3 groups"
        yield about(ADDITIONAL, kinds, f"{setting}: then {sizes_name(larger.tolist())}", *share(significant))


def _planted(sizes: Sequence[int], rate: float, seed: int, repetitions: int) -> Iterator[Row]:
    trials = np.array(sizes)
    name = f"{sizes_name(sizes)}, rate {rate:g}"
    expected_by_chance = permutation_test(
        np.rint(trials * rate), trials, permutations=9999, generator=stream(seed, "chance", name)
    )
    gap = minimum_detectable_difference(expected_by_chance.expected, rate, trials)
    if gap is None:
        message = f"{name}: no gap is detectable, so there is nothing to simulate"
        raise ValueError(message)
    for low, high in ((0, 1), (1, 0)):
        truth = np.full(len(sizes), rate)
        # The overall rate stays the same, as far as 0 and 1 allow.
        truth[high] = min(max(rate + gap * trials[low] / (trials[0] + trials[1]), gap), 1)
        truth[low] = truth[high] - gap
        significant = _significant(truth, trials, stream(seed, "planted", name, low), repetitions)
        setting = f"{name}, gap {gap:.3f}, {'second' if high else 'first'} group higher"
        extreme = "rates 0.95 and 0.99" if rate > 0.9 else "rates 0.5 to 0.8"
        yield about(DETECTABLE, f"{'2' if len(sizes) == 2 else '3 or 8'} groups, {extreme}", setting, *share(significant))


def _significant(truth: np.ndarray, trials: np.ndarray, generator: np.random.Generator, repetitions: int) -> np.ndarray:
    hits = generator.binomial(trials, truth, size=(repetitions, len(trials)))
    return np.array([permutation_test(k, trials, permutations=PERMUTATIONS, generator=generator).p <= 0.05 for k in hits])
