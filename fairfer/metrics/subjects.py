"""Rates where several samples show one subject: subjects are resampled and permuted, never single samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fairfer.labels import fold
from fairfer.metrics.counts import ACCURACY, Counts
from fairfer.metrics.rate_definitions import LABEL_PROPORTIONS
from fairfer.stats import Estimates, SubjectTest, estimate_by_subjects
from fairfer.vocabulary import ALL, Group, Grouping, Task, group_name, grouping_name

if TYPE_CHECKING:
    from fairfer.metrics.results import Rate

RateKey = tuple[Grouping, Group, str, str]
"""Grouping, group, label and rate."""

_SUBJECT_COLUMNS = frozenset({"subject", "person", "people", "participant", "actor", "identity", "individual", "speaker"})


@dataclass(frozen=True)
class SubjectEstimates:
    """Counts of each subject in each group, and the precision of every rate that follows from them.

    Attributes
    ----------
    counts
        By grouping; a unit is a subject.
    estimates
        By grouping, group, label and rate; each of shape ().
    largest_shares
        By the same: share of the trials that the subject with the most has.
    """

    counts: Mapping[Grouping, Counts]
    estimates: Mapping[RateKey, Estimates]
    largest_shares: Mapping[RateKey, float] = field(default_factory=dict)

    @classmethod
    def of(cls, counts: Mapping[Grouping, Counts], task: Task, seed: int) -> SubjectEstimates:
        """Estimates from counts by subject."""
        estimates: dict[RateKey, Estimates] = {}
        shares: dict[RateKey, float] = {}
        for grouping, of_grouping in counts.items():
            rates = [(r, label) for label in of_grouping.labels for r in LABEL_PROPORTIONS]
            rates += [(r, ALL) for r in (ACCURACY[task], "coverage")]
            fractions = [of_grouping.fraction(r, label) for r, label in rates]
            hits, trials = (np.stack([f[i] for f in fractions], axis=1) for i in (0, 1))
            for i, group in enumerate(of_grouping.groups):
                members = of_grouping.group == i
                # The stream's name decides the random numbers; changing it would change every interval.
                name = f"{seed}/{grouping_name(grouping)}/{group_name(group)}/people"
                generator = np.random.default_rng(list(name.encode()))
                estimate = estimate_by_subjects(hits[members], trials[members], generator=generator)
                largest = trials[members].max(axis=0, initial=0) / np.maximum(trials[members].sum(axis=0), 1)
                for j, (rate, label) in enumerate(rates):
                    estimates[grouping, group, label, rate] = Estimates(
                        estimate.rate[j], estimate.size[j], estimate.degrees_of_freedom[j]
                    )
                    shares[grouping, group, label, rate] = float(largest[j])
        return cls(counts, estimates, shares)

    def applied(self, rates: Sequence[Rate], confidence: float, minimum: int = 1) -> list[Rate]:
        """Rates with the intervals, effective sizes, degrees of freedom and number of subjects.

        Parameters
        ----------
        rates
            Of independent samples. Those without an estimate by subject lose their interval.
        confidence
            Of the intervals.
        minimum
            A rate of fewer subjects has the status ``few_subjects``.
        """
        missing = Estimates(np.array(np.nan), np.array(0.0), np.array(np.inf))
        stacked = stack([self.estimates.get((r.attribute, r.group, r.label, r.rate), missing) for r in rates])
        low, high = stacked.limits((1 - confidence) / 2)
        largest = np.array([self.largest_shares.get((r.attribute, r.group, r.label, r.rate), np.nan) for r in rates])
        columns = (low, high, stacked.size, stacked.degrees_of_freedom, largest)
        names = ("low", "high", "effective_size", "degrees_of_freedom", "largest_share")
        behind = subjects_behind(self.counts, rates)
        applied = []
        for i, rate in enumerate(rates):
            update: dict[str, object] = {
                name: float(column[i]) if stacked.size[i] > 0 and np.isfinite(column[i]) else None
                for name, column in zip(names, columns, strict=True)
            }
            subjects = behind[rate.attribute, rate.group, rate.label, rate.rate]
            few = rate.status == "ok" and subjects < minimum
            applied.append(
                rate.model_copy(update={**update, "subjects": subjects, **({"status": "few_subjects"} if few else {})})
            )
        return applied

    def test(
        self, grouping: Grouping, groups: Sequence[Group], rate: str, label: str, generator: np.random.Generator
    ) -> SubjectTest:
        """Permutation test of a rate between some groups of a grouping."""
        counts = self.counts[grouping]
        hits, trials = counts.fraction(rate, label)
        number = np.full(len(counts.groups), -1)
        number[[counts.groups.index(g) for g in groups]] = np.arange(len(groups))
        member = number[counts.group]
        used = (member >= 0) & (trials > 0)
        return SubjectTest(member[used], counts.unit[used], hits[used], trials[used], generator)


def subjects_behind(counts: Mapping[Grouping, Counts], rates: Sequence[Rate]) -> dict[RateKey, int]:
    """Number of subjects with samples in the denominator of each rate.

    Parameters
    ----------
    counts
        By grouping; a unit is a subject.
    rates
        Of these groupings. An F1 averaged over labels has the samples with a known label as its denominator.
    """
    numbers: dict[RateKey, int] = {}
    for grouping, label, rate in dict.fromkeys((r.attribute, r.label, r.rate) for r in rates):
        of_grouping = counts[grouping]
        trials = of_grouping.judged if rate in ("macro-F1", "weighted macro-F1") else of_grouping.fraction(rate, label)[1]
        subjects = np.bincount(of_grouping.group[trials > 0], minlength=len(of_grouping.groups))
        numbers |= {(grouping, g, label, rate): int(n) for g, n in zip(of_grouping.groups, subjects, strict=True)}
    return numbers


def number_subjects(names: pd.Series) -> np.ndarray:
    """Number the subjects of samples; a sample without a name is a subject of its own.

    Parameters
    ----------
    names
        (samples,) name of the subject; missing where unknown.

    Returns
    -------
    numpy.ndarray
        (samples,) whole numbers from 0.
    """
    number = pd.factorize(names)[0].astype(np.int64)
    unknown = number < 0
    number = np.where(unknown, number.max(initial=-1) + np.cumsum(unknown), number)
    # Subjects in the order of their numbers as text: the order decides which of them a seeded resample contains.
    present = np.unique(number)
    rank = np.empty(len(present), np.int64)
    rank[np.argsort(present.astype(str), kind="stable")] = np.arange(len(present))
    ranked: np.ndarray = rank[number]
    return ranked


def likely_subject_column(samples: pd.DataFrame) -> tuple[str, int] | None:
    """A column whose name suggests that it names subjects, with their number; ``None`` where each sample has its own."""
    for column in samples.columns:
        if fold(str(column)).removesuffix(" id") in _SUBJECT_COLUMNS:
            number = samples[column].nunique()
            if number < samples[column].notna().sum():
                return str(column), int(number)
    return None


def stack(estimates: Sequence[Estimates]) -> Estimates:
    """Stack n estimates of shape () into one of shape (n,)."""
    columns = ((e.rate, e.size, e.degrees_of_freedom) for e in estimates)
    rate, size, degrees_of_freedom = (np.array(c, float) for c in zip(*columns, strict=True))
    return Estimates(rate, size, degrees_of_freedom)
