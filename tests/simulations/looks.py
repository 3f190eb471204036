"""Models judged one after another on the same faces, each exactly at the limit: how often a series contains a wrong pass."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from rows import Row, at_most, share, shown, stream

from fairfer.gate.checks import Check, Target
from fairfer.gate.judge import decide
from fairfer.gate.looks import chance_at_most, chance_if_independent
from fairfer.gate.measurements import measure_level
from fairfer.gate.policy import Looks, Policy, Rule
from fairfer.metrics.results import Rate

DIVIDED = "gate with [looks]: a series of models at the limit contains a wrong pass in at most 5 %"
STATED = "gate with --looks: the stated chance of a wrong pass is not exceeded"
UNCOUNTED = "a gate whose looks are not counted"
CONFIDENCE = 0.95
TRUE_RATE = 0.8
"""Rate of every model in every group, which is also the limit."""

BETTER_RATE = 0.95
"""Rate in the other group."""

SERIES = (10, 50)
FACES = (100, 400)
SHARES = {"independent answers": 0.0, "the same answers on 80 % of the faces": 0.8}
"""Share of the faces on which all models of a series give the same answer."""


def rows(seed: int, *, short: bool) -> Iterator[Row]:
    """Series of 10 and 50 models, with and without division of the error."""
    repetitions = 2000 if short else 20_000
    for candidates in SERIES:
        for name, alike in SHARES.items():
            for faces in FACES:
                hits = _hits(stream(seed, "looks", candidates, name, faces), (repetitions, candidates), faces, alike)
                setting = f"min_worst {TRUE_RATE:g}, 2 groups of {faces}, {candidates} models, {name}"
                divided = _passes(hits, faces, _error(candidates)).any(axis=1)
                yield at_most(DIVIDED, "min_worst", setting, *share(divided))
                plain = _passes(hits, faces, 1 - CONFIDENCE).any(axis=1)
                yield shown(UNCOUNTED, "min_worst", setting, 0.05, *share(plain))
                errors = [1 - CONFIDENCE] * candidates
                stated = chance_if_independent(errors) if alike == 0 else chance_at_most(errors)
                yield _below(setting, stated, share(plain))


def _error(candidates: int) -> float:
    """Error of a pass as a policy divides it."""
    rule = Rule(name="r", rate="TPR", label=["a"], attribute=["g"], min_worst=TRUE_RATE)
    return Policy(rules=[rule], looks=Looks(candidates=candidates)).passing_error


def _hits(generator: np.random.Generator, shape: tuple[int, int], faces: int, alike: float) -> np.ndarray:
    """(repetitions, candidates, 2) faces classified correctly: one group is at the limit, the other is better."""
    rates = np.array([TRUE_RATE, BETTER_RATE])
    shared = round(alike * faces)
    common = generator.binomial(shared, rates, (shape[0], 1, 2))
    return common + generator.binomial(faces - shared, rates, (*shape, 2))


def _passes(hits: np.ndarray, faces: int, error: float) -> np.ndarray:
    """(repetitions, candidates) whether a check passes, by the gate's own decision for each number of hits."""
    decided = np.array([passes(k, faces, error) for k in range(faces + 1)])
    return decided[hits].all(axis=2)


def passes(hits: int, faces: int, error: float) -> bool:
    """The decision of the gate for one group with these counts."""
    rule = Rule(name="r", rate="TPR", label=["a"], attribute=["g"], min_worst=TRUE_RATE)
    rate = Rate(
        label="a",
        attribute=("g",),
        group=("x",),
        rate="TPR",
        value=hits / faces,
        numerator=hits,
        denominator=faces,
        low=None,
        high=None,
        status="ok",
    )
    measurement = measure_level(rule, [rate])
    check = Check(Target(rule, "a", ("g",)), {"x": faces}, (), measurement, measurement)
    [decision] = decide([check], 1 - CONFIDENCE, error)
    return decision.outcome == "pass"


def _below(setting: str, stated: float, found: tuple[float, float, int]) -> Row:
    kept = "yes" if found[0] - 3 * found[1] <= stated + 1e-9 else "no"
    return Row(STATED, "min_worst", setting, round(stated, 4), *found, kept)
