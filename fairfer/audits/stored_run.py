"""A finished run as two sides of a comparison need it: audit, samples and answers, and what makes two runs comparable."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from fairfer.audits.audit import rebuild
from fairfer.audits.comparison import Side
from fairfer.audits.join import JoinedSamples, join
from fairfer.audits.plan import check_plan
from fairfer.audits.result import Audit
from fairfer.audits.stored_samples import read_samples
from fairfer.errors import RunError
from fairfer.predictions.predictions import Predictions
from fairfer.vocabulary import grouping_name

if TYPE_CHECKING:
    import pandas as pd

    from fairfer.datasets.dataset import Dataset

_SHOWN = 3
"""Samples named in a refusal."""


@dataclass(frozen=True)
class StoredRun:
    """A run folder read back.

    Attributes
    ----------
    folder
        Where it is.
    audit
        Its audit.
    samples
        Those audited.
    dataset
        All of them, also those excluded for their label.
    images
        Digest of each sample's image.
    predictions
        The model's answers.
    """

    folder: Path
    audit: Audit
    samples: JoinedSamples
    dataset: Dataset
    images: pd.Series
    predictions: Predictions

    @classmethod
    def read(cls, folder: Path) -> StoredRun:
        """Read a run folder.

        Raises
        ------
        RunError
            When it is not an audited run, or its audit belongs to other predictions or samples.
        """
        stored = read_samples(folder)
        predictions = Predictions.read(folder)
        audit = Audit.read(folder) if (folder / "audit.json").is_file() else rebuild(folder)
        if (audit.model.predictions_digest, audit.data.digest) != (predictions.digest, stored.dataset.digest):
            message = f"{folder}: audit.json does not belong to its predictions and samples; run fairfer report {folder}"
            raise RunError(message)
        design = check_plan(audit.plan, stored.dataset, predictions.labels, predictions.task)
        images = predictions.frame["image"].reindex(stored.dataset.samples.index)
        return cls(folder, audit, join(design, predictions), stored.dataset, images.fillna(""), predictions)

    def with_every_label(self) -> StoredRun:
        """The run with the samples of all labels of the dataset, also of those that the model cannot output."""
        plan = self.audit.plan.model_copy(update={"unsupported_labels": "keep"})
        design = check_plan(plan, self.dataset, self.predictions.labels, self.predictions.task)
        return replace(self, samples=join(design, self.predictions))

    def side(self) -> Side:
        """What a comparison says about the run."""
        model = self.audit.model
        return Side(
            run=self.folder.resolve().name,
            model=model.name,
            version=model.version,
            options=model.options,
            labels=self.audit.labels.audited,
            predictions_digest=model.predictions_digest,
        )

    @property
    def truth(self) -> pd.DataFrame:
        """True labels of all samples, one column or one per label."""
        columns = [c for c in self.dataset.samples.columns if c == "label" or str(c).startswith("truth:")]
        return self.dataset.samples[columns].astype("object").fillna("unknown")


def check_comparable(one: StoredRun, other: StoredRun) -> None:
    """Refuse two runs that cannot be compared.

    Raises
    ------
    RunError
        Naming the first field that differs: dataset, labels, plan, images, groups.
    """
    for field, first, second in _fields(one.audit, other.audit):
        if first != second:
            message = (
                f"{one.folder} and {other.folder} cannot be compared: {field} is {first!r} in one and {second!r} in the other"
            )
            message += "; if it is the same data, audit both with the same --name" if field == "dataset" else ""
            raise RunError(message)
    common = one.images.index.intersection(other.images.index)
    if common.empty:
        message = f"{one.folder} and {other.folder} cannot be compared: they have no sample in common; use runs of one dataset"
        raise RunError(message)
    columns: list[tuple[str, pd.DataFrame | pd.Series, pd.DataFrame | pd.Series]] = [
        ("label", one.truth.loc[common], other.truth.loc[common]),
        ("image", one.images.loc[common], other.images.loc[common]),
    ]
    names = [*one.samples.columns, *([one.audit.plan.subject] if one.audit.plan.subject else [])]
    prepared = (one.samples.design.dataset.samples, other.samples.design.dataset.samples)
    columns += [(n, prepared[0].loc[common, n].astype("str"), prepared[1].loc[common, n].astype("str")) for n in names]
    for what, first, second in columns:
        differs = (first.to_numpy() != second.to_numpy()).reshape(len(common), -1).any(axis=1)
        if differs.any():
            some = ", ".join(map(str, common[differs][:_SHOWN]))
            message = (
                f"{one.folder} and {other.folder} cannot be compared: the {what} differs for {int(differs.sum()):,} of "
                f"{len(common):,} samples (first: {some}); audit both with the same data, rule and annotations"
            )
            raise RunError(message)


def _fields(one: Audit, other: Audit) -> list[tuple[str, object, object]]:
    """What must be equal, the dataset first."""
    fields: list[tuple[str, object, object]] = [
        ("dataset", one.data.name, other.data.name),
        ("labels of the data", one.data.labels, other.data.labels),
        ("task", one.task, other.task),
    ]
    # A file may have another name and the same content: the content is compared sample by sample. One table may hold the
    # predictions of several models.
    keys = (one.data.card.keys() & other.data.card.keys()) - {"source", "demographics", "predicted", "action_units"}
    fields += [(f"{k} of the data", one.data.card[k], other.data.card[k]) for k in sorted(keys)]
    return [
        *fields,
        ("--by", [grouping_name(g) for g in one.groupings], [grouping_name(g) for g in other.groupings]),
        ("--unsupported-labels", one.plan.unsupported_labels, other.plan.unsupported_labels),
        ("--minimum", one.plan.minimum, other.plan.minimum),
        ("--minimum-occurrences", one.plan.minimum_occurrences, other.plan.minimum_occurrences),
        ("--minimum-subjects", one.plan.minimum_subjects, other.plan.minimum_subjects),
        ("--confidence", one.plan.confidence, other.plan.confidence),
        ("--subject", one.plan.subject, other.plan.subject),
    ]


def inferred_attributes(audit: Audit) -> list[str]:
    """Names of the attributes that a model inferred."""
    return sorted(a.name for a in audit.data.attributes if a.source == "inferred")
