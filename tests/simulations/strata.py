"""Gaps standardised over strata: intervals, bounds and false alarms."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from rows import Row, at_most, covered_share, share, stream

from fairfer.metrics.standardization import _estimates
from fairfer.stats import gap_bounds, stratified_permutation_test

INTERVAL = "standardised: a rate's 95 % interval holds it"
ALARMS = "standardised: equal groups are called different in at most 5 %"
WITHIN = "standardised gate: a gap at the limit passes in at most 5 %"
BEYOND = "standardised gate: a gap at the limit fails in at most 5 %"
RATES = np.array([0.95, 0.85, 0.7, 0.4])
"""Of the four strata: easy faces to hard ones."""

SHAPES = {
    "2 groups, other mixes": [[200, 40], [100, 60], [50, 100], [30, 80]],
    "2 groups, 100 a stratum": [[100, 100]] * 4,
    "2 groups, 10 a stratum": [[10, 10]] * 4,
    "2 groups, one lopsided stratum": [[300, 20], [200, 20], [100, 20], [5, 100]],
    "3 groups, other mixes": [[150, 30, 60], [80, 60, 60], [40, 100, 60], [20, 80, 60]],
}
PERMUTATIONS = 199


def rows(seed: int, *, short: bool) -> Iterator[Row]:
    """Equal rates within strata; and a gap of .1 within each."""
    times = 400 if short else 8000
    for name, shape in SHAPES.items():
        trials = np.array(shape)
        weights = trials.sum(axis=1) / trials.sum()
        generator = stream(seed, "strata", name)
        truth = np.broadcast_to(RATES[:, None], trials.shape)
        drawn = generator.binomial(trials, truth, size=(times, *trials.shape))
        held = np.zeros((times, trials.shape[1]), bool)
        alarms = np.zeros(times, bool)
        for i, hits in enumerate(drawn):
            low, high = _estimates(hits, trials, weights, None)[0].limits(0.025)
            held[i] = (low <= weights @ RATES) & (weights @ RATES <= high)
            alarms[i] = (
                stratified_permutation_test(hits, trials, weights, permutations=PERMUTATIONS, generator=generator).p <= 0.05
            )
        for g in range(trials.shape[1]):
            yield covered_share(INTERVAL, "4 strata", f"{name}, group {g + 1}", *share(held[:, g]))
        yield at_most(ALARMS, "4 strata", name, *share(alarms))
        apart = truth - 0.1 * (np.arange(trials.shape[1]) == 0)
        verdicts = np.zeros((times, 2), bool)
        for i, hits in enumerate(generator.binomial(trials, apart, size=(times, *trials.shape))):
            low, high = gap_bounds(_estimates(hits, trials, weights, None)[0])
            verdicts[i] = high <= 0.1, low > 0.1
        yield at_most(WITHIN, "4 strata", f"{name}, .1 apart, limit .1", *share(verdicts[:, 0]))
        yield at_most(BEYOND, "4 strata", f"{name}, .1 apart, limit .1", *share(verdicts[:, 1]))
