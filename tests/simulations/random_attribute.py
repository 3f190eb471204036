"""An attribute that means nothing, on what a model said of real faces: how often an audit finds a gap somewhere."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from rows import Row, at_most, share, skipped, stream

import fairfer
from fairfer.audits.audit import measure_counts
from fairfer.audits.join import Rows
from fairfer.audits.result import AuditPlan
from fairfer.labels import FERPLUS, reconcile
from fairfer.metrics.counts import EVERYONE, confusion, one_vs_rest
from fairfer.metrics.gaps import find_gaps
from fairfer.metrics.results import Gap, Rate

PROMISE = "a random attribute: some q < .05 in at most 5 % of audits"
REAL = "FER+ Test, bundled model"
ATTRIBUTES = {
    "2 levels": (0.5, 0.5),
    "4 levels": (0.25,) * 4,
    "8 levels": (0.125,) * 8,
    "2 levels, 95 : 5": (0.95, 0.05),
    "4 levels, 70 : 20 : 7 : 3": (0.7, 0.2, 0.07, 0.03),
}
_IN_FULL = 2
PERMUTATIONS = 1999
"""The smallest p, 1 in 2000, times 18 gaps of one attribute, or 90 of five, is still a q below .05."""


def rows(seed: int, *, short: bool) -> Iterator[Row]:
    """Each attribute by itself, then all in one audit; the short run takes made-up predictions."""
    shared = os.environ.get("FAIRFER_SHARED", "")
    if not short and not shared:
        yield skipped(
            PROMISE, "FER+ Test, bundled model", "FER+ Test, bundled model", "FAIRFER_SHARED is not set: no FER+ here"
        )
        return
    table, labels = _made_up(stream(seed, "made up")) if short else _real(Path(shared).resolve())
    part = "made-up predictions" if short else "FER+ Test, bundled model"
    for name in ATTRIBUTES if not short else ("4 levels, 70 : 20 : 7 : 3",):
        found = _families(table, labels, [name], stream(seed, part, name), 15 if short else 300)
        yield at_most(PROMISE, part, f"{part}, {name}", *share(found))
    if not short:
        found = _families(table, labels, list(ATTRIBUTES), stream(seed, part, "all"), 300)
        yield at_most(PROMISE, part, f"{part}, these {len(ATTRIBUTES)} attributes in one audit", *share(found))


def _families(
    table: pd.DataFrame, labels: Sequence[str], names: Sequence[str], generator: np.random.Generator, times: int
) -> np.ndarray:
    """Whether each audit finds a gap; the first few are also made in full, and must be the same to the last digit."""
    levels = {n: [f"level {i}" for i in range(len(ATTRIBUTES[n]))] for n in names}
    columns = {n: f"by{i}" for i, n in enumerate(names)}
    groups = {EVERYONE: [EVERYONE], **levels}
    alarms = np.zeros(times, bool)
    for i in range(times):
        drawn = {columns[n]: generator.choice(levels[n], len(table), p=ATTRIBUTES[n]) for n in names}
        counts = confusion(table.assign(**drawn), [(n,) for n in names], columns)
        settings = AuditPlan(
            by=[[n] for n in names],
            unsupported_labels="drop",
            minimum=20,
            confidence=0.95,
            permutations=PERMUTATIONS,
            seed=int(generator.integers(2**31)),
        )
        q = _qs(find_gaps(_rates(counts, labels, groups, settings.minimum), names, settings))
        if i < _IN_FULL and q != _qs(measure_counts(counts, labels, groups, settings).gaps):
            msg = "the audit's own gaps are others than those of its counts"
            raise AssertionError(msg)
        alarms[i] = min(q.values()) < 0.05
    return alarms


def _qs(gaps: Sequence[Gap]) -> dict[tuple[str, str, str], float]:
    return {(g.attribute, g.label, g.rate): g.q for g in gaps if g.q is not None}


def _rates(counts: pd.DataFrame, labels: Sequence[str], groups: Mapping[str, Sequence[str]], minimum: int) -> list[Rate]:
    """What gaps are made of, straight from the counts: Fairlearn, which makes the other rates too, takes most of the time."""
    found = []
    for cell in one_vs_rest(counts, labels, groups).itertuples():
        for rate, hits, misses in (("TPR", cell.tp, cell.fn), ("FPR", cell.fp, cell.tn)):
            found.append((cell.label, cell.attribute, cell.group, rate, hits, hits + misses))
    right = counts[counts["truth"] == counts["predicted"]]
    answered = counts[~counts["predicted"].str.startswith("(")]
    for rate, part in (("accuracy", right), ("coverage", answered)):
        hits, size = (x.groupby(["attribute", "group"])["n"].sum() for x in (part, counts))
        found += [(EVERYONE, *key, rate, hits.get(key, 0), n) for key, n in size.items()]
    return [
        Rate(
            label=label,
            attribute=attribute,
            group=group,
            rate=rate,
            value=None,
            numerator=int(hits),
            denominator=int(n),
            low=None,
            high=None,
            status="ok" if n >= minimum else "small",
        )
        for label, attribute, group, rate, hits, n in found
    ]


def _real(shared: Path) -> tuple[pd.DataFrame, Sequence[str]]:
    dataset = fairfer.load_dataset(shared / "data" / "ferplus", split="test")
    predictions = fairfer.predict(dataset, fairfer.load_model("baseline"))
    labels = reconcile(dataset.labels, predictions.labels, "drop")
    return Rows.join(dataset, predictions, labels, []).table[["truth", "said"]], labels.labels


def _made_up(generator: np.random.Generator) -> tuple[pd.DataFrame, Sequence[str]]:
    labels = FERPLUS.labels[:6]
    truth = generator.choice(labels, 1500, p=(0.35, 0.25, 0.15, 0.1, 0.1, 0.05))
    said = np.where(generator.random(1500) < 0.75, truth, generator.choice(labels, 1500))
    return pd.DataFrame({"truth": truth, "said": said}), labels
