"""A random attribute, added to a model's predictions for real images: how often an audit has a significant gap."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from rows import Row, at_most, share, skipped, stream

import fairfer
from fairfer.audits.audit import measure_counts
from fairfer.audits.join import join
from fairfer.audits.plan import AuditPlan, check_plan
from fairfer.labels import FERPLUS
from fairfer.metrics.counts import Counts, Source, count
from fairfer.metrics.gaps import compute_gaps
from fairfer.metrics.metric_settings import MetricSettings
from fairfer.metrics.results import Gap, Rate
from fairfer.vocabulary import ALL, EVERYONE, Grouping

PROMISE = "a random attribute: some q < 0.05 in at most 5 % of audits"
REAL = "FER+ Test, bundled model"
SYNTHETIC = "synthetic predictions"
ATTRIBUTES = {
    "2 levels": (0.5, 0.5),
    "4 levels": (0.25,) * 4,
    "8 levels": (0.125,) * 8,
    "2 levels, 95 : 5": (0.95, 0.05),
    "4 levels, 70 : 20 : 7 : 3": (0.7, 0.2, 0.07, 0.03),
}
"""Probabilities of the levels."""

_COMPLETE = 2
PERMUTATIONS = 1999
"""The smallest p, 1 in 2000, times the 18 gaps of one attribute, or the 90 of five, is still a q below 0.05."""


def rows(seed: int, *, short: bool) -> Iterator[Row]:
    """Each attribute alone, then all of them in one audit; the short run uses synthetic predictions."""
    shared = os.environ.get("FAIRFER_SHARED", "")
    if not short and not shared:
        yield skipped(PROMISE, REAL, REAL, "FAIRFER_SHARED is not set: FER+ is not available")
        return
    table, labels = _synthetic(stream(seed, "made up")) if short else _real(Path(shared).resolve())
    part = SYNTHETIC if short else REAL
    for name in ATTRIBUTES if not short else ("4 levels, 70 : 20 : 7 : 3",):
        significant = _audits(table, labels, [name], stream(seed, part, name), 15 if short else 300)
        yield at_most(PROMISE, part, f"{part}, {name}", *share(significant))
    if not short:
        significant = _audits(table, labels, list(ATTRIBUTES), stream(seed, part, "all"), 300)
        yield at_most(PROMISE, part, f"{part}, these {len(ATTRIBUTES)} attributes in one audit", *share(significant))


def _audits(
    table: pd.DataFrame, labels: tuple[str, ...], names: Sequence[str], generator: np.random.Generator, repetitions: int
) -> np.ndarray:
    """(repetitions,) whether an audit has a significant gap; the first ones are repeated with all rates, as a check."""
    levels = {n: [f"level {i}" for i in range(len(ATTRIBUTES[n]))] for n in names}
    columns = {n: f"by{i}" for i, n in enumerate(names)}
    groups = {EVERYONE: [EVERYONE], **{(n,): [(x,) for x in levels[n]] for n in names}}
    significant = np.zeros(repetitions, bool)
    for i in range(repetitions):
        attributes = {columns[n]: generator.choice(levels[n], len(table), p=ATTRIBUTES[n]) for n in names}
        counts = count(Source(table.assign(**attributes), "single-label", labels, columns), groups)
        settings = MetricSettings(20, 0.95, PERMUTATIONS, int(generator.integers(2**31)))
        q = _q_values(compute_gaps(_rates(counts, settings.minimum), [(n,) for n in names], settings, power=False))
        if i < _COMPLETE and q != _q_values(measure_counts(counts, "single-label", settings).gaps):
            message = "the gaps of an audit differ from those of its counts"
            raise AssertionError(message)
        significant[i] = min(q.values()) < 0.05
    return significant


def _q_values(gaps: Sequence[Gap]) -> dict[tuple[Grouping, str, str], float]:
    return {(g.attribute, g.label, g.rate): g.q for g in gaps if g.q is not None}


def _rates(counts: Mapping[Grouping, Counts], minimum: int) -> list[Rate]:
    """The rates that have gaps, from the counts; Fairlearn, which makes all rates, takes most of the time of an audit."""
    rates = []
    for grouping, of_grouping in counts.items():
        names = [(rate, label) for label in of_grouping.labels for rate in ("TPR", "FPR")]
        for rate, label in [*names, ("accuracy", ALL), ("coverage", ALL)]:
            hits, trials = of_grouping.fraction(rate, label)
            for group, k, n in zip(of_grouping.groups, hits, trials, strict=True):
                rates.append(
                    Rate(
                        label=label,
                        attribute=grouping,
                        group=group,
                        rate=rate,
                        value=None,
                        numerator=int(k),
                        denominator=int(n),
                        low=None,
                        high=None,
                        status="ok" if n >= minimum else "small",
                    )
                )
    return rates


def _real(shared: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
    dataset = fairfer.load_dataset(str(shared / "data" / "ferplus"), split="test")
    predictions = fairfer.predict(dataset, fairfer.load_model("baseline"))
    design = check_plan(AuditPlan(), dataset, predictions.labels)
    return join(design, predictions).table[["truth", "predicted", "status"]], design.labels.labels


def _synthetic(generator: np.random.Generator) -> tuple[pd.DataFrame, tuple[str, ...]]:
    labels = FERPLUS.labels[:6]
    truth = generator.choice(labels, 1500, p=(0.35, 0.25, 0.15, 0.1, 0.1, 0.05))
    predicted = np.where(generator.random(1500) < 0.75, truth, generator.choice(labels, 1500))
    return pd.DataFrame({"truth": truth, "predicted": predicted, "status": "ok"}), labels
