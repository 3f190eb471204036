"""Human agreement: agreement of raters on the labels that a model is evaluated on.

A label hides how much raters agreed. *Vote-weighted rates* count every vote. *Human agreement* evaluates one rater like a
model, with the majority of the others as the truth. *Ambiguity* groups samples by how much raters agreed. *Label consistency on
duplicate images* compares independent votes on the same image.

Samples with the same votes are interchangeable here, so everything is computed from counts by vote pattern. The cost does not
depend on the number of samples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairfer.metrics.results import Ambiguity, DuplicateConsistency, HumanAgreement, WeightedRate
from fairfer.metrics.weighted_rates import weighted_rate
from fairfer.stats import Estimates, estimate_ratio, wilson
from fairfer.vocabulary import ALL, EVERYONE, Group, Grouping

if TYPE_CHECKING:
    from fairfer.metrics.counts import Counts
    from fairfer.metrics.metric_settings import MetricSettings

AGREEMENT_LEVELS = ("unanimous", "clear", "mixed", "split")
_UPPER_ENTROPY = (0.0, 0.75, 1.25)
"""Highest entropy of each level but the last, in bits. Of ten votes, 8 to 2 has 0.72, 7 to 3 has 0.88, 6 to 3 to 1 has 1.30."""

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

    def rater_pairs(self) -> Floats:
        """Pairs of one rater and the majority of the others.

        Returns
        -------
        numpy.ndarray
            (patterns, labels, labels + 1), truth by answer. The last answer is anything but a label. Where the others tie, each
            of the winners is the truth in equal part. Pairs in which the majority chose anything but a label are excluded.
        """
        everything = np.column_stack([self.votes, self.others])
        split = len(self.labels)
        pairs = np.zeros((len(everything), split, split + 1))
        for answer in range(everything.shape[1]):
            rest = everything.copy()
            rest[:, answer] -= 1
            most = rest.max(axis=1, keepdims=True)
            winners = (rest == most) & (most > 0)
            part = winners / np.maximum(winners.sum(axis=1, keepdims=True), 1)
            # Where no rater gave this answer the weight is 0, whatever `rest` holds.
            pairs[:, :, min(answer, split)] += everything[:, [answer]] * part[:, :split]
        return pairs


def vote_entropy(votes: NDArray[Any]) -> Floats:
    """Entropy of each row of votes in bits: 0 when all agree."""
    share = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(share > 0, -share * np.log2(share), 0.0)
    # Rounded, so that 8 votes to 2 fall on the same side of an edge regardless of the order of summation.
    entropy: Floats = np.round(parts.sum(axis=1), 9) + 0.0
    return entropy


def agreement_levels(entropy: Floats) -> NDArray[np.int64]:
    """Number in `AGREEMENT_LEVELS` of each entropy."""
    return np.searchsorted(np.array(_UPPER_ENTROPY), entropy, side="left").astype(np.int64)


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


def human_agreement(
    counts: Mapping[Grouping, VoteCounts],
    raters: int,
    duplicates: tuple[list[DuplicateConsistency], bool | None],
    settings: MetricSettings,
) -> HumanAgreement:
    """All results that are based on votes.

    Parameters
    ----------
    counts
        By grouping.
    raters
        Votes per sample (median).
    duplicates
        As `duplicate_consistency` returns.
    settings
        Minimum of (effective) samples, and confidence.
    """
    return HumanAgreement(
        samples=int(counts[EVERYONE].counts.total.sum()),
        raters=raters,
        weighted=[r for g, c in counts.items() for r in _vote_weighted(g, c, settings)],
        human=[r for g, c in counts.items() for r in _human(g, c, settings)],
        ambiguity=[r for g, c in counts.items() for r in _ambiguity(g, c, settings)],
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
                rows.append(weighted_rate((grouping, group, label, rate), float(weight @ total), estimate, settings))
    return rows


@dataclass(frozen=True)
class _RaterPairs:
    """Pairs of raters behind the samples of one group."""

    key: tuple[Grouping, Group]
    unit: NDArray[np.int64]
    total: Floats
    subject: NDArray[np.int64] | None

    def rate(self, label: str, rate: str, hits: Floats, trials: Floats, settings: MetricSettings) -> WeightedRate:
        estimate, faces = _of_samples(hits[self.unit], trials[self.unit], self.total, self.subject)
        weight = float(trials[self.unit] @ self.total)
        return weighted_rate((*self.key, label, rate), weight, estimate, settings, faces)


def _human(grouping: Grouping, votes: VoteCounts, settings: MetricSettings) -> list[WeightedRate]:
    """Rates of one rater with the majority of the others as the truth."""
    counts, pairs = votes.counts, votes.patterns.rater_pairs()
    split = len(counts.labels)
    everything = pairs.sum(axis=(1, 2))
    rows = []
    for i, group in enumerate(counts.groups):
        members = counts.group == i
        subject = None if votes.subject is None else votes.subject[members]
        total = counts.total[members].astype(float)
        of_group = _RaterPairs((grouping, group), votes.pattern[members], total, subject)
        for j, label in enumerate(counts.labels):
            truth = pairs[:, j].sum(axis=1)
            false = pairs[:, :, j].sum(axis=1) - pairs[:, j, j]
            rows.append(of_group.rate(label, "TPR", pairs[:, j, j], truth, settings))
            rows.append(of_group.rate(label, "FPR", false, everything - truth, settings))
        agree = pairs[:, range(split), range(split)].sum(axis=1)
        rows.append(of_group.rate(ALL, "accuracy", agree, everything, settings))
    return rows


def _of_samples(hits: Floats, trials: Floats, times: Floats, subject: NDArray[np.int64] | None) -> tuple[Estimates, float]:
    """A ratio over samples, within which pairs are dependent, and the number of equally weighted samples behind it.

    The variance is that of a ratio of sums over independent samples (Cochran 1977, Sampling Techniques, 2.11), or subjects.
    """
    n, square = float(trials @ times), float(trials**2 @ times)
    if not n:
        return Estimates(np.array(np.nan), np.array(0.0), np.array(1.0)), 0.0
    rate, faces = float(hits @ times) / n, n * n / square
    variance = float(((hits - rate * trials) ** 2) @ times) / (n * n)
    size = rate * (1 - rate) / variance if variance > 0 else faces
    estimate = Estimates(np.array(rate), np.array(float(np.clip(size, min(faces, n), n))), np.array(max(faces - 1, 1.0)))
    if subject is not None:
        estimate = estimate_ratio(hits * times, trials * times, subject, float(estimate.size))
    return estimate, faces


def _ambiguity(grouping: Grouping, votes: VoteCounts, settings: MetricSettings) -> list[Ambiguity]:
    """Accuracy of the model, and of one rater, by how much the raters of a sample agreed."""
    counts, pairs = votes.counts, votes.patterns.rater_pairs()
    split = len(counts.labels)
    agree, trials = pairs[:, range(split), range(split)].sum(axis=1), pairs.sum(axis=(1, 2))
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
            unit, total = votes.pattern[members], counts.total[members]
            weight = float(trials[unit] @ total)
            rows.append(
                Ambiguity(
                    stratum=name,
                    attribute=grouping,
                    group=group,
                    samples=samples,
                    model=correct / samples if samples else None,
                    low=low if samples else None,
                    high=high if samples else None,
                    human=float(agree[unit] @ total) / weight if weight else None,
                    status="not_estimable" if not samples else "small" if samples < settings.minimum else "ok",
                )
            )
    return rows


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
