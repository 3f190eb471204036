"""Changes by standardization, corrections by a validation sample, and human agreement: intervals, and what they cannot do."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from rows import Row, covered_share, share, shown, stream
from strata import RATES, SHAPES

from fairfer.datasets.loaders.ferplus import VOTES, selects
from fairfer.metrics.annotation_error import Correction, InferredAttributes
from fairfer.metrics.metric_settings import MetricSettings
from fairfer.metrics.rater_agreement import LeftOut, RatedFaces, rater_rates
from fairfer.metrics.results import Gap, Rate
from fairfer.stats import Units, change_by_standardization

CHANGE = "standardized: the 95 % interval of the change covers it"
LIMIT = "standardized: limits"
CORRECTED = "validation sample: the 95 % interval of the corrected gap covers it"
RATER = "human agreement: the 95 % interval covers that of a new rater"
SETTINGS = MetricSettings(1, 0.95, 100, 0)

VALIDATED = {
    "gap 0.2, 500 vs. 500, errors 10 % and 20 %, 100 and 100 validated": ((0.8, 0.6), (500, 500), (0.1, 0.2), (100, 100)),
    "no gap, 500 vs. 500, errors 10 % and 20 %, 100 and 100 validated": ((0.7, 0.7), (500, 500), (0.1, 0.2), (100, 100)),
    "gap 0.2, 2000 vs. 2000, errors 10 % and 20 %, 50 and 50 validated": ((0.8, 0.6), (2000, 2000), (0.1, 0.2), (50, 50)),
    "gap 0.1, 1000 vs. 200, errors 5 % and 5 %, 200 and 50 validated": ((0.9, 0.8), (1000, 200), (0.05, 0.05), (200, 50)),
    "gap 0.3, 300 vs. 300, errors 0 % and 30 %, 100 and 100 validated": ((0.9, 0.6), (300, 300), (0.0, 0.3), (100, 100)),
}
"""Rates of the two true groups, their sizes, shares annotated wrongly, and faces validated of each."""


def rows(seed: int, *, short: bool) -> Iterator[Row]:
    """All of them."""
    yield from _changes(seed, 300 if short else 5000)
    yield from _changes_of_subjects(seed, 100 if short else 2000)
    yield from _limits(seed, 200 if short else 2000)
    yield from _corrections(seed, 100 if short else 2000)
    yield from _raters(seed, 100 if short else 1000)


def _changes(seed: int, repetitions: int) -> Iterator[Row]:
    """Faces are sampled, so the sizes of the strata vary too."""
    for name, shape in SHAPES.items():
        for gap in (0.0, 0.2):
            sizes = np.array(shape)
            mix = sizes / sizes.sum(axis=0)
            truth = RATES[:, None] - gap * (np.arange(sizes.shape[1]) == 0)
            weight = sizes.sum(axis=1) / sizes.sum()
            target = np.diff((weight @ truth - (mix * truth).sum(axis=0))[:2])[0]
            generator = stream(seed, "change", name, gap)
            covered = []
            for _ in range(repetitions):
                trials = np.stack([generator.multinomial(n, p) for n, p in zip(sizes.sum(axis=0), mix.T, strict=True)], axis=1)
                if (trials == 0).any():  # such a stratum is left out, and the change is that of the others
                    continue
                found = change_by_standardization(generator.binomial(trials, truth), trials, (1, 0), 0.025)
                covered.append(found.low <= target <= found.high)
            yield covered_share(CHANGE, "4 strata", f"{name}, gap {gap:g}", *share(np.array(covered)))


def _changes_of_subjects(seed: int, repetitions: int) -> Iterator[Row]:
    """Subjects with 10 faces each and rates of their own; the stratum belongs to the subject."""
    for subjects in (30, 100):
        generator = stream(seed, "change of subjects", subjects)
        covered = []
        for _ in range(repetitions):
            group = np.repeat([0, 1], subjects)
            stratum = (generator.random(2 * subjects) < np.where(group == 0, 0.3, 0.6)).astype(int)
            mean = np.where(stratum == 0, 0.85, 0.6)
            hits = generator.binomial(10, generator.beta(2 * mean, 2 * (1 - mean)))
            table = np.zeros((2, 2, 2), np.int64)
            np.add.at(table[0], (stratum, group), hits)
            np.add.at(table[1], (stratum, group), 10)
            units = Units(stratum, group, np.arange(2 * subjects), hits, np.full(2 * subjects, 10))
            found = change_by_standardization(table[0], table[1], (0, 1), 0.025, units)
            covered.append(found.low <= -0.25 * 0.3 <= found.high)
        yield covered_share(CHANGE, "subjects", f"2 groups of {subjects} subjects x 10", *share(np.array(covered)))


def _limits(seed: int, repetitions: int) -> Iterator[Row]:
    """A collider, and a covariate that nearly is the group."""
    gaps, ratios = [], []
    generator = stream(seed, "limits of standardization")
    for _ in range(repetitions):
        # Both groups are equally difficult. Raters find three quarters of the easy faces of one group ambiguous too.
        sizes = np.array([[450, 50, 50, 450], [125, 50, 375, 450]])
        hits = generator.binomial(sizes, [0.98, 0.4, 0.98, 0.4])
        # Columns: easy and difficult faces that seem clear, easy and difficult faces that seem ambiguous.
        table = [np.array([x[:, :2].sum(axis=1), x[:, 2:].sum(axis=1)]) for x in (hits, sizes)]
        found = change_by_standardization(table[0], table[1], (1, 0), 0.025)
        gaps.append((found.plain, found.standardized))
        sizes = np.array([[970, 30], [30, 970]])
        hits = generator.binomial(sizes, 0.8)
        standardized = change_by_standardization(hits, sizes, (0, 1), 0.025)
        plain = 2 * 1.96 * np.sqrt(2 * 0.16 / 1000)
        ratios.append((standardized.high - standardized.low) / plain)
    plain, after = np.array(gaps).T
    error = float(np.std(after) / np.sqrt(len(after)))
    why = "a variable that the group itself affects is a collider: standardizing for it creates a gap"
    kept = "yes" if abs(plain.mean()) < 0.01 else "no"
    yield Row(LIMIT, "limits", "collider, no gap: before", 0, float(plain.mean()), error, repetitions, kept)
    yield Row(LIMIT, "limits", "collider, no gap: after", 0, float(after.mean()), error, repetitions, "by design", why)
    why = "a covariate that nearly determines the group leaves few comparable faces: the interval says so"
    spread = float(np.std(ratios) / np.sqrt(len(ratios)))
    setting = "covariate equals the group for 97 %: width of the change's interval / that of the plain gap"
    yield Row(LIMIT, "limits", setting, 1, float(np.mean(ratios)), spread, repetitions, "by design", why)


def _corrections(seed: int, repetitions: int) -> Iterator[Row]:
    """Faces and validation sample are drawn; the correction is that of an audit."""
    for name, (rates, sizes, errors, validated) in VALIDATED.items():
        generator = stream(seed, "validation", name)
        covered, ignored = [], []
        matrix = np.array([[1 - errors[0], errors[0]], [errors[1], 1 - errors[1]]])
        for _ in range(repetitions):
            hits, trials = np.zeros(2, np.int64), np.zeros(2, np.int64)
            for g in (0, 1):
                annotated = generator.multinomial(sizes[g], matrix[g])
                trials += annotated
                hits += generator.binomial(annotated, rates[g])
            confusion = np.array([generator.multinomial(n, matrix[g]) for g, n in enumerate(validated)], float)
            found = _corrected(hits, trials, confusion)
            covered.append(found is not None and found[0] <= rates[0] - rates[1] <= found[1])
            exact = _corrected(hits, trials, confusion * 1e6)  # the matrix taken as exact
            ignored.append(exact is not None and exact[0] <= rates[0] - rates[1] <= exact[1])
        yield covered_share(CORRECTED, "2 groups", name, *share(np.array(covered)))
        yield shown("the validation sample's error ignored", "2 groups", name, 0.95, *share(np.array(ignored)))


def _corrected(hits: np.ndarray, trials: np.ndarray, confusion: np.ndarray) -> tuple[float, float] | None:
    """Interval of the first group's rate minus the second's."""
    groups = [("a",), ("b",)]
    gap = Gap.model_construct(label="*", attribute=("g",), rate="accuracy", worst=("b",), best=("a",), groups=groups)
    rates = [
        Rate.model_construct(label="*", attribute=("g",), group=g, rate="accuracy", numerator=int(k), denominator=int(n))
        for g, k, n in zip(groups, hits, trials, strict=True)
    ]
    attributes = InferredAttributes({"g": ("a", "b")}, frozenset("g"), frozenset(), 0, {"g": confusion})
    row = Correction(attributes, SETTINGS).of(gap, rates)[1]
    return None if row.low is None or row.high is None else (row.low, row.high)


def _raters(seed: int, repetitions: int) -> Iterator[Row]:
    """Faces of ten votes, kept by FER+'s majority; the truth is the agreement of a new rater with nine others."""
    for sharpness in (0.3, 1.0):
        generator = stream(seed, "raters", sharpness)
        shares = generator.dirichlet(np.full(len(VOTES), sharpness / 2), 200_000)
        nine = generator.multinomial(9, shares)
        kept = selects(nine, "majority")
        target = float(shares[kept, nine[kept].argmax(axis=1)].mean())
        covered, biased = [], []
        for _ in range(repetitions):
            votes = generator.multinomial(10, shares[generator.integers(0, len(shares), 500)])
            covered.append(_covers(votes, target))
            biased.append(_covers(votes[selects(votes, "majority")], target, alone=True))
        setting = f"500 faces, ten raters, sharpness {sharpness:g}"
        yield covered_share(RATER, "majority", setting, *share(np.array(covered)))
        yield shown("faces selected with the rater's own vote", "majority", setting, 0.95, *share(np.array(biased)))


def _covers(votes: np.ndarray, target: float, *, alone: bool = False) -> bool:
    labels = len(VOTES) - 2
    patterns, number = np.unique(votes, axis=0, return_inverse=True)
    rule = None if alone else (lambda rest: selects(rest, "majority"))
    left_out = LeftOut.of(patterns, [*range(labels), -1, -1], labels, rule)
    faces = RatedFaces(((),), np.zeros(len(votes), np.int64), number.ravel(), np.ones(len(votes), np.int64))
    row = rater_rates((), faces, left_out, VOTES[:labels], SETTINGS)[-1]
    return row.low is not None and row.high is not None and row.low <= target <= row.high
