"""`Dataset`: samples with their true labels, attributes with their provenance, and images."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from fairfer.datasets.images import Images, Picture, UnreadableImageError, digest_bytes
from fairfer.errors import DataError, did_you_mean
from fairfer.vocabulary import TRUTH_PREFIX, Task

if TYPE_CHECKING:
    from fairfer.datasets.action_unit_tables import ActionUnitTable
    from fairfer.datasets.attributes import Attribute
    from fairfer.labels import LabelSpace, Reconciliation

DUPLICATE_GROUP = "duplicate_group"
"""Column of a dataset with votes: identifies the pixels of an image that occurs more than once; empty text for all others."""


@dataclass(frozen=True)
class Step:
    """One step of selecting the samples.

    Attributes
    ----------
    what
        What was done or noticed, for the report.
    excluded
        Number of samples that the step excluded; 0 for a remark.
    unlabeled
        Whether they were excluded because their true label is missing, and not by the protocol of the dataset.
    """

    what: str
    excluded: int = 0
    unlabeled: bool = False


@dataclass(frozen=True)
class RecordedPredictions:
    """Predictions that came with the data, so that no model has to run.

    Attributes
    ----------
    model
        Name of the model, for reports.
    labels
        Label space of the model.
    frame
        Indexed by sample id: ``status``, ``detail``, and

        * single-label: ``predicted`` (canonical name, or missing where the status is not ``ok``);
        * multi-label: ``predicted:LABEL`` (nullable Int8: 1, 0, or missing where the status is not ``ok``) for all labels,
          where the table has decisions;
        * ``score:LABEL`` (float32) for all labels, where the table has scores.
    version
        Digest of the predictions.
    task
        Whether the model predicts one label per face or any number. Scores of a multi-label model are stored as they are: the
        audit's plan has the thresholds that turn them into decisions.
    """

    model: str
    labels: LabelSpace
    frame: pd.DataFrame
    version: str
    task: Task = "single-label"


@dataclass(frozen=True)
class UnselectedFaces:
    """Faces that were rated but have no label: too few raters agreed, by the rule of the dataset. No model is audited on them.

    They are needed to compare a rater with the others: had that rater not voted, the rule might have selected them.

    Attributes
    ----------
    rule
        Name of the rule (see `fairfer.datasets.loaders.ferplus.RULES`).
    votes
        (faces, answers) votes; columns as those of the dataset's.
    samples
        Columns of attributes; the same index.
    """

    rule: str
    votes: pd.DataFrame
    samples: pd.DataFrame


@dataclass(frozen=True)
class Dataset:
    """Samples with their true labels, attributes with their provenance, and images.

    Attributes
    ----------
    name
        Name of the dataset in reports and folders.
    labels
        Its label space.
    samples
        Indexed by ``sample_id`` (unique text). Columns: the true labels (see `task`), one text column per attribute, and
        whatever else the loader read (``split``, probabilities, ...).
    attributes
        Attributes of people, by column of `samples`.
    images
        Where the images are; ``None`` for a table of predictions.
    votes
        Raters' votes, (n, labels), columns by name; ``None`` if the data have no votes.
    unselected
        Rated faces without a label; ``None`` if they are unknown.
    action_units
        Action units of the same faces, beside their labels; ``None`` without a table of them.
    steps
        How the samples were selected, in order.
    card
        What was read and how (loader, files, split, label rule), as text for the report.
    recorded
        Predictions that came with the data.
    refused
        Columns that cannot be attributes as they are (too many different values), with the reason.
    identity
        ``digest``, ``images_digest`` and ``test_set_digest`` of a dataset that was read back from a run; computed if not given.
    task
        * ``single-label``: the column ``label`` of `samples` has the true label (canonical name);
        * ``multi-label``: `samples` has one column ``truth:LABEL`` per label (nullable Int8: 1, 0, or missing for unknown)
          and no column ``label``.

    Raises
    ------
    DataError
        If there are no samples, ids are not unique text, a label or level is not one of those declared, or action units are
        not those of the samples.
    """

    name: str
    labels: LabelSpace
    samples: pd.DataFrame
    attributes: tuple[Attribute, ...] = ()
    images: Images | None = None
    votes: pd.DataFrame | None = None
    steps: tuple[Step, ...] = ()
    card: Mapping[str, str] = field(default_factory=dict)
    recorded: RecordedPredictions | None = None
    refused: Mapping[str, tuple[Attribute, str]] = field(default_factory=dict)
    identity: Mapping[str, str] = field(default_factory=dict)
    task: Task = "single-label"
    unselected: UnselectedFaces | None = None
    action_units: ActionUnitTable | None = None

    def __post_init__(self) -> None:
        self._check_index()
        if self.samples.index.name != "sample_id":
            object.__setattr__(self, "samples", self.samples.rename_axis(index="sample_id"))
        if self.task == "multi-label":
            object.__setattr__(self, "samples", self._with_truth_columns())
        else:
            self._check_values("label", self.labels.labels, f"label space {self.labels.name}")
        for attribute in self.attributes:
            self._check_values(attribute.name, attribute.levels, "list of levels")
        if self.action_units is not None:
            object.__setattr__(self, "action_units", self._with_units_of_samples(self.action_units))

    def _check_index(self) -> None:
        index = self.samples.index
        if self.samples.empty:
            message = f"{self.name}: no samples are left{self._excluded()}; check the split and the filters"
            raise DataError(message)
        repeated = index[index.duplicated()]
        if len(repeated):
            message = (
                f"{self.name}: {len(repeated)} sample ids occur more than once (first: {repeated[0]!r}); make each id unique"
            )
            raise DataError(message)
        if index.inferred_type != "string":
            message = f"{self.name}: sample ids must be text, not {index.inferred_type}; convert them to text"
            raise DataError(message)

    def _with_truth_columns(self) -> pd.DataFrame:
        """The samples with checked truth columns of type Int8."""
        columns = {f"{TRUTH_PREFIX}{n}" for n in self.labels.labels}
        if "label" in self.samples.columns:
            message = f"{self.name} is multi-label but has a column 'label'; rename the column"
            raise DataError(message)
        present = {str(c) for c in self.samples.columns if str(c).startswith(TRUTH_PREFIX)}
        if present != columns:
            column = min(present ^ columns)
            problem = "no column" if column in columns else "a column"
            message = (
                f"{self.name}: {problem} {column!r}, but labels {', '.join(self.labels.labels)}; give one column per label"
            )
            raise DataError(message)
        samples = self.samples.copy(deep=False)
        for column in columns:
            values = samples[column]
            wrong = values.notna() & ~values.isin([0, 1])
            if wrong.any():
                message = (
                    f"{self.name}, sample {values.index[wrong][0]!r}: {column} is {values[wrong].tolist()[0]!r}; "
                    "use 1, 0, or missing for unknown"
                )
                raise DataError(message)
            samples[column] = values.astype("Int8")
        return samples

    def _with_units_of_samples(self, table: ActionUnitTable) -> ActionUnitTable:
        """The table with one row per sample, unknown where it has none; checked."""
        units = table.units
        where = f"{self.name}, action units of {table.source}"
        if units.index.has_duplicates or units.columns.has_duplicates:
            message = f"{where}: a sample or a unit occurs more than once; keep one row per sample and one column per unit"
            raise DataError(message)
        wrong = units.notna() & ~units.isin([0, 1])
        if bool(wrong.any(axis=None)):
            unit = wrong.columns[wrong.any()][0]
            sample_id = wrong.index[wrong[unit]][0]
            value = units[unit].to_list()[units.index.get_loc(sample_id)]
            message = f"{where}, sample {sample_id!r}: {unit} is {value!r}; use 1, 0, or missing for unknown"
            raise DataError(message)
        if not units.index.isin(self.samples.index).any():
            message = f"{where}: no row is one of the samples (the first is {self.samples.index[0]!r}); index it by sample id"
            raise DataError(message)
        return dataclasses.replace(table, units=units.reindex(self.samples.index).astype("Int8"))

    def _check_values(self, column: str, choices: Sequence[str], what: str) -> None:
        """Refuse undeclared and missing values: such a sample would be in no group and in no count."""
        if column not in self.samples.columns:
            message = (
                f"{self.name}: the samples have no column {column!r}; {did_you_mean(column, map(str, self.samples.columns))}"
            )
            raise DataError(message)
        unexpected = self.samples[column][~self.samples[column].isin(choices)]
        if len(unexpected):
            message = (
                f"{self.name}, sample {unexpected.index[0]!r}: {column} is {unexpected.iloc[0]!r}, which is not in the {what}; "
                f"{did_you_mean(str(unexpected.iloc[0]), choices)}"
            )
            raise DataError(message)

    def _excluded(self) -> str:
        reasons = [f"{s.excluded:,} {s.what}" for s in self.steps if s.excluded]
        return f" ({'; '.join(reasons)})" if reasons else ""

    def __len__(self) -> int:
        return len(self.samples)

    @cached_property
    def truth(self) -> pd.DataFrame:
        """True labels, (n, labels) nullable Int8, columns by label: 1, 0, or missing for unknown.

        A single-label dataset has one 1 per row.
        """
        if self.task == "multi-label":
            columns = [f"{TRUTH_PREFIX}{n}" for n in self.labels.labels]
            return self.samples[columns].set_axis(list(self.labels.labels), axis=1)
        label = self.samples["label"]
        return pd.DataFrame({n: (label == n).astype("Int8") for n in self.labels.labels}, index=self.samples.index)

    def truth_for(self, labels: Reconciliation) -> pd.DataFrame:
        """True labels as they are audited against a model.

        Parameters
        ----------
        labels
            From `fairfer.labels.reconcile`. A label that several labels are merged into is 1 where any of them is 1, unknown
            where none is 1 and any is unknown, else 0.

        Returns
        -------
        DataFrame
            (n, audited labels) nullable Int8. Multi-label data keep all n rows: an excluded label is an excluded column.
            Single-label data lose the rows of excluded labels.
        """
        truth = self.truth
        if self.task == "single-label":
            truth = truth[self.samples["label"].map(dict(labels.truth)).notna().to_numpy()]
        columns = {}
        for label in labels.labels:
            merged = truth[labels.sources(label)]
            positive = merged.eq(1).fillna(value=False).any(axis=1)
            unknown = merged.isna().any(axis=1) & ~positive
            columns[label] = positive.astype("Int8").mask(unknown)
        return pd.DataFrame(columns, index=truth.index)

    def attribute(self, name: str) -> Attribute:
        """Return the attribute of that name.

        Raises
        ------
        DataError
            If there is none; the message lists those there are.
        """
        for attribute in self.attributes:
            if attribute.name == name:
                return attribute
        if name in self.refused:
            raise DataError(self.refused[name][1])
        names = [a.name for a in self.attributes]
        advice = did_you_mean(name, names) if names else "it has no attributes: add a table of them with --demographics"
        message = f"{self.name} has no attribute {name!r}; {advice}"
        raise DataError(message)

    def replace(self, **changes: Any) -> Dataset:
        """Return a copy with some fields changed (see `dataclasses.replace`); its digests are computed again."""
        return dataclasses.replace(self, **({"identity": {}} | changes))

    def _require_images(self) -> Images:
        if self.images is None:
            message = f"{self.name} is a table without images; audit the predictions it holds, or load the images"
            raise DataError(message)
        return self.images

    def raw(self, sample_id: str) -> bytes:
        """Return the stored bytes of one image (see `fairfer.datasets.images.Images.raw`)."""
        return self._require_images().raw(sample_id)

    def image(self, sample_id: str) -> Picture:
        """Return the image of one sample, (height, width, 3) RGB uint8.

        Raises
        ------
        fairfer.datasets.images.UnreadableImageError
            If it cannot be read.
        """
        return self.decode(self.raw(sample_id), sample_id)

    def decode(self, raw: bytes, sample_id: str) -> Picture:
        """Decode the stored bytes of one image; see `image`."""
        return self._require_images().decode(raw, sample_id)

    @cached_property
    def image_digests(self) -> pd.Series:
        """SHA-256 of the stored bytes of each image; empty text if it cannot be read or there are no images."""
        digests = []
        for sample_id in self.samples.index:
            try:
                digests.append(digest_bytes(self.raw(sample_id)) if self.images is not None else "")
            except UnreadableImageError:
                digests.append("")
        return pd.Series(digests, index=self.samples.index, name="image", dtype="str")

    @cached_property
    def images_digest(self) -> str:
        """Digest that stored predictions belong to: of ids, images and recorded predictions, not of labels and attributes."""
        if "images_digest" in self.identity:
            return self.identity["images_digest"]
        lines = zip(self.samples.index, self.image_digests, strict=True)
        predictions = "" if self.recorded is None else self.recorded.version
        return digest_lines([predictions, *(f"{name}\t{image}" for name, image in lines)])

    @cached_property
    def test_set_digest(self) -> str:
        """Digest of the samples that models are tested on: ids, images and true labels, not predictions and attributes."""
        if "test_set_digest" in self.identity:
            return self.identity["test_set_digest"]
        columns = [c for c in self.samples.columns if c == "label" or str(c).startswith(TRUTH_PREFIX)]
        lines = zip(self.samples.index, self.image_digests, *(self.samples[c] for c in columns), strict=True)
        return digest_lines(sorted("\t".join(map(str, line)) for line in lines))

    @cached_property
    def digest(self) -> str:
        """Digest of everything an audit reads: ids, images, true labels, votes, attributes, action units, and provenance."""
        if "digest" in self.identity:
            return self.identity["digest"]
        table = self.samples if self.votes is None else self.samples.join(self.votes.add_prefix("votes:"))
        unselected = [] if self.unselected is None else [_digest_of(self.unselected.samples.join(self.unselected.votes))]
        # The task is not named here: the columns differ between the two.
        header = {
            "labels": self.labels.labels,
            "attributes": [dataclasses.asdict(a) for a in self.attributes],
            "columns": [str(c) for c in table.columns],
        }
        parts = [json.dumps(header, sort_keys=True), _digest_of(table), self.images_digest, *unselected]
        if (units := self.action_units) is not None:
            kind = {"kind": units.kind, "notes": units.notes, "units": list(units.units.columns)}
            parts += [json.dumps(kind, sort_keys=True), _digest_of(units.units.fillna(-1).astype("int8"))]
        return digest_lines(parts)


def _digest_of(table: pd.DataFrame) -> str:
    return hashlib.sha256(pd.util.hash_pandas_object(table, index=True).to_numpy().tobytes()).hexdigest()


def digest_lines(lines: Iterable[str]) -> str:
    """SHA-256 of lines of text, as hexadecimal."""
    sha = hashlib.sha256()
    for line in lines:
        sha.update(line.encode())
        sha.update(b"\n")
    return sha.hexdigest()
