"""Human agreement: agreement of raters on the labels that a model is evaluated on.

A label hides how much raters agreed. *Vote-weighted rates* count every vote. *Human agreement* evaluates one rater like a
model, with the majority of the others as the truth. *Ambiguity* groups samples by how much raters agreed. *Label consistency on
duplicate images* compares independent votes on the same image. See `fairfer.metrics.rater_agreement` for the second.

Samples with the same votes are interchangeable here, so everything is computed from counts by vote pattern. The cost does not
depend on the number of samples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairfer.metrics.rater_agreement import (
    AGREEMENT_LEVELS,
    LeftOut,
    RatedFaces,
    agreement_by_level,
    agreement_levels,
    rater_rates,
    vote_entropy,
)
from fairfer.metrics.results import Ambiguity, DuplicateConsistency, HumanAgreement, RateStatus, WeightedRate
from fairfer.metrics.weighted_rates import weighted_rate
from fairfer.stats import Estimates, estimate_ratio, wilson
from fairfer.vocabulary import ALL, EVERYONE, Group, Grouping

if TYPE_CHECKING:
    from fairfer.metrics.counts import Counts
    from fairfer.metrics.metric_settings import MetricSettings

_COPIED = 0.9
"""When more pairs of duplicates than this have identical votes, the votes of one were copied to the other."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class VotePatterns:
    """Distinct rows of votes.

    Attributes
    ----------
    labels
        Labels audited.
    votes
        (patterns, labels) votes for each of them.
    others
        (patterns, other answers) votes for anything else: *unknown*, *not a face*, excluded labels.
    """

    labels: tuple[str, ...]
    votes: Floats
    others: Floats

    @classmethod
    def of(
        cls, votes: pd.DataFrame, labels: Sequence[str], audited_as: Mapping[str, str]
    ) -> tuple[VotePatterns, NDArray[np.int64]]:
        """Patterns of (samples, answers) votes, and the number of each sample's.

        `audited_as` gives the label that each answer stands for; answers without one count as others.
        """
        own = np.zeros((len(votes), len(labels)), np.int64)
        others = []
        for column in votes.columns:
            values = votes[column].to_numpy(np.int64)
            label = audited_as.get(str(column))
            if label is None:
                others.append(values)
            else:
                own[:, list(labels).index(label)] += values
        rows = np.column_stack([own, *others]) if others else own
        distinct, number = np.unique(rows, axis=0, return_inverse=True)
        split = len(labels)
        return cls(tuple(labels), distinct[:, :split].astype(float), distinct[:, split:].astype(float)), number.ravel()

    @property
    def entropy(self) -> Floats:
        """(patterns,) entropy of the votes in bits, over all answers."""
        return vote_entropy(np.column_stack([self.votes, self.others]))


@dataclass(frozen=True)
class VoteCounts:
    """Counts of one grouping by vote pattern, and by subject where several samples show one.

    Attributes
    ----------
    counts
        By unit: a vote pattern, or a vote pattern of one subject.
    patterns
        The patterns.
    pattern
        (entries,) number of the pattern of each entry of the counts.
    subject
        (entries,) number of its subject; ``None`` where every sample is a subject of its own.
    """

    counts: Counts
    patterns: VotePatterns
    pattern: NDArray[np.int64]
    subject: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Raters:
    """Raters of a dataset, each compared with the others.

    Attributes
    ----------
    votes_per_face
        Median.
    left_out
        By vote pattern.
    faces
        By grouping: all rated faces, or those with a label where the others are unknown.
    leave_one_out
        Groupings in which the votes of the other raters alone selected the faces.
    """

    votes_per_face: int
    left_out: LeftOut
    faces: Mapping[Grouping, RatedFaces]
    leave_one_out: tuple[Grouping, ...]


def human_agreement(
    counts: Mapping[Grouping, VoteCounts],
    raters: Raters,
    duplicates: tuple[list[DuplicateConsistency], bool | None],
    settings: MetricSettings,
) -> HumanAgreement:
    """All results that are based on votes.

    Parameters
    ----------
    counts
        By grouping.
    raters
        Of the dataset.
    duplicates
        As `duplicate_consistency` returns.
    settings
        Minimum of (effective) samples, and confidence.
    """
    return HumanAgreement(
        samples=int(counts[EVERYONE].counts.total.sum()),
        raters=raters.votes_per_face,
        leave_one_out=list(raters.leave_one_out),
        weighted=[r for g, c in counts.items() for r in _vote_weighted(g, c, settings)],
        human=[
            r for g, c in counts.items() for r in rater_rates(g, raters.faces[g], raters.left_out, c.counts.labels, settings)
        ],
        ambiguity=[
            r
            for g, c in counts.items()
            for r in _ambiguity(g, c, agreement_by_level(raters.faces[g], raters.left_out), settings)
        ],
        duplicate_consistency=duplicates[0],
        independent=duplicates[1],
    )


def _vote_weighted(grouping: Grouping, votes: VoteCounts, settings: MetricSettings) -> list[WeightedRate]:
    """The model's rates, each sample counting for a label as often as raters voted for it."""
    rows = []
    counts, patterns = votes.counts, votes.patterns
    predicted = counts.tp + counts.fp
    everything = patterns.votes.sum(axis=1)
    for i, group in enumerate(counts.groups):
        members = counts.group == i
        unit, total = votes.pattern[members], counts.total[members]
        for j, label in enumerate(counts.labels):
            own = patterns.votes[unit, j]
            for rate, weight in (("TPR", own), ("FPR", everything[unit] - own)):
                hits, trials = weight * predicted[members, j], weight * total
                estimate = Estimates.of_weights(hits.sum(), weight @ total, weight**2 @ total)
                if votes.subject is not None:
                    estimate = estimate_ratio(hits, trials, votes.subject[members], float(estimate.size))
                subjects = None if votes.subject is None else len(np.unique(votes.subject[members][trials > 0]))
                key = (grouping, group, label, rate)
                rows.append(weighted_rate(key, float(weight @ total), estimate, settings, subjects=subjects))
    return rows


def _ambiguity(
    grouping: Grouping, votes: VoteCounts, human: Mapping[tuple[Group, str], float | None], settings: MetricSettings
) -> list[Ambiguity]:
    """Accuracy of the model, and of one rater, by how much the raters (the other raters) of a sample agreed."""
    counts = votes.counts
    level = agreement_levels(votes.patterns.entropy)[votes.pattern]
    rows = []
    for i, group in enumerate(counts.groups):
        for number, name in enumerate(AGREEMENT_LEVELS):
            members = (counts.group == i) & (level == number)
            samples, correct = int(counts.total[members].sum()), int(counts.correct[members].sum())
            estimate = Estimates.of_counts(correct, samples)
            if votes.subject is not None:
                estimate = estimate_ratio(counts.correct[members], counts.total[members], votes.subject[members], samples)
            low, high = (float(x) for x in estimate.limits(settings.tail))
            subjects = None if votes.subject is None else len(np.unique(votes.subject[members]))
            rows.append(
                Ambiguity(
                    stratum=name,
                    attribute=grouping,
                    group=group,
                    samples=samples,
                    model=correct / samples if samples else None,
                    low=low if samples else None,
                    high=high if samples else None,
                    human=human[group, name],
                    status=_status(samples, subjects, settings),
                )
            )
    return rows


def _status(samples: int, subjects: int | None, settings: MetricSettings) -> RateStatus:
    if not samples:
        return "not_estimable"
    if samples < settings.minimum:
        return "small"
    return "few_subjects" if subjects is not None and subjects < settings.minimum_subjects else "ok"


def duplicate_consistency(
    labels: pd.Series, votes: pd.DataFrame, duplicates: pd.Series, names: Sequence[str], confidence: float
) -> tuple[list[DuplicateConsistency], bool | None]:
    """How often the labels of duplicate images agree: the first two samples of each image.

    Parameters
    ----------
    labels
        (samples,) label.
    votes
        (samples, answers).
    duplicates
        (samples,) name of the image's content where another sample has the same; empty text elsewhere.
    names
        Labels of the dataset.
    confidence
        Confidence of Wilson's interval.

    Returns
    -------
    rows, independent
        `independent` is ``None`` without duplicates, and false (with no rows) when votes were copied between them.
    """
    ordered = duplicates[duplicates != ""].sort_index()
    order = ordered.groupby(ordered).cumcount()
    first, second = (pd.Series(ordered.index[order == i], index=ordered[order == i]) for i in (0, 1))
    first = first.loc[second.index]
    if second.empty:
        return [], None
    identical = (votes.loc[first].to_numpy() == votes.loc[second].to_numpy()).all(axis=1)
    if float(identical.mean()) > _COPIED:
        return [], False
    one, other = labels.loc[first].to_numpy(), labels.loc[second].to_numpy()
    rows = []
    for label in (ALL, *names):
        either = np.full(len(one), fill_value=True) if label == ALL else (one == label) | (other == label)
        pairs, agree = int(either.sum()), int((either & (one == other)).sum())
        low, high = (float(x) for x in wilson(agree, pairs, confidence))
        rows.append(
            DuplicateConsistency(
                label=label,
                pairs=pairs,
                agree=agree,
                value=agree / pairs if pairs else None,
                low=low if pairs else None,
                high=high if pairs else None,
            )
        )
    return rows, True
