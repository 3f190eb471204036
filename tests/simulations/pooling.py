"""Partial pooling: coverage of its intervals on average over the groups, and its error beside that of raw rates."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from rows import Row, covered_share, share, shown, stream

from fairfer.stats.beta_binomial import partial_pooling

COVERS = "pooled: the 95 % intervals cover the rates on average over the groups"
ERROR = "pooled: root mean squared error of groups of at most 20, relative to that of raw rates"
SIZES = np.array([4, 6, 8, 12, 16, 20, 30, 50, 80, 120, 200, 400, 700, 1000])
GROUPS = {"rates 0.8 ± 0.03": (140.0, 35.0), "rates 0.8 ± 0.1": (12.0, 3.0), "rates 0.02 ± 0.01": (4.0, 196.0)}
"""Parameters of the beta distribution of the groups' rates."""


def rows(seed: int, *, short: bool) -> Iterator[Row]:
    """Fourteen groups whose rates are draws from a beta distribution, or two clusters."""
    repetitions = 12 if short else 300
    for name, (a, b) in GROUPS.items():
        generator = stream(seed, "pooling", name)
        truths = generator.beta(a, b, size=(repetitions, len(SIZES)))
        yield from _rows(name, truths, generator)
    generator = stream(seed, "pooling", "clusters")
    clusters = generator.permuted(np.tile(np.repeat([0.6, 0.85], len(SIZES) // 2), (repetitions, 1)), axis=1)
    yield from _rows("seven rates of 0.6, seven of 0.85", clusters, generator)


def _rows(name: str, truths: np.ndarray, generator: np.random.Generator) -> Iterator[Row]:
    covered, error, raw = (np.zeros(truths.shape) for _ in range(3))
    small = SIZES <= 20
    for i, truth in enumerate(truths):
        hits = generator.binomial(SIZES, truth)
        pooled = partial_pooling(hits, SIZES)
        covered[i] = (pooled.low <= truth) & (truth <= pooled.high)
        error[i], raw[i] = (pooled.rate - truth) ** 2, (hits / SIZES - truth) ** 2
    yield covered_share(COVERS, "14 groups", f"14 groups of 4 to 1000, {name}", *share(covered))
    ratio = float(np.sqrt(error[:, small].mean() / raw[:, small].mean()))
    yield shown(ERROR, "14 groups", f"14 groups of 4 to 1000, {name}", 1, ratio, 0, len(truths))
