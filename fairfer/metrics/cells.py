"""One-vs-rest counts of many small units at once: of people, of strata, of faces with the same votes.

Where `fairfer.metrics.counts.confusion` says how many samples of a group had one truth and one answer, this says it for each unit
within each group, as arrays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Whole = NDArray[np.int64]

FRACTIONS: Mapping[str, tuple[Mapping[str, int], Mapping[str, int]]] = {
    "TPR": ({"tp": 1}, {"tp": 1, "fn": 1}),
    "FNR": ({"fn": 1}, {"tp": 1, "fn": 1}),
    "FPR": ({"fp": 1}, {"fp": 1, "tn": 1}),
    "TNR": ({"tn": 1}, {"fp": 1, "tn": 1}),
    "PPV": ({"tp": 1}, {"tp": 1, "fp": 1}),
    "selection rate": ({"tp": 1, "fp": 1}, {"tp": 1, "fn": 1, "fp": 1, "tn": 1}),
    "prevalence": ({"tp": 1, "fn": 1}, {"tp": 1, "fn": 1, "fp": 1, "tn": 1}),
    "prediction bias": ({"fp": 1, "fn": -1}, {"tp": 1, "fn": 1, "fp": 1, "tn": 1}),
    "F1": ({"tp": 2}, {"tp": 2, "fp": 1, "fn": 1}),
}
"""Numerator and denominator of each rate of one label, as weights of the four confusion counts."""

PROPORTIONS = ("TPR", "FNR", "FPR", "TNR", "PPV", "selection rate", "prevalence")
"""Rates of one label that are a share of their trials; prediction bias is a difference of two and F1 a mean."""

WHOLE_PROPORTIONS = ("accuracy", "coverage")
"""Rates over all labels that are a share of the samples."""


@dataclass(frozen=True)
class Cells:
    """Counts of one grouping: an entry for each unit in each group.

    Attributes
    ----------
    labels, groups
        Names.
    unit, group
        (entries,) number of the unit, and of the group in `groups`.
    tp, fn, fp, tn
        (entries, labels).
    right, answered, total
        (entries,) samples.
    """

    labels: tuple[str, ...]
    groups: tuple[str, ...]
    unit: Whole
    group: Whole
    tp: Whole
    fn: Whole
    fp: Whole
    tn: Whole
    right: Whole
    answered: Whole
    total: Whole

    @classmethod
    def of(cls, counts: pd.DataFrame, labels: Sequence[str], groups: Sequence[str]) -> Cells:
        """From ``unit, group, truth, predicted, n`` (see `fairfer.metrics.counts.confusion_by_unit`) of one grouping."""
        names = pd.Index(list(labels))
        number = counts["n"].to_numpy(np.int64)
        where = pd.Index(list(groups)).get_indexer(pd.Index(counts["group"]))
        entry, keys = pd.factorize(counts["unit"].to_numpy(np.int64) * len(groups) + where)
        truth, said = (names.get_indexer(pd.Index(counts[c])) for c in ("truth", "predicted"))
        shape = (len(keys), len(names))
        tp, fn, fp = (np.zeros(shape, np.int64) for _ in range(3))
        right, answered, total = (np.zeros(len(keys), np.int64) for _ in range(3))
        hit = truth == said
        np.add.at(tp, (entry[hit], truth[hit]), number[hit])
        np.add.at(fn, (entry[~hit], truth[~hit]), number[~hit])
        wrong = ~hit & (said >= 0)
        np.add.at(fp, (entry[wrong], said[wrong]), number[wrong])
        spoken = ~counts["predicted"].str.startswith("(").to_numpy(bool)
        np.add.at(total, entry, number)
        np.add.at(right, entry[hit], number[hit])
        np.add.at(answered, entry[spoken], number[spoken])
        tn = total[:, None] - tp - fn - fp
        unit, group = np.divmod(keys, len(groups))
        return cls(tuple(labels), tuple(groups), unit, group, tp, fn, fp, tn, right, answered, total)

    def fraction(self, rate: str, label: str) -> tuple[Whole, Whole]:
        """(entries,) numerators and denominators of a rate; the label is of no matter to accuracy and coverage."""
        if rate in WHOLE_PROPORTIONS:
            return (self.right if rate == "accuracy" else self.answered), self.total
        column = self.labels.index(label)
        counts = {"tp": self.tp, "fn": self.fn, "fp": self.fp, "tn": self.tn}
        above, below = (
            sum((weight * counts[name][:, column] for name, weight in part.items()), start=np.zeros_like(self.total))
            for part in FRACTIONS[rate]
        )
        return above, below
