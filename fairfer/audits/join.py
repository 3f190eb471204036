"""Join truth, answers and groups sample by sample, and count them in every way that an audit needs.

All later steps work on counts only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from fairfer.audits.unsupported import count_unsupported
from fairfer.datasets.dataset import DUPLICATE_GROUP
from fairfer.datasets.loaders.ferplus import selects
from fairfer.errors import DataError, RunError, UsageError
from fairfer.metrics.annotation_error import InferredAttributes
from fairfer.metrics.counts import Counts, Source, count, count_weighted
from fairfer.metrics.human_agreement import Raters, VoteCounts, VotePatterns
from fairfer.metrics.inferred_groups import membership, membership_products
from fairfer.metrics.rater_agreement import LeftOut, RatedFaces
from fairfer.metrics.standardization import Strata
from fairfer.metrics.subjects import number_subjects
from fairfer.metrics.threshold_results import DEFAULT_THRESHOLD
from fairfer.vocabulary import UNANNOTATED, Grouping

if TYPE_CHECKING:
    from fairfer.audits.plan import Design
    from fairfer.datasets.dataset import Dataset
    from fairfer.metrics.results import UnsupportedCount
    from fairfer.metrics.score_bins import ScoreScale
    from fairfer.predictions.predictions import Predictions

Integers = NDArray[np.int64]
_UNIT = "unit"


@dataclass(frozen=True)
class JoinedSamples:
    """Samples of an audit, one row each.

    Attributes
    ----------
    design
        What is audited.
    table
        Indexed by sample id; columns as `fairfer.metrics.counts.Source` describes, and one per attribute called ``by0``,
        ``by1``, …, as an attribute may have any name.
    columns
        Column of each attribute.
    scored
        Numbers of the audited labels that have scores.
    scale
        Of the scores.
    excluded
        Samples excluded for their label.
    unsupported
        Samples excluded or merged for their label, by group.
    """

    design: Design
    table: pd.DataFrame
    columns: Mapping[str, str]
    scored: tuple[int, ...]
    scale: ScoreScale
    excluded: int
    unsupported: list[UnsupportedCount]

    @cached_property
    def source(self) -> Source:
        """The samples as they are counted."""
        table = pa.Table.from_pandas(self.table, preserve_index=False)
        return Source(table, self.design.task, self.design.labels.labels, self.columns, self.scored, self.scale)

    def _by(self, unit: NDArray[Any]) -> Source:
        """The samples with the number of each one's unit."""
        table: pa.Table = self.source.relation
        return replace(self.source, relation=table.append_column(_UNIT, pa.array(unit)))

    def counts(self) -> dict[Grouping, Counts]:
        """Counts and score histograms, one entry per group."""
        return count(self.source, self.design.groups, scores=True)

    @cached_property
    def subjects(self) -> Integers:
        """(samples,) number of each sample's subject; a sample without a name is a subject of its own."""
        return _subjects(self.design.dataset.samples.loc[self.table.index, self.design.plan.subject])

    @property
    def without_subject(self) -> int:
        """Number of samples without a name of their subject."""
        return int(_unnamed(self.design.dataset.samples.loc[self.table.index, self.design.plan.subject]).sum())

    def counts_by_subject(self) -> dict[Grouping, Counts]:
        """Counts and score histograms by subject."""
        return count(self._by(self.subjects), self.design.groups, unit=_UNIT, scores=True)

    def counts_by_outcome(self) -> dict[Grouping, Counts]:
        """Counts of samples with the same truth and answer in every label; a unit is such an outcome."""
        table, labels = self.table, range(len(self.design.labels.labels))
        answered = table["status"] == "ok"
        if self.design.task == "single-label":
            outcomes = pd.DataFrame({"truth": table["truth"], "predicted": table["predicted"].where(answered).fillna("\0")})
        else:
            columns = {f"truth:{i}": table[f"truth:{i}"].fillna(-1) for i in labels}
            columns |= {f"predicted:{i}": table[f"predicted:{i}"].where(answered, 0).fillna(0) for i in labels}
            outcomes = pd.DataFrame(columns).astype("int8")
        number = outcomes.groupby(list(outcomes.columns), sort=True).ngroup().to_numpy(np.int64)
        return count(self._by(number), self.design.groups, unit=_UNIT)

    def strata(self) -> Strata:
        """Counts by true label and the columns to standardize over, and by subject where a column names one."""
        plan = self.design.plan
        mix = self.design.dataset.samples.loc[self.table.index, list(plan.standardize)]
        truth = [c for c in self.table.columns if c == "truth" or c.startswith("truth:")]
        # A column may have any name, but none begins with a null character.
        labels = self.table[truth].rename(columns=lambda c: f"\0{c}")
        mix = pd.concat([mix, labels if self.design.task == "single-label" else labels.fillna(-1)], axis=1)
        stratum = mix.groupby(list(mix.columns), sort=True, observed=True).ngroup().to_numpy(np.int64)
        if not plan.subject:
            counts = count(self._by(stratum), self.design.groups, unit=_UNIT)
            return Strata(counts, np.arange(int(stratum.max()) + 1))
        counts, stratum, subject = self._by_subject_and(stratum)
        return Strata(counts, stratum, subject)

    def _by_subject_and(self, number: NDArray[Any]) -> tuple[dict[Grouping, Counts], Integers, Integers]:
        """Counts by a numbered kind of sample and subject, and the kind and subject of each unit."""
        pairs, unit = np.unique(np.stack([number, self.subjects], axis=1), axis=0, return_inverse=True)
        counts = count(self._by(unit.ravel().astype(np.int64)), self.design.groups, unit=_UNIT)
        return counts, pairs[:, 0], pairs[:, 1]

    def votes(self) -> dict[Grouping, VoteCounts] | None:
        """Counts by vote pattern; ``None`` without votes."""
        votes = self.design.dataset.votes
        if votes is None:
            return None
        labels = self.design.labels
        audited_as = {k: v for k, v in labels.truth.items() if v is not None}
        patterns, number = VotePatterns.of(votes.loc[self.table.index], labels.labels, audited_as)
        if self.design.plan.subject:
            counts, pattern, subject = self._by_subject_and(number.astype(np.int64))
            return {g: VoteCounts(c, patterns, pattern[c.unit], subject[c.unit]) for g, c in counts.items()}
        counts = count(self._by(number.astype(np.int64)), self.design.groups, unit=_UNIT)
        return {g: VoteCounts(c, patterns, c.unit) for g, c in counts.items()}

    def raters(self) -> Raters | None:
        """Each rater left out in turn, among all faces that were rated; ``None`` without votes."""
        dataset, plan, labels = self.design.dataset, self.design.plan, self.design.labels
        if dataset.votes is None:
            return None
        faces = dataset.unselected
        names = list(dict.fromkeys([*self.design.attributes, *([plan.subject] if plan.subject else [])]))
        votes, samples = dataset.votes, dataset.samples[names]
        if faces is not None:
            samples = pd.concat([samples.astype(object), faces.samples.reindex(columns=names).astype(object)])
            votes = pd.concat([votes, faces.votes[list(votes.columns)]])
        audited_as = {k: labels.labels.index(v) for k, v in labels.truth.items() if v is not None}
        patterns, number = np.unique(votes.to_numpy(np.int64), axis=0, return_inverse=True)
        rule = None if faces is None else partial(selects, rule=faces.rule)
        left_out = LeftOut.of(patterns, [audited_as.get(str(c), -1) for c in votes.columns], len(labels.labels), rule)
        subject = _subjects(samples[plan.subject]) if plan.subject else None
        complete = [g for g in self.design.groups if faces is not None and set(g) <= set(faces.samples.columns)]
        rated, selected = {}, np.arange(len(votes)) < len(dataset.votes)
        for grouping, members in self.design.groups.items():
            used = selected | np.full(len(votes), grouping in complete)
            group = np.zeros(len(votes), np.int64)
            if grouping:
                levels = pd.MultiIndex.from_frame(samples[list(grouping)].astype("str"))
                group = pd.MultiIndex.from_tuples(list(members)).get_indexer(levels).astype(np.int64)
            used &= group >= 0
            columns = [group[used], number.ravel()[used], *([] if subject is None else [subject[used]])]
            kinds, total = np.unique(np.stack(columns, axis=1), axis=0, return_counts=True)
            rated[grouping] = RatedFaces(
                tuple(members), kinds[:, 0], kinds[:, 1], total, None if subject is None else kinds[:, 2]
            )
        return Raters(int(dataset.votes.sum(axis=1).median()), left_out, rated, tuple(complete))

    def duplicates(self) -> pd.Series | None:
        """Name of each sample's duplicate group in the whole dataset, where it has votes and duplicates."""
        dataset = self.design.dataset
        return dataset.samples[DUPLICATE_GROUP] if dataset.votes is not None and DUPLICATE_GROUP in dataset.samples else None

    def inferred_attributes(self) -> InferredAttributes:
        """The attributes grouped by, and how their annotations were made."""
        attributes = self.design.attributes
        levels = {n: tuple(x for x in a.levels if x != UNANNOTATED) for n, a in attributes.items()}
        inferred = frozenset(n for n, a in attributes.items() if a.source == "inferred")
        probabilistic = frozenset(n for n in inferred if attributes[n].probabilities)
        lacking = np.zeros(len(self.table), bool)
        for name in probabilistic:
            lacking |= self._membership(name)[1]
        confusion = {
            n: np.array([[attributes[n].confusion.get(true, {}).get(x, 0) for x in levels[n]] for true in levels[n]], float)
            for n in inferred
            if attributes[n].confusion
        }
        return InferredAttributes(levels, inferred, probabilistic, int(lacking.sum()), confusion)

    def weighted(self, attributes: InferredAttributes) -> dict[Grouping, tuple[Counts, Counts]]:
        """For each grouping with probabilities, sums of weights and of squared weights; by subject where samples share one."""
        wanted = [
            g for g in self.design.groupings if attributes.probabilistic & set(g) and all(attributes.levels[n] for n in g)
        ]
        unit = _UNIT if self.design.plan.subject else ""
        source = self._by(self.subjects) if unit else self.source
        memberships = {n: self._weights(n, attributes) for g in wanted for n in g}
        return {
            g: count_weighted(source, g, membership_products(g, {n: memberships[n] for n in g}, attributes.levels), unit=unit)
            for g in wanted
        }

    def _membership(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        samples = self.design.dataset.samples.loc[self.table.index]
        return membership(samples, self.design.attributes[name])

    def _weights(self, name: str, attributes: InferredAttributes) -> NDArray[np.float64]:
        """(samples, levels) probabilities; 0 and 1 where an attribute has none."""
        if name in attributes.probabilistic:
            return self._membership(name)[0]
        levels = np.array(attributes.levels[name], dtype=object)
        weights: NDArray[np.float64] = (self.table[self.columns[name]].to_numpy(object)[:, None] == levels).astype(np.float64)
        return weights


def _subjects(names: pd.Series) -> Integers:
    """(samples,) number of each sample's subject, from its name."""
    return number_subjects(names.mask(_unnamed(names)))


def _unnamed(names: pd.Series) -> NDArray[np.bool_]:
    """(samples,) whether the subject is unknown."""
    return (names.isna() | names.astype("str").isin([UNANNOTATED, ""])).to_numpy(np.bool_)


def join(design: Design, predictions: Predictions) -> JoinedSamples:
    """Truth, answers and groups of the samples audited.

    Raises
    ------
    RunError
        When the predictions lack a sample or were made from another image.
    DataError
        When no sample is left.
    UsageError
        When a threshold is not in the range of the scores.
    """
    dataset, labels = design.dataset, design.labels
    answers = answers_for(dataset, predictions)
    columns = {name: f"by{i}" for i, name in enumerate(design.attributes)}
    table = dataset.samples[list(columns)].rename(columns=columns)
    table = table.assign(status=answers["status"].astype("str"))
    if design.task == "single-label":
        table = table.assign(truth=dataset.samples["label"].map(dict(labels.truth)), predicted=answers["predicted"])
        kept = table["truth"].notna()
    else:
        table = table.join(_truth(design)).join(_decisions(design, predictions, answers))
        kept = pd.Series(data=True, index=table.index)
        if dataset.task == "single-label":
            kept = dataset.samples["label"].map(dict(labels.truth)).notna()
    if not kept.any():
        message = (
            f"{dataset.name}: no sample is left after excluding labels that are not among the output classes of "
            f"{predictions.model}; see --unsupported-labels"
        )
        raise DataError(message)
    scores, scored, scale = _scores(labels.labels, answers)
    _check_thresholds(design.plan.thresholds, scale)
    table = table.join(scores)
    unsupported = count_unsupported(design, table, columns, answers)
    return JoinedSamples(design, table[kept], columns, scored, scale, int((~kept).sum()), unsupported)


def _truth(design: Design) -> pd.DataFrame:
    """``truth:0``, … of the labels audited."""
    truth = design.dataset.truth_for(design.labels)
    return truth.set_axis([f"truth:{i}" for i in range(truth.shape[1])], axis=1)


def _decisions(design: Design, predictions: Predictions, answers: pd.DataFrame) -> pd.DataFrame:
    """``predicted:0``, …: the plan's thresholds on scores; without one, recorded decisions, else the default threshold.

    A single-label model predicts its one label. A label that is not among the model's output classes is never predicted.
    """
    columns = {}
    for i, label in enumerate(design.labels.labels):
        threshold = design.plan.thresholds.get(label)
        recorded, score = f"predicted:{label}", f"score:{label}"
        if threshold is not None and score not in answers:
            message = (
                f"--threshold {label}={threshold}: {predictions.model} recorded no scores, only decisions; "
                "add --scores, or leave --threshold out"
            )
            raise RunError(message)
        if threshold is not None:
            check_scored(answers, label, score)
        if label not in predictions.labels:
            decision = pd.Series(data=False, index=answers.index)
        elif threshold is None and recorded in answers:
            decision = answers[recorded]
        elif threshold is None and predictions.task == "single-label":
            decision = (answers["predicted"] == label).fillna(value=False)
        else:
            decision = (answers[score] >= (DEFAULT_THRESHOLD if threshold is None else threshold)).fillna(value=False)
        columns[f"predicted:{i}"] = decision.astype("Int8")
    return pd.DataFrame(columns, index=answers.index)


def check_scored(answers: pd.DataFrame, label: str, score: str) -> None:
    """Refuse decisions without a score: a threshold would make each of them negative.

    Raises
    ------
    DataError
        Naming the first.
    """
    unscored = answers.index[(answers["status"] == "ok") & answers[score].isna()]
    if len(unscored):
        message = (
            f"--threshold {label}: decisions without a score: {len(unscored):,} (the first is that of {unscored[0]}); "
            "add the scores, or leave --threshold out"
        )
        raise DataError(message)


def _check_thresholds(thresholds: Mapping[str, float], scale: ScoreScale) -> None:
    for label, threshold in thresholds.items():
        if scale == "probability" and not 0 <= threshold <= 1:
            message = f"--threshold {label}={threshold:g}: all scores are between 0 and 1; give a threshold in this range"
            raise UsageError(message)


def _scores(labels: tuple[str, ...], answers: pd.DataFrame) -> tuple[pd.DataFrame, tuple[int, ...], ScoreScale]:
    scored = tuple(i for i, label in enumerate(labels) if f"score:{label}" in answers)
    scores = pd.DataFrame({f"score:{i}": answers[f"score:{labels[i]}"].astype("float32") for i in scored}, index=answers.index)
    values = scores.to_numpy()
    scale: ScoreScale = "unbounded" if bool(((values < 0) | (values > 1)).any()) else "probability"
    return scores, scored, scale


def answers_for(dataset: Dataset, predictions: Predictions) -> pd.DataFrame:
    """The answer for every sample, and nothing else.

    Raises
    ------
    RunError
        When the predictions lack a sample or were made from another image.
    """
    answers = predictions.frame.reindex(dataset.samples.index)
    missing = answers["status"].isna()
    if missing.any():
        message = (
            f"the predictions of {predictions.model} lack {int(missing.sum()):,} of {len(dataset):,} samples of {dataset.name} "
            f"(the first is {missing.index[missing][0]}); predict again"
        )
        raise RunError(message)
    if dataset.images is None and predictions.images_digest != dataset.images_digest:
        message = f"the predictions of {predictions.model} do not belong to {dataset.name}; use those that came with it"
        raise RunError(message)
    if dataset.images is not None:
        changed = answers["image"].fillna("") != dataset.image_digests
        if changed.any():
            message = f"image {changed.index[changed][0]} has changed since {predictions.model} was run; predict again"
            raise RunError(message)
    return answers
