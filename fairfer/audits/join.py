"""The samples of an audit, one row each: truth, answer and groups, and how they are counted in different ways.

Everything after it works on counts; only `fairfer.metrics.counts` reads the rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fairfer.datasets.attributes import Attribute, to_levels
from fairfer.errors import DataError, RunError, UsageError, did_you_mean
from fairfer.metrics.cells import Cells
from fairfer.metrics.counts import Grouping, confusion, confusion_by_unit, unanswered
from fairfer.metrics.human_agreement import VOTE_ENTROPY, Patterns, Rated, read_votes, with_vote_entropy
from fairfer.metrics.inferred_groups import depend_on_inferred, membership
from fairfer.metrics.standardization import Strata
from fairfer.metrics.subjects import People
from fairfer.vocabulary import UNANNOTATED

if TYPE_CHECKING:
    from fairfer.audits.result import AuditPlan
    from fairfer.datasets.dataset import Dataset
    from fairfer.labels import Reconciliation
    from fairfer.metrics.results import AnnotationSensitivity, Gap, Rate, Votes
    from fairfer.predictions.inference import Predictions

_FIFTHS = 5
_MANY = 10
"""More different numbers than this are cut into fifths: strata of single years have hardly anyone in them."""


@dataclass(frozen=True)
class Rows:
    """Samples audited.

    Attributes
    ----------
    dataset
        Where they come from.
    table
        Indexed by sample id: ``truth``, ``said`` and a column for each attribute, called ``by0``, ``by1``, …, as an attribute
        may have any name.
    columns
        The column of each attribute.
    groupings
        What is counted by.
    labels
        How the labels of the data met those of the model.
    left_out
        Samples left out for their label.
    """

    dataset: Dataset
    table: pd.DataFrame
    columns: Mapping[str, str]
    groupings: Sequence[Grouping]
    labels: Reconciliation
    excluded: int

    @classmethod
    def join(cls, dataset: Dataset, predictions: Predictions, labels: Reconciliation, groupings: Sequence[Grouping]) -> Rows:
        """Truth, answers and groups of the samples audited.

        Raises
        ------
        RunError
            When the predictions lack a sample or are about another picture.
        DataError
            When no sample is left.
        """
        answers = _answers(dataset, predictions)
        columns = {name: f"by{i}" for i, name in enumerate(dict.fromkeys(n for g in groupings for n in g))}
        status = answers["status"].astype("str")
        said = answers["predicted"].astype("str").where(status == "ok", status.map(unanswered))
        groups = dataset.samples[list(columns)].rename(columns=columns)
        table = groups.assign(truth=dataset.samples["label"].map(dict(labels.truth)), said=said)
        keep = table["truth"].notna()
        if not keep.any():
            message = f"{dataset.name}: no face is left once those are dropped whose label {predictions.model} cannot say"
            raise DataError(message)
        return cls(dataset, table[keep], columns, groupings, labels, int((~keep).sum()))

    def counts(self) -> pd.DataFrame:
        """See `fairfer.metrics.counts.confusion`."""
        return confusion(self.table, self.groupings, self.columns)

    def people(self, groups: Mapping[str, Sequence[str]], subject: str, seed: int) -> tuple[People, int]:
        """Counts by person, and how many people there are."""
        number = self.persons(subject)
        return People.of(self._by_unit(number), self.labels.labels, groups, seed), len(np.unique(number))

    def persons(self, subject: str) -> np.ndarray:
        """(samples,) number of the person that each shows; a sample of nobody known is a person of its own."""
        name = self.dataset.samples.loc[self.table.index, subject]
        number = pd.factorize(name.mask(name.astype("str").isin([UNANNOTATED, ""])))[0].astype(np.int64)
        unknown = number < 0
        nobody: np.ndarray = number.max(initial=-1) + np.cumsum(unknown)
        return np.where(unknown, nobody, number)

    def strata(self, groups: Mapping[str, Sequence[str]], standardize: Sequence[str], subject: str = "") -> Strata:
        """Counts by true label and the columns to adjust for, and by person where a column names one."""
        mix = self.dataset.samples.loc[self.table.index, list(standardize)].assign(**{"": self.table["truth"]})
        number = mix.groupby(list(mix.columns), sort=True, observed=True).ngroup().to_numpy(np.int64)
        if not subject:
            return Strata(self._cells(number, groups), np.arange(int(number.max()) + 1))
        return Strata(*self._by_person(number, groups, subject))

    def _by_person(
        self, number: np.ndarray, groups: Mapping[str, Sequence[str]], subject: str
    ) -> tuple[dict[str, Cells], np.ndarray, np.ndarray]:
        """Counts by a numbered kind of sample and person, and the kind and person of each unit."""
        pairs, unit = np.unique(np.stack([number, self.persons(subject)], axis=1), axis=0, return_inverse=True)
        return self._cells(unit.ravel().astype(np.int64), groups), pairs[:, 0], pairs[:, 1]

    def votes(self, groups: Mapping[str, Sequence[str]], plan: AuditPlan) -> Votes | None:
        """See `fairfer.metrics.human_agreement`; ``None`` where there is one label a face."""
        if self.dataset.votes is None:
            return None
        meant = {k: v for k, v in self.labels.truth.items() if v is not None}
        patterns, number = Patterns.of(self.dataset.votes.loc[self.table.index], self.labels.labels, meant)
        if plan.subject:
            cells, pattern, person = self._by_person(number, groups, plan.subject)
            rated = {a: Rated(c, patterns, pattern[c.unit], person[c.unit]) for a, c in cells.items()}
        else:
            rated = {a: Rated(c, patterns, c.unit) for a, c in self._cells(number.astype(np.int64), groups).items()}
        return read_votes(self.dataset, rated, plan)

    def annotation(
        self, rates: Sequence[Rate], gaps: Sequence[Gap], plan: AuditPlan, people: People | None = None
    ) -> AnnotationSensitivity | None:
        """See `fairfer.metrics.inferred_groups`; ``None`` where nothing is inferred."""
        attributes = {n: self.dataset.attribute(n) for n in self.columns}
        memberships: dict[str, np.ndarray] = {}
        lacking = np.zeros(len(self.table), dtype=bool)
        for name, attribute in attributes.items():
            if attribute.source == "inferred" and attribute.probabilities:
                memberships[name], without = membership(self.dataset.samples.loc[self.table.index], attribute)
                lacking |= without
        for name in self.columns.keys() - memberships.keys():
            levels = [n for n in attributes[name].levels if n != UNANNOTATED]
            member = self.table[self.columns[name]].to_numpy(object)
            memberships[name] = (member[:, None] == np.array(levels, dtype=object)).astype(float)
        table = self.table.assign(unit=self.persons(plan.subject)) if plan.subject else self.table
        return depend_on_inferred(
            table,
            attributes,
            memberships,
            rates,
            gaps,
            self.labels.labels,
            plan,
            int(lacking.sum()),
            None if people is None else people.cells,
        )

    def _by_unit(self, number: np.ndarray) -> pd.DataFrame:
        return confusion_by_unit(self.table.assign(unit=number), self.groupings, "unit", self.columns)

    def _cells(self, number: np.ndarray, groups: Mapping[str, Sequence[str]]) -> dict[str, Cells]:
        parts = dict(tuple(self._by_unit(number).groupby("attribute", sort=False)))
        return {a: Cells.of(parts[a], self.labels.labels, names) for a, names in groups.items()}


def prepare(dataset: Dataset, by: Iterable[str | Sequence[str]], standardize: Sequence[str]) -> Dataset:
    """The data set with the columns that an audit asks for and that have to be made first.

    These are `VOTE_ENTROPY`, from the votes, and fifths of any column of many numbers to adjust for.

    Raises
    ------
    UsageError
        When a column to adjust for does not exist, or cannot be made.
    """
    asked = {
        n.strip()
        for item in ([by] if isinstance(by, str) else by)
        for n in (item.split(",") if isinstance(item, str) else item)
    }
    if VOTE_ENTROPY in asked | set(standardize):
        dataset = with_vote_entropy(dataset)
    known = {a.name: a for a in dataset.attributes}
    for name in standardize:
        if name in known:
            if name not in asked and _many_numbers(known[name].levels):
                dataset = _in_fifths(dataset, name, dataset.samples[name].mask(dataset.samples[name] == UNANNOTATED))
            continue
        values = dataset.samples[name] if name in dataset.samples.columns else None
        if name == VOTE_ENTROPY and values is None:
            message = f"--standardize {name}: {dataset.name} has no raters' votes, only labels; adjust for another column"
            raise UsageError(message)
        if values is not None and bool(values.isna().all()):
            message = f"--standardize {name}: the column is empty in {dataset.name}; adjust for another"
            raise UsageError(message)
        if name == "label":
            message = (
                f"--standardize {name}: labels are always adjusted for; name what else differs between groups, or leave it out"
            )
            raise UsageError(message)
        if values is None:
            message = f"--standardize {name}: {dataset.name} has no such column; {did_you_mean(name, map(str, dataset.samples.columns))}"
            raise UsageError(message)
        dataset = _in_fifths(dataset, name, values)
    return dataset


def _in_fifths(dataset: Dataset, name: str, values: pd.Series) -> Dataset:
    """A numeric column as five groups of about the same size, as an attribute."""
    numbers = pd.to_numeric(values, errors="coerce")
    if bool((numbers.isna() & values.notna()).any()):
        groups, levels = to_levels(values, f"{dataset.name}, column {name!r}")
    else:
        edges = np.unique(np.nanquantile(numbers, np.linspace(0, 1, _FIFTHS + 1)[1:-1]))
        code = np.searchsorted(edges, numbers.to_numpy(float), side="left")
        names = [
            *(f"up to {edge:g}" for edge in edges),
            f"above {edges[-1]:g}",
        ]
        text = pd.Series(np.array(names, dtype=object)[code], index=values.index).mask(numbers.isna().to_numpy(), UNANNOTATED)
        missing = (UNANNOTATED,) if bool(numbers.isna().any()) else ()
        groups, levels = text.astype("str"), (*names, *missing)
    about = next((a for a in dataset.attributes if a.name == name), Attribute(name, ()))
    about = dataset.refused[name][0] if name in dataset.refused else about
    attribute = Attribute(name, levels, about.source, about.by, about.note)
    return dataset.replace(
        samples=dataset.samples.assign(**{name: groups}),
        attributes=(*(a for a in dataset.attributes if a.name != name), attribute),
        identity={"digest": dataset.digest, "images_digest": dataset.images_digest},
    )


def _many_numbers(levels: Sequence[str]) -> bool:
    """Whether groups are numbers, and more than are alike to anyone."""
    numbers = pd.to_numeric(pd.Series([n for n in levels if n != UNANNOTATED], dtype=object), errors="coerce")
    return len(numbers) > _MANY and bool(numbers.notna().all())


def _answers(dataset: Dataset, predictions: Predictions) -> pd.DataFrame:
    """What was said of every sample, and nothing else."""
    answers = predictions.frame.reindex(dataset.samples.index)
    missing = answers["status"].isna()
    if missing.any():
        message = (
            f"the predictions of {predictions.model} lack {int(missing.sum()):,} of {len(dataset):,} samples of {dataset.name} "
            f"(the first: {missing.index[missing][0]}); predict again"
        )
        raise RunError(message)
    if dataset.images is None and predictions.images_digest != dataset.images_digest:
        message = f"the predictions of {predictions.model} are not those of {dataset.name}; give the ones that came with it"
        raise RunError(message)
    if dataset.images is not None:
        changed = answers["image"].fillna("") != dataset.image_digests
        if changed.any():
            message = f"picture {changed.index[changed][0]} changed since {predictions.model} saw it; predict again"
            raise RunError(message)
    return answers
