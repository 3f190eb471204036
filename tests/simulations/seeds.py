"""Random seeds: how often an audit of the same data with another seed has other findings."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rows import Row, at_most_1_percent, share, skipped

import fairfer
from fairfer.audits.audit import measure_counts
from fairfer.audits.join import join
from fairfer.audits.plan import AuditPlan, check_plan
from fairfer.metrics.gaps import compute_gaps
from fairfer.metrics.metric_settings import MetricSettings
from fairfer.vocabulary import EVERYONE

if TYPE_CHECKING:
    from fairfer.metrics.results import Gap

PROMISE = "another seed changes a finding in at most 1 % of audits"
SAMPLE = "the bundled sample"
REAL = "FER+ Test"
BY = ("gender", "race", "gender,race")

Findings = frozenset[object]


def rows(seed: int, *, short: bool) -> Iterator[Row]:
    """The bundled sample and FER+ Test, with the bundled model."""
    seeds = range(seed, seed + (6 if short else 300))
    sample = Path(__file__).parents[2] / "datasets" / "sample"
    yield _row(SAMPLE, sample, seeds)
    if short:
        return
    shared = os.environ.get("FAIRFER_SHARED", "")
    if not shared:
        yield skipped(PROMISE, REAL, REAL, "FAIRFER_SHARED is not set: FER+ is not available")
        return
    folder = Path(shared).resolve() / "data" / "ferplus"
    yield _row(REAL, folder, seeds, split="test", demographics=folder / "demographics.csv")


def _row(name: str, folder: Path, seeds: Sequence[int], **options: object) -> Row:
    dataset = fairfer.load_dataset(str(folder), **options)
    predictions = fairfer.predict(dataset, fairfer.load_model("baseline"))
    samples = join(check_plan(AuditPlan(by=BY), dataset, predictions.labels), predictions)
    measured = measure_counts(samples.counts(), samples.design.task, AuditPlan().metrics)
    groupings = [g for g in measured.counts if g != EVERYONE]
    findings = [
        _findings(compute_gaps(measured.rates, groupings, MetricSettings(20, 0.95, AuditPlan().permutations, s), power=False))
        for s in seeds
    ]
    usual, _ = Counter(findings).most_common(1)[0]
    return at_most_1_percent(PROMISE, name, f"{name}, {len(seeds)} seeds", *share(np.array([f != usual for f in findings])))


def _findings(gaps: Sequence[Gap]) -> Findings:
    """Significant gaps and the differences that they name."""
    return frozenset(
        (g.attribute, g.label, g.rate, d.group, d.reference)
        for g in gaps
        if g.significant
        for d in g.differences
        if d.significant
    )
