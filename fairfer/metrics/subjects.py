"""Rates and gaps where several pictures show one person: people are resampled and dealt into groups, never pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fairfer.labels import fold
from fairfer.metrics.cells import PROPORTIONS, WHOLE_PROPORTIONS, Cells
from fairfer.metrics.counts import EVERYONE
from fairfer.stats import Estimates, PermutationResult, estimate_by_subjects, permutation_test_of_subjects

_PEOPLE = frozenset({"subject", "person", "people", "participant", "actor", "identity", "individual", "speaker"})


@dataclass(frozen=True)
class People:
    """Counts of each person in each group, and how well each rate is known for it.

    Attributes
    ----------
    cells
        By attribute or intersection; a unit is a person.
    estimates
        By (attribute, group, label, rate): rate, effective size, degrees of freedom; each of shape ().
    """

    cells: Mapping[str, Cells]
    estimates: Mapping[tuple[str, str, str, str], Estimates]

    @classmethod
    def of(cls, counts: pd.DataFrame, labels: Sequence[str], groups: Mapping[str, Sequence[str]], seed: int) -> People:
        """From counts by person (see `fairfer.metrics.counts.confusion_by_unit`)."""
        parts = dict(tuple(counts.groupby("attribute", sort=False)))
        cells = {a: Cells.of(parts[a], labels, names) for a, names in groups.items()}
        wanted = [(r, label) for label in labels for r in PROPORTIONS] + [(r, EVERYONE) for r in WHOLE_PROPORTIONS]
        estimates = {}
        for attribute, found in cells.items():
            fractions = [found.fraction(r, label) for r, label in wanted]
            hits, trials = (np.stack([f[i] for f in fractions], axis=1) for i in (0, 1))
            for i, group in enumerate(found.groups):
                mine = found.group == i
                generator = np.random.default_rng(list(f"{seed}/{attribute}/{group}/people".encode()))
                known = estimate_by_subjects(hits[mine], trials[mine], generator=generator)
                for j, (rate, label) in enumerate(wanted):
                    estimates[attribute, group, label, rate] = Estimates(
                        known.rate[j], known.size[j], known.degrees_of_freedom[j]
                    )
        return cls(cells, estimates)

    def known(self, rates: pd.DataFrame, confidence: float) -> dict[str, pd.Series]:
        """Intervals, effective sizes and degrees of freedom for a table of rates; NaN where the rate is no proportion."""
        none = Estimates(np.array(np.nan), np.array(0.0), np.array(np.inf))
        keys = zip(rates["attribute"], rates["group"], rates["label"], rates["rate"], strict=True)
        found = stack([self.estimates.get(k, none) for k in keys])
        low, high = found.limits((1 - confidence) / 2)
        there = found.size > 0
        columns = {"low": low, "high": high, "effective_size": found.size, "degrees_of_freedom": found.degrees_of_freedom}
        return {n: pd.Series(np.where(there, v, np.nan), index=rates.index) for n, v in columns.items()}

    def expected_by_chance(
        self,
        attribute: str,
        groups: Sequence[str],
        rate: str,
        label: str,
        *,
        permutations: int,
        generator: np.random.Generator,
        confidence: float,
    ) -> PermutationResult:
        """Chance gap of a rate between some groups of an attribute."""
        cells = self.cells[attribute]
        hits, trials = cells.fraction(rate, label)
        number = np.full(len(cells.groups), -1)
        number[[cells.groups.index(g) for g in groups]] = np.arange(len(groups))
        member = number[cells.group]
        use = (member >= 0) & (trials > 0)
        return permutation_test_of_subjects(
            member[use], hits[use], trials[use], permutations=permutations, generator=generator, confidence=confidence
        )


def likely_column(samples: pd.DataFrame) -> tuple[str, int] | None:
    """A column that by its name tells people apart, and how many it has; ``None`` where each sample is another person's."""
    for column in samples.columns:
        if fold(str(column)).removesuffix(" id") in _PEOPLE:
            number = samples[column].nunique()
            if number < samples[column].notna().sum():
                return str(column), int(number)
    return None


def stack(estimates: Sequence[Estimates]) -> Estimates:
    """Several of shape () as one of shape (several,)."""
    columns = ((e.rate, e.size, e.degrees_of_freedom) for e in estimates)
    rate, size, degrees_of_freedom = (np.array(c, float) for c in zip(*columns, strict=True))
    return Estimates(rate, size, degrees_of_freedom)
