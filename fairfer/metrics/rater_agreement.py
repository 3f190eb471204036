"""Human agreement: the rates of one rater, with the majority of the other raters as the truth.

Each rater is left out in turn. The other votes alone decide what the truth is, whether the face has a label by the rule of the
dataset, and how much the raters agree on it. A dataset keeps only faces with enough agreement: if the votes that selected them
include that of the rater in question, faces on which that rater disagreed are missing, and agreement is overestimated.

Faces with the same votes are interchangeable here, so everything is computed from counts by vote pattern.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fairfer.metrics.weighted_rates import weighted_rate
from fairfer.stats import Estimates, estimate_ratio
from fairfer.vocabulary import ALL, Group, Grouping

if TYPE_CHECKING:
    from fairfer.metrics.metric_settings import MetricSettings
    from fairfer.metrics.results import WeightedRate

AGREEMENT_LEVELS = ("unanimous", "clear", "mixed", "split")
_UPPER_ENTROPY = (0.0, 0.75, 1.25)
"""Highest entropy of each level but the last, in bits. Of ten votes, 8 to 2 has 0.72, 7 to 3 has 0.88, 6 to 3 to 1 has 1.30."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def vote_entropy(votes: NDArray[Any]) -> Floats:
    """Entropy of each row of votes in bits: 0 when all agree."""
    share = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(share > 0, -share * np.log2(share), 0.0)
    # Rounded, so that 8 votes to 2 fall on the same side of an edge regardless of the order of summation.
    entropy: Floats = np.round(parts.sum(axis=1), 9) + 0.0
    return entropy


def agreement_levels(entropy: Floats) -> Integers:
    """Number in `AGREEMENT_LEVELS` of each entropy."""
    return np.searchsorted(np.array(_UPPER_ENTROPY), entropy, side="left").astype(np.int64)


@dataclass(frozen=True)
class LeftOut:
    """One rater of each vote pattern, and the others.

    Attributes
    ----------
    raters
        (patterns, answers) raters who gave an answer, if the face has a label by the votes of the others; else 0.
    truth
        (patterns, answers, labels) share of each label in the truth: that with most of the other votes, in equal parts on a
        tie. All 0 where most of the others chose anything but a label.
    level
        (patterns, answers) number in `AGREEMENT_LEVELS` of the others' agreement.
    label
        (answers,) number of the label that an answer stands for; -1 for anything else.
    """

    raters: Floats
    truth: Floats
    level: Integers
    label: Integers

    @classmethod
    def of(
        cls,
        votes: Integers,
        label: Sequence[int],
        labels: int,
        selects: Callable[[Integers], NDArray[np.bool_]] | None = None,
    ) -> LeftOut:
        """Leave each rater out.

        Parameters
        ----------
        votes
            (patterns, answers).
        label
            (answers,) number of the label that each answer stands for; -1 for anything else.
        labels
            Number of labels.
        selects
            Whether faces with these votes have a label by the rule of the dataset; all have when not given.
        """
        of_answer = np.asarray(label, np.int64)
        others = [i for i, number in enumerate(of_answer) if number < 0]
        raters = np.zeros(votes.shape)
        truth = np.zeros((*votes.shape, labels))
        level = np.zeros(votes.shape, np.int64)
        for answer in range(votes.shape[1]):
            rest = votes.copy()
            rest[:, answer] = np.maximum(rest[:, answer] - 1, 0)
            own = np.zeros((len(votes), labels), np.int64)
            np.add.at(own.T, of_answer[of_answer >= 0], rest[:, of_answer >= 0].T)
            merged = np.concatenate([own, rest[:, others]], axis=1)
            most = merged.max(axis=1, keepdims=True)
            winners = (merged == most) & (most > 0)
            truth[:, answer] = (winners / np.maximum(winners.sum(axis=1, keepdims=True), 1))[:, :labels]
            level[:, answer] = agreement_levels(vote_entropy(merged))
            raters[:, answer] = votes[:, answer] * (True if selects is None else selects(rest))
        return cls(raters, truth, level, of_answer)

    def pairs(self) -> Floats:
        """(patterns, labels, labels + 1) raters by truth and answer; the last answer is anything but a label."""
        labels = self.truth.shape[2]
        pairs = np.zeros((len(self.raters), labels, labels + 1))
        for answer, number in enumerate(self.label):
            pairs[:, :, number if number >= 0 else labels] += self.raters[:, [answer]] * self.truth[:, answer]
        return pairs

    def agreement(self, level: int) -> tuple[Floats, Floats]:
        """(patterns,) raters who agree with the truth, and all with a truth, among those whose others agree to this degree."""
        raters = np.where(self.level == level, self.raters, 0.0)
        known = self.label >= 0
        same = self.truth[:, np.flatnonzero(known), self.label[known]]
        return (raters[:, known] * same).sum(axis=1), (raters * self.truth.sum(axis=2)).sum(axis=1)


@dataclass(frozen=True)
class RatedFaces:
    """All rated faces of a dataset, also those without a label by its rule; arrays of one length.

    Attributes
    ----------
    groups
        Of one grouping.
    group, pattern
        Number of the group and of the vote pattern of each kind of face.
    total
        Faces of this kind.
    subject
        Number of their subject; ``None`` where every face is a subject of its own.
    """

    groups: tuple[Group, ...]
    group: Integers
    pattern: Integers
    total: Integers
    subject: Integers | None = None

    def of_group(self, number: int) -> RatedFaces:
        """The faces of one group."""
        members = self.group == number
        subject = None if self.subject is None else self.subject[members]
        return RatedFaces(self.groups, self.group[members], self.pattern[members], self.total[members], subject)


def rater_rates(
    grouping: Grouping, faces: RatedFaces, left_out: LeftOut, labels: Sequence[str], settings: MetricSettings
) -> list[WeightedRate]:
    """TPR and FPR of one rater for each label, and accuracy, in each group of a grouping."""
    pairs = left_out.pairs()
    split = len(labels)
    everything = pairs.sum(axis=(1, 2))
    agree = pairs[:, range(split), range(split)].sum(axis=1)
    rows = []
    for i, group in enumerate(faces.groups):
        members = faces.of_group(i)
        parts: list[tuple[str, str, Floats, Floats]] = []
        for j, label in enumerate(labels):
            truth = pairs[:, j].sum(axis=1)
            false = pairs[:, :, j].sum(axis=1) - pairs[:, j, j]
            parts += [(label, "TPR", pairs[:, j, j], truth), (label, "FPR", false, everything - truth)]
        for label, rate, hits, trials in (*parts, (ALL, "accuracy", agree, everything)):
            rows.append(_rate((grouping, group, label, rate), members, hits, trials, settings))
    return rows


def _rate(
    key: tuple[Grouping, Group, str, str], faces: RatedFaces, hits: Floats, trials: Floats, settings: MetricSettings
) -> WeightedRate:
    total = faces.total.astype(float)
    of_faces = trials[faces.pattern]
    estimate, size = _of_samples(hits[faces.pattern], of_faces, total, faces.subject)
    subjects = None if faces.subject is None else len(np.unique(faces.subject[of_faces > 0]))
    return weighted_rate(key, float(of_faces @ total), estimate, settings, size, subjects)


def _of_samples(hits: Floats, trials: Floats, times: Floats, subject: Integers | None) -> tuple[Estimates, float]:
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


def agreement_by_level(faces: RatedFaces, left_out: LeftOut) -> Mapping[tuple[Group, str], float | None]:
    """Share of raters who agree with the majority of the others, by group and by how much the others agree."""
    values: dict[tuple[Group, str], float | None] = {}
    for number, name in enumerate(AGREEMENT_LEVELS):
        hits, trials = left_out.agreement(number)
        for i, group in enumerate(faces.groups):
            members = faces.of_group(i)
            weight = float(trials[members.pattern] @ members.total)
            values[group, name] = float(hits[members.pattern] @ members.total) / weight if weight else None
    return values
