"""How often the intervals of score-based metrics hold the truth, with and without subjects."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
from rows import Row, covered_share, share, stream
from scipy import special

from fairfer.metrics import score_metrics
from fairfer.metrics.score_bins import bin_of
from fairfer.metrics.score_metrics import ScoreCounts, ScoreEstimates

NAMES = {
    "auroc": "AUROC: the 95 % interval covers it",
    "average_precision": "Average precision: the 95 % interval covers it",
    "brier_score": "Brier score: the 95 % interval covers it",
    "expected_calibration_error": "Expected calibration error: the 95 % interval covers it",
}
SHARE = 0.2
"""Of positives."""

MODELS = {"fair": (1.0, 1.0), "good": (2.0, 1.0), "overconfident": (2.0, 3.0), "near perfect": (4.0, 1.0)}
"""Distance of the logits of positives and negatives in standard deviations, and a factor of the logits of calibrated scores."""

SIZES = (100, 200, 500, 2000)
SUBJECTS = ((20, 10), (50, 10), (100, 20))
"""Subjects and faces of each."""

CORRELATION = 0.4
"""Of the logits of two faces of one subject."""


def rows(seed: int, *, short: bool) -> Iterator[Row]:
    """Coverage of each metric's interval."""
    repetitions = 200 if short else 1000
    for model in MODELS:
        for n in SIZES if not short else SIZES[:2]:
            generator = stream(seed, "scores", model, n)
            counts = sample(generator, model, n, 1, repetitions)
            yield from _coverage(counts, generator, model, f"{n} faces, {model}", f"{n} faces")
        for subjects, faces in SUBJECTS if not short else SUBJECTS[:1]:
            generator = stream(seed, "scores", model, subjects, faces)
            counts = sample(generator, model, subjects, faces, repetitions)
            name = f"{subjects} subjects x {faces} faces"
            yield from _coverage(counts, generator, model, f"{name}, {model}", name)


def sample(generator: np.random.Generator, model: str, subjects: int, faces: int, repetitions: int) -> ScoreCounts:
    """Normal logits, shared in part by the faces of a subject; one pair per repetition."""
    distance, factor = MODELS[model]
    shape = (repetitions, subjects, faces)
    truth = generator.random(shape) < SHARE
    correlation = CORRELATION if faces > 1 else 0.0
    noise = np.sqrt(correlation) * generator.standard_normal((repetitions, subjects, 1))
    noise = noise + np.sqrt(1 - correlation) * generator.standard_normal(shape)
    scores = _scores(distance * truth + noise, distance, factor)
    pair = np.broadcast_to(np.arange(repetitions)[:, None, None], shape).ravel()
    subject = np.broadcast_to(np.arange(subjects)[None, :, None], shape).ravel() if faces > 1 else None
    y = truth.ravel().astype(int)
    return ScoreCounts.from_entries(pair, bin_of(scores.ravel()), y, 1 - y, pairs=repetitions, subject=subject)


def _scores(x: np.ndarray, distance: float, factor: float) -> np.ndarray:
    """Probability of a positive given x by Bayes' rule, its logit times the factor."""
    return special.expit(factor * (distance * x - distance**2 / 2 + np.log(SHARE / (1 - SHARE))))


@cache
def _truth(model: str) -> dict[str, float]:
    """The metrics of the population, from a fine grid of x."""
    distance, factor = MODELS[model]
    x = np.linspace(-10, 10 + distance, 2_000_001)
    density = [np.exp(-((x - mean) ** 2) / 2) for mean in (distance, 0)]
    p, n = (d / d.sum() * w for d, w in zip(density, (SHARE, 1 - SHARE), strict=True))
    scores = _scores(x, distance, factor)
    true, false = np.cumsum(p[::-1])[::-1], np.cumsum(n[::-1])[::-1]
    where = np.minimum(np.searchsorted(score_metrics.CALIBRATION_EDGES, scores, side="right") - 1, 14)
    return {
        "auroc": float(special.ndtr(distance / np.sqrt(2))),
        "average_precision": float((p * true / (true + false)).sum() / SHARE),
        "brier_score": float((p * (1 - scores) ** 2 + n * scores**2).sum()),
        "expected_calibration_error": float(np.abs(np.bincount(where, p - (p + n) * scores)).sum()),
    }


def _coverage(counts: ScoreCounts, generator: np.random.Generator, model: str, setting: str, part: str) -> Iterator[Row]:
    functions: dict[str, Callable[[], ScoreEstimates]] = {
        "auroc": lambda: score_metrics.auroc(counts),
        "average_precision": lambda: score_metrics.average_precision(counts),
        "brier_score": lambda: score_metrics.brier_score(counts),
        "expected_calibration_error": lambda: score_metrics.expected_calibration_error(counts, generator),
    }
    for metric, function in functions.items():
        estimates = function()
        truth = _truth(model)[metric]
        estimable = np.isfinite(estimates.value)
        covered = (estimates.low - estimates.error <= truth) & (truth <= estimates.high + estimates.error)
        yield covered_share(NAMES[metric], part, setting, *share(covered[estimable]))
