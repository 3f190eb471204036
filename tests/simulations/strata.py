"""Directly standardized gaps: intervals, false significant and verdicts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from rows import Row, at_most, covered_share, share, stream

from fairfer.metrics.standardization import _estimates
from fairfer.stats import gap_bounds, stratified_permutation_test

INTERVAL = "standardized: the 95 % interval of a rate covers it"
ALARMS = "standardized: equal groups are significantly different in at most 5 %"
WITHIN = "standardized gate: a gap at the limit passes in at most 5 %"
BEYOND = "standardized gate: a gap at the limit fails in at most 5 %"
RATES = np.array([0.95, 0.85, 0.7, 0.4])
"""Of the four strata, from easy samples to difficult ones."""

SHAPES = {
    "2 groups, different mixes": [[200, 40], [100, 60], [50, 100], [30, 80]],
    "2 groups, 100 a stratum": [[100, 100]] * 4,
    "2 groups, 10 a stratum": [[10, 10]] * 4,
    "2 groups, one unbalanced stratum": [[300, 20], [200, 20], [100, 20], [5, 100]],
    "3 groups, different mixes": [[150, 30, 60], [80, 60, 60], [40, 100, 60], [20, 80, 60]],
}
PERMUTATIONS = 199


def rows(seed: int, *, short: bool) -> Iterator[Row]:
    """Equal rates within strata, and a gap of 0.1 within each."""
    repetitions = 400 if short else 8000
    for name, shape in SHAPES.items():
        trials = np.array(shape)
        weights = trials.sum(axis=1) / trials.sum()
        generator = stream(seed, "strata", name)
        truth = np.broadcast_to(RATES[:, None], trials.shape)
        samples = generator.binomial(trials, truth, size=(repetitions, *trials.shape))
        covered = np.zeros((repetitions, trials.shape[1]), bool)
        significant = np.zeros(repetitions, bool)
        for i, hits in enumerate(samples):
            low, high = _estimates(hits, trials, weights, None)[0].limits(0.025)
            covered[i] = (low <= weights @ RATES) & (weights @ RATES <= high)
            significant[i] = (
                stratified_permutation_test(hits, trials, weights, permutations=PERMUTATIONS, generator=generator).p <= 0.05
            )
        for g in range(trials.shape[1]):
            yield covered_share(INTERVAL, "4 strata", f"{name}, group {g + 1}", *share(covered[:, g]))
        yield at_most(ALARMS, "4 strata", name, *share(significant))
        apart = truth - 0.1 * (np.arange(trials.shape[1]) == 0)
        verdicts = np.zeros((repetitions, 2), bool)
        for i, hits in enumerate(generator.binomial(trials, apart, size=(repetitions, *trials.shape))):
            low, high = gap_bounds(_estimates(hits, trials, weights, None)[0])
            verdicts[i] = high <= 0.1, low > 0.1
        yield at_most(WITHIN, "4 strata", f"{name}, gap 0.1, limit 0.1", *share(verdicts[:, 0]))
        yield at_most(BEYOND, "4 strata", f"{name}, gap 0.1, limit 0.1", *share(verdicts[:, 1]))
