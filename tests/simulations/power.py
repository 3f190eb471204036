"""Gaps planted as wide as is said to be detectable, or with as many images as are said to settle them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from rows import Row, about, share, sizes_name, stream

from fairfer.stats import additional_sample_size, minimum_detectable_difference, permutation_test

DETECTABLE = "a gap as wide as the detectable one is found in about 80 %"
SETTLED = "with the images that settle it, a gap is found in about 80 %"
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
    """Detectable gaps, then gaps to settle."""
    times = 150 if short else 3000
    for sizes, rate in PLANTED:
        yield from _planted(sizes, rate, seed, times)
    for hits, sizes in OBSERVED:
        setting = " v ".join(f"{k} of {n}" for k, n in zip(hits, sizes, strict=True))
        more = additional_sample_size(hits, sizes)
        if more is None:
            msg = f"nothing settles {setting}: not a setting to simulate"
            raise ValueError(msg)
        grown = np.array(sizes)
        grown[list(more)] += list(more.values())
        found = _found(np.array(hits) / sizes, grown, stream(seed, "settle", setting), times)
        kinds = "2 groups" if len(sizes) == 2 else "3 groups"
        yield about(SETTLED, kinds, f"{setting}: then {sizes_name(grown.tolist())}", *share(found))


def _planted(sizes: Sequence[int], rate: float, seed: int, times: int) -> Iterator[Row]:
    trials = np.array(sizes)
    name = f"{sizes_name(sizes)}, rate {rate:g}"
    expected_by_chance = permutation_test(
        np.rint(trials * rate), trials, permutations=9999, generator=stream(seed, "chance", name)
    )
    gap = minimum_detectable_difference(expected_by_chance.expected, rate, trials)
    if gap is None:
        msg = f"no gap is detectable among {name}: not a setting to simulate"
        raise ValueError(msg)
    for low, high in ((0, 1), (1, 0)):
        truth = np.full(len(sizes), rate)
        # The two groups part so that the rate of all stays, as far as 0 and 1 allow.
        truth[high] = min(max(rate + gap * trials[low] / (trials[0] + trials[1]), gap), 1)
        truth[low] = truth[high] - gap
        found = _found(truth, trials, stream(seed, "planted", name, low), times)
        setting = f"{name}, gap {gap:.3f}, {'second' if high else 'first'} group higher"
        extreme = "rates .95 and .99" if rate > 0.9 else "rates .5 to .8"
        yield about(DETECTABLE, f"{'2' if len(sizes) == 2 else '3 or 8'} groups, {extreme}", setting, *share(found))


def _found(truth: np.ndarray, trials: np.ndarray, generator: np.random.Generator, times: int) -> np.ndarray:
    hits = generator.binomial(trials, truth, size=(times, len(trials)))
    return np.array([permutation_test(k, trials, permutations=PERMUTATIONS, generator=generator).p <= 0.05 for k in hits])
