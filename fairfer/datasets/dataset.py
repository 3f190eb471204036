"""A data set as fairfer sees it: who is in it, what they express, and where their pictures are."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd

from fairfer.datasets.images import Images, Picture, UnreadableImageError, digest_bytes
from fairfer.errors import DataError, did_you_mean
from fairfer.vocabulary import Task

if TYPE_CHECKING:
    from fairfer.labels import LabelSpace

Source = Literal["self-reported", "annotated", "inferred", "unstated"]
SOURCES: tuple[Source, ...] = get_args(Source)
UNANNOTATED = "unannotated"
"""The named group of everyone for whom an attribute has no value."""

DUPLICATE_GROUP = "duplicate_group"
"""Column that names a picture's content where another sample of a rated data set has the very same pixels; else empty text."""

MAX_LEVELS = 100
"""An attribute with more values than this is no grouping of people; ages and the like are to be cut into bands first."""


@dataclass(frozen=True)
class Attribute:
    """One thing said of people in the data, and who said it.

    Attributes
    ----------
    name
        Column of `Dataset.samples`.
    levels
        Its groups in display order, `UNANNOTATED` last where it occurs.
    source
        Self-reported, annotated by people, inferred by a model, or unstated (the table came without provenance).
    by
        Who annotated, or which model inferred.
    note
        What a reader must know before relying on it.
    probabilities
        For an inferred attribute, the column that holds the probability of each level.
    """

    name: str
    levels: tuple[str, ...]
    source: Source = "unstated"
    by: str = ""
    note: str = ""
    probabilities: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One step of choosing the samples: how many were left out by it, and why. ``excluded`` is 0 for a mere remark."""

    what: str
    excluded: int = 0


@dataclass(frozen=True)
class Recorded:
    """Answers that came with the data, so that no model has to run.

    Attributes
    ----------
    model
        What to call whoever gave them.
    labels
        What that model can say.
    frame
        Indexed by sample id: ``status``, ``predicted`` (canonical name or None), ``detail``, and one ``score:LABEL`` column
        per label when scores were given.
    version
        Digest of the answers.
    """

    model: str
    labels: LabelSpace
    frame: pd.DataFrame
    version: str
    task: Task = "single-label"


@dataclass(frozen=True)
class Dataset:
    """Samples with their truth, attributes with their provenance, and pictures.

    Attributes
    ----------
    name
        What the data set is called in reports and folders.
    labels
        Its label space.
    samples
        Indexed by ``sample_id`` (unique strings): ``label`` (canonical name), one text column per attribute, and whatever
        else the loader found (``split``, probabilities, ...).
    attributes
        What is said of people, by column of `samples`.
    images
        Where the pictures are; ``None`` for a table of stored predictions.
    votes
        Raters' votes per sample, (n, labels) in columns by name; ``None`` where there is one label a face.
    steps
        How the samples were chosen, in order.
    card
        What was read and how (loader, files, split, label rule), as text for the report.
    recorded
        Answers that came with the data.
    refused
        Columns that cannot group people as they are (too many different values), with the reason.
    identity
        ``digest`` and ``images_digest`` as they were when this data set was stored in a run; computed when not given.
    """

    name: str
    labels: LabelSpace
    samples: pd.DataFrame
    attributes: tuple[Attribute, ...] = ()
    images: Images | None = None
    votes: pd.DataFrame | None = None
    steps: tuple[Step, ...] = ()
    card: Mapping[str, str] = field(default_factory=dict)
    recorded: Recorded | None = None
    refused: Mapping[str, tuple[Attribute, str]] = field(default_factory=dict)
    identity: Mapping[str, str] = field(default_factory=dict)
    task: Task = "single-label"

    def __post_init__(self) -> None:
        if self.samples.empty:
            message = f"{self.name}: no samples are left{self._why_empty()}"
            raise DataError(message)
        twice = self.samples.index[self.samples.index.duplicated()]
        if len(twice):
            message = f"{self.name}: {len(twice)} sample ids occur more than once (first: {twice[0]!r}); make each id unique"
            raise DataError(message)
        if self.samples.index.inferred_type != "string":
            message = f"{self.name}: sample ids must be text, not {self.samples.index.inferred_type}; make them text"
            raise DataError(message)
        if self.samples.index.name != "sample_id":
            object.__setattr__(self, "samples", self.samples.rename_axis(index="sample_id"))
        self._check_values("label", self.labels.labels, f"label space {self.labels.name}")
        for attribute in self.attributes:
            self._check_values(attribute.name, attribute.levels, "levels")

    def _check_values(self, column: str, known: Sequence[str], what: str) -> None:
        """A value outside of the known ones, a missing one too, would be counted in no group: nobody may vanish so."""
        if column not in self.samples.columns:
            message = (
                f"{self.name}: no column {column!r} in the samples; {did_you_mean(column, map(str, self.samples.columns))}"
            )
            raise DataError(message)
        strange = self.samples[column][~self.samples[column].isin(known)]
        if len(strange):
            message = (
                f"{self.name}, sample {strange.index[0]!r}: {column} is {strange.iloc[0]!r}, which its {what} do not name; "
                f"{did_you_mean(str(strange.iloc[0]), known)}"
            )
            raise DataError(message)

    def _why_empty(self) -> str:
        reasons = [f"{s.excluded:,} {s.what}" for s in self.steps if s.excluded]
        return f" ({'; '.join(reasons)}); check the split and the filters" if reasons else "; check the split and the filters"

    def __len__(self) -> int:
        return len(self.samples)

    def attribute(self, name: str) -> Attribute:
        """The attribute of that name.

        Raises
        ------
        DataError
            When there is none; the message says which there are.
        """
        for attribute in self.attributes:
            if attribute.name == name:
                return attribute
        if name in self.refused:
            raise DataError(self.refused[name][1])
        known = [a.name for a in self.attributes]
        hint = did_you_mean(name, known) if known else "there are none: give a table of them with --demographics"
        message = f"{self.name} has no attribute {name!r}; {hint}"
        raise DataError(message)

    def replace(self, **changes: Any) -> Dataset:  # noqa: ANN401 - dataclasses.replace's own signature
        """A copy with some fields changed; its identity is computed anew."""
        return dataclasses.replace(self, **({"identity": {}} | changes))

    def raw(self, sample_id: str) -> bytes:
        """Stored bytes of one picture (see `fairfer.datasets.images.Images.raw`)."""
        if self.images is None:
            message = f"{self.name} has no pictures, only a table; audit the predictions it holds, or load the pictures"
            raise DataError(message)
        return self.images.raw(sample_id)

    def image(self, sample_id: str) -> Picture:
        """The picture of one sample, (height, width, 3) RGB uint8.

        Raises
        ------
        fairfer.images.UnreadableImageError
            When it cannot be read.
        """
        return self.decode(self.raw(sample_id), sample_id)

    def decode(self, raw: bytes, sample_id: str) -> Picture:
        """Pixels from the stored bytes of one picture; see `image`."""
        if self.images is None:
            message = f"{self.name} has no pictures, only a table"
            raise DataError(message)
        return self.images.decode(raw, sample_id)

    @cached_property
    def image_digests(self) -> pd.Series:
        """SHA-256 of each picture's stored bytes; empty text where it cannot be read or there are no pictures."""
        found = []
        for sample_id in self.samples.index:
            try:
                found.append(digest_bytes(self.raw(sample_id)) if self.images is not None else "")
            except UnreadableImageError:
                found.append("")
        return pd.Series(found, index=self.samples.index, name="image", dtype="str")

    @cached_property
    def images_digest(self) -> str:
        """Identity of the pictures: what stored predictions belong to. Truth and groups are no part of it."""
        if "images_digest" in self.identity:
            return self.identity["images_digest"]
        lines = zip(self.samples.index, self.image_digests, strict=True)
        answers = "" if self.recorded is None else self.recorded.version
        return digest_lines([answers, *(f"{name}\t{image}" for name, image in lines)])

    @cached_property
    def digest(self) -> str:
        """Identity of everything an audit reads: ids, pictures, truth, votes, attributes and their provenance."""
        if "digest" in self.identity:
            return self.identity["digest"]
        table = self.samples if self.votes is None else self.samples.join(self.votes.add_prefix("votes:"))
        about = {
            "labels": self.labels.labels,
            "attributes": [dataclasses.asdict(a) for a in self.attributes],
            "columns": [str(c) for c in table.columns],
        }
        rows = pd.util.hash_pandas_object(table, index=True).to_numpy()
        return digest_lines([json.dumps(about, sort_keys=True), hashlib.sha256(rows.tobytes()).hexdigest(), self.images_digest])


def digest_lines(lines: Sequence[str] | Iterator[str]) -> str:
    """SHA-256 over lines of text, as hexadecimal."""
    sha = hashlib.sha256()
    for line in lines:
        sha.update(line.encode())
        sha.update(b"\n")
    return sha.hexdigest()


def as_groups(values: pd.Series, where: str) -> tuple[pd.Series, tuple[str, ...]]:
    """A column as named groups: text, with a missing value as the group `UNANNOTATED`.

    Parameters
    ----------
    values
        Any column; whole numbers lose a trailing ``.0``.
    where
        File and column, for the error message.

    Returns
    -------
    groups, levels
        The column as text, and its levels (numbers by size, text alphabetically) with `UNANNOTATED` last.

    Raises
    ------
    DataError
        When there are more than `MAX_LEVELS` levels: such a column does not group people.
    """
    if pd.api.types.is_float_dtype(values) and bool((values.dropna() % 1 == 0).all()):
        values = values.astype("Int64")
    text = values.astype("str").str.strip()
    text = text.mask(values.isna().to_numpy() | (text == "").to_numpy(), UNANNOTATED)
    named = set(text) - {UNANNOTATED}
    numbers = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    levels = sorted(named, key=float) if numbers else sorted(named)
    if len(levels) > MAX_LEVELS:
        how = "cut it into bands first (--bands COLUMN=20,40,60)" if numbers else "group it first"
        message = f"{where} has {len(levels):,} different values, more than {MAX_LEVELS}; {how}"
        raise DataError(message)
    present = [UNANNOTATED] if bool((text == UNANNOTATED).any()) else []
    return text.astype("str"), (*levels, *present)


def cut_bands(values: pd.Series, edges: Sequence[float], where: str) -> tuple[pd.Series, tuple[str, ...]]:
    """A numeric column cut into bands, ``under 20``, ``20 to 39``, ``60 and over``; missing stays missing.

    Parameters
    ----------
    values
        Numbers.
    edges
        Lowest value of each band but the first, ascending.
    where
        File and column, for the error message.

    Raises
    ------
    DataError
        When the column is not numeric or the edges do not ascend.
    """
    if not pd.api.types.is_numeric_dtype(values):
        message = f"{where} is not a column of numbers, so it cannot be cut into bands; group it by its own values"
        raise DataError(message)
    if not edges or list(edges) != sorted(set(edges)) or not all(np.isfinite(edges)):
        message = f"{where}: band edges must ascend, as in 20,40,60"
        raise DataError(message)
    whole = all(float(e).is_integer() for e in edges)

    def say(edge: float) -> str:
        return str(int(edge)) if float(edge).is_integer() else repr(float(edge))

    names = [f"under {say(edges[0])}"]
    for low, high in itertools.pairwise(edges):
        last = say(high - 1) if whole else f"under {say(high)}"
        names.append(say(low) if last == say(low) else f"{say(low)} to {last}")
    names.append(f"{say(edges[-1])} and over")
    code = np.searchsorted(np.asarray(edges, float), values.to_numpy(float, na_value=np.nan), side="right")
    text = pd.Series(np.array(names, dtype=object)[code], index=values.index)
    text = text.mask(values.isna().to_numpy(), UNANNOTATED)
    missing = (UNANNOTATED,) if bool(values.isna().any()) else ()
    return text.astype("str"), (*names, *missing)
