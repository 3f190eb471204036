"""What raters' votes say of the labels that a model is held against.

A label hides how far raters agreed. Here every vote counts (*vote-weighted rates*), a rater is read as if a model (*human
ceiling*: one rater held against the plurality of the others), faces are sorted by how far raters agreed (*ambiguity*), and
pictures that were rated twice show how far labels repeat (*retest*).

Faces with the same votes are alike to all of this, so it works on counts by vote pattern: its cost does not grow with the
number of faces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairfer.datasets.attributes import Attribute
from fairfer.datasets.dataset import DUPLICATE_GROUP
from fairfer.metrics.counts import EVERYONE
from fairfer.metrics.results import Ambiguity, DuplicateConsistency, Votes, WeightedRate
from fairfer.metrics.weighted_rates import weighted_rate
from fairfer.stats import Estimates, estimate_ratio, wilson

if TYPE_CHECKING:
    from fairfer.audits.result import AuditPlan
    from fairfer.datasets.dataset import Dataset
    from fairfer.metrics.cells import Cells

VOTE_ENTROPY = "vote_entropy"
"""Name of the attribute made of the votes."""

STRATA = ("unanimous", "clear", "mixed", "split")
_EDGES = (0.0, 0.75, 1.25)
"""Upper entropies of all strata but the last, in bits: of ten votes 8 to 2 is .72, 7 to 3 is .88, 6 to 3 to 1 is 1.30."""

_COPIED = 0.9
"""Where more pairs of twins than this have the very same votes, one twin's votes were copied to the other."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Patterns:
    """Distinct rows of votes.

    Attributes
    ----------
    labels
        The labels audited.
    votes
        (patterns, labels) votes for each of them.
    others
        (patterns, other answers) votes for anything else: *unknown*, *not a face*, labels left out.
    """

    labels: tuple[str, ...]
    votes: Floats
    others: Floats

    @classmethod
    def of(cls, votes: pd.DataFrame, labels: Sequence[str], truth: Mapping[str, str]) -> tuple[Patterns, NDArray[np.int64]]:
        """The patterns of (n, answers) votes, and the number of each row's; `truth` says which label an answer means."""
        mine = np.zeros((len(votes), len(labels)), np.int64)
        strange = []
        for column in votes.columns:
            values = votes[column].to_numpy(np.int64)
            label = truth.get(str(column))
            if label is None:
                strange.append(values)
            else:
                mine[:, list(labels).index(label)] += values
        rows = np.column_stack([mine, *strange]) if strange else mine
        distinct, number = np.unique(rows, axis=0, return_inverse=True)
        split = len(labels)
        return cls(tuple(labels), distinct[:, :split].astype(float), distinct[:, split:].astype(float)), number.ravel()

    @property
    def entropy(self) -> Floats:
        """(patterns,) entropy of the votes in bits, over all answers."""
        return vote_entropy(np.column_stack([self.votes, self.others]))

    def rater_pairs(self) -> Floats:
        """(patterns, labels, labels + 1) pairs of one rater and the plurality of the others: truth by answer.

        The last answer is anything but a label. Where the others tie, each of the winners is the truth in equal part. A
        plurality for anything but a label is no truth, and such pairs are left out.
        """
        everything = np.column_stack([self.votes, self.others])
        split = len(self.labels)
        pairs = np.zeros((len(everything), split, split + 1))
        for said in range(everything.shape[1]):
            rest = everything.copy()
            rest[:, said] -= 1
            most = rest.max(axis=1, keepdims=True)
            winners = (rest == most) & (most > 0)
            part = winners / np.maximum(winners.sum(axis=1, keepdims=True), 1)
            # Where nobody gave this answer the weight is 0, whatever `rest` says.
            pairs[:, :, min(said, split)] += everything[:, [said]] * part[:, :split]
        return pairs


def vote_entropy(votes: NDArray[Any]) -> Floats:
    """Entropy of each row of votes in bits: 0 when all agree."""
    share = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(share > 0, -share * np.log2(share), 0.0)
    # Rounded, so that 8 votes to 2 fall on the same side of an edge in whatever order they are added up.
    entropy: Floats = np.round(parts.sum(axis=1), 9) + 0.0
    return entropy


def strata_of(entropy: Floats) -> NDArray[np.int64]:
    """Number in `STRATA` of each entropy."""
    return np.searchsorted(np.array(_EDGES), entropy, side="left").astype(np.int64)


def with_vote_entropy(dataset: Dataset) -> Dataset:
    """The data set with an attribute `VOTE_ENTROPY`: how far the raters of each face agreed."""
    if dataset.votes is None or any(a.name == VOTE_ENTROPY for a in dataset.attributes):
        return dataset
    level = np.array(STRATA)[strata_of(vote_entropy(dataset.votes.to_numpy()))]
    note = "Entropy of the votes: unanimous 0, clear up to 0.75, mixed up to 1.25 bits, split above."
    attribute = Attribute(VOTE_ENTROPY, STRATA, "annotated", "the raters' votes", note)
    samples = dataset.samples.assign(**{VOTE_ENTROPY: pd.Series(level, index=dataset.samples.index, dtype="str")})
    identity = {"digest": dataset.digest, "images_digest": dataset.images_digest}
    return dataset.replace(samples=samples, attributes=(*dataset.attributes, attribute), identity=identity)


@dataclass(frozen=True)
class Rated:
    """Counts of one grouping by vote pattern, and by person where several samples show one.

    Attributes
    ----------
    cells
        The counts.
    patterns
        The patterns.
    pattern
        (entries,) number of the pattern of each entry of the cells.
    person
        (entries,) number of its person; ``None`` where every sample is one.
    """

    cells: Cells
    patterns: Patterns
    pattern: NDArray[np.int64]
    person: NDArray[np.int64] | None = None


def read_votes(
    dataset: Dataset,
    rated: Mapping[str, Rated],
    plan: AuditPlan,
) -> Votes:
    """Everything that votes say.

    Parameters
    ----------
    dataset
        For the retest: its labels, votes and twins.
    rated
        Counts by grouping.
    plan
        Minimum of (effective) faces, and confidence.
    """
    votes = dataset.votes
    duplicate_consistency, independent = _retest(dataset, plan.confidence)
    return Votes(
        faces=int(rated[EVERYONE].cells.total.sum()),
        raters=0 if votes is None else int(votes.sum(axis=1).median()),
        weighted=[r for a, c in rated.items() for r in _weighted(a, c, plan)],
        human=[r for a, c in rated.items() for r in _human(a, c, plan)],
        ambiguity=[r for a, c in rated.items() for r in _ambiguity(a, c, plan)],
        duplicate_consistency=duplicate_consistency,
        independent=independent,
    )


def _weighted(attribute: str, rated: Rated, plan: AuditPlan) -> list[WeightedRate]:
    """The model's rates, each face counting for a label as often as raters voted for it."""
    rows = []
    cells, patterns = rated.cells, rated.patterns
    said = cells.tp + cells.fp
    everything = patterns.votes.sum(axis=1)
    for i, group in enumerate(cells.groups):
        mine = cells.group == i
        unit, total = rated.pattern[mine], cells.total[mine]
        for j, label in enumerate(cells.labels):
            heard = patterns.votes[unit, j]
            for rate, weight in (("TPR", heard), ("FPR", everything[unit] - heard)):
                known = Estimates.of_weights(weight @ said[mine, j], weight @ total, weight**2 @ total)
                if rated.person is not None:
                    known = estimate_ratio(weight * said[mine, j], weight * total, rated.person[mine], float(known.size))
                rows.append(weighted_rate((label, attribute, group, rate), float(weight @ total), known, plan))
    return rows


def _human(attribute: str, found: Rated, plan: AuditPlan) -> list[WeightedRate]:
    """Rates of one rater held against the plurality of the others."""
    cells, pairs = found.cells, found.patterns.rater_pairs()
    split = len(cells.labels)
    everything = pairs.sum(axis=(1, 2))
    rows = []
    for i, group in enumerate(cells.groups):
        mine = cells.group == i
        unit, total = found.pattern[mine], cells.total[mine].astype(float)
        person = None if found.person is None else found.person[mine]

        def rated(label: str, rate: str, hits: Floats, trials: Floats, of: str = group) -> WeightedRate:
            known, faces = _of_faces(hits[unit], trials[unit], total, person)  # noqa: B023 - called within this turn of the loop
            return weighted_rate((label, attribute, of, rate), float(trials[unit] @ total), known, plan, faces)  # noqa: B023

        for j, label in enumerate(cells.labels):
            truth = pairs[:, j].sum(axis=1)
            rows.append(rated(label, "TPR", pairs[:, j, j], truth))
            rows.append(rated(label, "FPR", pairs[:, :, j].sum(axis=1) - pairs[:, j, j], everything - truth))
        rows.append(rated(EVERYONE, "accuracy", pairs[:, range(split), range(split)].sum(axis=1), everything))
    return rows


def _of_faces(hits: Floats, trials: Floats, times: Floats, person: NDArray[np.int64] | None) -> tuple[Estimates, float]:
    """A ratio over faces, whose pairs hang together; and how many equally weighted faces stand behind it.

    The variance is that of a ratio of sums over independent faces (Cochran 1977, Sampling Techniques, 2.11), or people.
    """
    n, square = float(trials @ times), float(trials**2 @ times)
    if not n:
        return Estimates(np.array(np.nan), np.array(0.0), np.array(1.0)), 0.0
    rate, faces = float(hits @ times) / n, n * n / square
    variance = float(((hits - rate * trials) ** 2) @ times) / (n * n)
    size = rate * (1 - rate) / variance if variance > 0 else faces
    known = Estimates(np.array(rate), np.array(float(np.clip(size, min(faces, n), n))), np.array(max(faces - 1, 1.0)))
    if person is not None:
        known = estimate_ratio(hits * times, trials * times, person, float(known.size))
    return known, faces


def _ambiguity(attribute: str, rated: Rated, plan: AuditPlan) -> list[Ambiguity]:
    """The model, and a rater, by how far the raters of a face agreed."""
    cells, pairs = rated.cells, rated.patterns.rater_pairs()
    split = len(cells.labels)
    agree, trials = pairs[:, range(split), range(split)].sum(axis=1), pairs.sum(axis=(1, 2))
    stratum = strata_of(rated.patterns.entropy)[rated.pattern]
    rows = []
    for i, group in enumerate(cells.groups):
        for number, name in enumerate(STRATA):
            mine = (cells.group == i) & (stratum == number)
            faces, right = int(cells.total[mine].sum()), int(cells.right[mine].sum())
            known = Estimates.of_counts(right, faces)
            if rated.person is not None:
                known = estimate_ratio(cells.right[mine], cells.total[mine], rated.person[mine], faces)
            low, high = (float(x) for x in known.limits((1 - plan.confidence) / 2))
            unit, total = rated.pattern[mine], cells.total[mine]
            asked = float(trials[unit] @ total)
            rows.append(
                Ambiguity(
                    stratum=name,
                    attribute=attribute,
                    group=group,
                    faces=faces,
                    model=right / faces if faces else None,
                    low=low if faces else None,
                    high=high if faces else None,
                    human=float(agree[unit] @ total) / asked if asked else None,
                    status="not_estimable" if not faces else "small" if faces < plan.minimum else "ok",
                )
            )
    return rows


def _retest(dataset: Dataset, confidence: float) -> tuple[list[DuplicateConsistency], bool | None]:
    """Pairs of samples with the same pixels and their own votes: the first two of each picture."""
    if dataset.votes is None or DUPLICATE_GROUP not in dataset.samples:
        return [], None
    twins = dataset.samples[dataset.samples[DUPLICATE_GROUP] != ""].sort_index()
    order = twins.groupby(DUPLICATE_GROUP).cumcount()
    first, second = (twins[order == i].reset_index().set_index(DUPLICATE_GROUP) for i in (0, 1))
    first = first.loc[second.index]
    if second.empty:
        return [], None
    same_votes = (dataset.votes.loc[first["sample_id"]].to_numpy() == dataset.votes.loc[second["sample_id"]].to_numpy()).all(1)
    if float(same_votes.mean()) > _COPIED:
        return [], False
    one, two = first["label"].to_numpy(), second["label"].to_numpy()
    rows = []
    for label in (EVERYONE, *dataset.labels.labels):
        either = np.full(len(one), fill_value=True) if label == EVERYONE else (one == label) | (two == label)
        pairs, agree = int(either.sum()), int((either & (one == two)).sum())
        low, high = (float(x) for x in wilson(agree, pairs, confidence))
        there = pairs > 0
        rows.append(
            DuplicateConsistency(
                label=label,
                pairs=pairs,
                agree=agree,
                value=agree / pairs if there else None,
                low=low if there else None,
                high=high if there else None,
            )
        )
    return rows, True
