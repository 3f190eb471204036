"""The interaction test: its size where two attributes are additive, in small cells too, and its power."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from rows import Row, at_most, share, shown, stream

from fairfer.stats.additivity import additivity_test

SIZE = "interaction: additive attributes are called non-additive in at most 5 %"
POWER = "interaction: power of the test"
CELLS = ("2 x 2", (5,) * 4), ("2 x 2", (40, 10, 200, 20)), ("2 x 7", (3,) * 14), ("2 x 7", (20,) * 14), ("3 x 4", (8,) * 12)
"""Levels of the two attributes, and faces in each cell."""


def rows(seed: int, *, short: bool) -> Iterator[Row]:
    """Rates of 0.4 to 0.7, of 0.8 to 0.95, and near 1."""
    for shape, sizes in CELLS:
        for level in (-0.5, 1.5, 3.5):
            name = f"{shape}, {min(sizes)} to {max(sizes)} faces, logit from {level:g}"
            generator = stream(seed, "interaction", name)
            tests = [_significant(shape, sizes, level, 0.0, generator) for _ in range(10 if short else 200)]
            yield at_most(SIZE, shape, name, *share(np.array(tests)))
    generator = stream(seed, "interaction power")
    tests = [_significant("2 x 7", (200,) * 14, 1.0, -1.5, generator) for _ in range(10 if short else 100)]
    found, error, repetitions = share(np.array(tests))
    yield shown(POWER, "2 x 7", "2 x 7, 200 faces, one cell 1.5 below additive", 0.8, found, error, repetitions)


def _significant(shape: str, sizes: tuple[int, ...], level: float, extra: float, generator: np.random.Generator) -> bool:
    rows, columns = map(int, shape.split(" x "))
    first, second = (a.ravel() for a in np.indices((rows, columns)))
    logit = level + 0.8 * (first % 2) + 0.6 * (second % 3)
    logit[-1] += extra
    hits = generator.binomial(sizes, 1 / (1 + np.exp(-logit)))
    test = additivity_test(first, second, hits, sizes, permutations=199, generator=generator)
    return test is not None and test.p <= 0.05
