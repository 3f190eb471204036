"""Attributes of people from the columns of a table, with the provenance of each.

Provenance is a TOML file beside the table, either of the same name (``demographics.csv`` and ``demographics.toml``) or called
``attributes.toml``, with one section per attribute::

    [gender]
    source = "self-reported"            # or "annotated" or "inferred"
    by = "participants' questionnaire"  # who, or which model and version
    levels = ["female", "male"]         # display order; any other value is an error
    note = "What a reader has to know."
    probabilities = { female = "p_female" }   # inferred only: the column with the probability of each level
    not_missing = ["NA"]                      # values that look like a word for a missing value and are none

    [gender.confusion]                        # inferred only: counts of a validation sample, true level x level as inferred
    female = { female = 180, male = 20 }
    male = { female = 15, male = 185 }

A column without a section is an attribute with the source "unstated".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fairfer.datasets.attribute_sources import fairface
from fairfer.datasets.attributes import SOURCES, Attribute, Provenance, cut_bands, to_levels
from fairfer.datasets.dataset import Dataset, Step, UnselectedFaces
from fairfer.datasets.missing_values import is_missing_word, mask_missing
from fairfer.datasets.skin_tone import DARK, GROUP_SUFFIX, LIGHT, MEDIUM, Scale, scale_of
from fairfer.datasets.tables import SourceTable, list_some, read_table, read_toml
from fairfer.datasets.validation import check_confusion, read_confusion
from fairfer.errors import DataError, UsageError, did_you_mean
from fairfer.vocabulary import ALL, TRUTH_PREFIX, UNANNOTATED

KEYS = ("image", "file_name", "filename", "file", "sample_id", "image_name", "image name", "name", "path", "id")
"""Names of the column of sample ids that are tried, in any case."""

_RESERVED = (ALL, "label", "sample_id")  # everyone together, and columns of every dataset


@dataclass(frozen=True)
class AttributeColumns:
    """Columns of a table as attributes.

    Attributes
    ----------
    attributes
        The attributes.
    refused
        Columns that cannot be attributes (too many values, or a reserved name), with the reason.
    frame
        The table, with the columns of the attributes converted to levels.
    """

    attributes: tuple[Attribute, ...]
    refused: Mapping[str, tuple[Attribute, str]]
    frame: pd.DataFrame


def annotate(dataset: Dataset, path: Path, not_missing: Mapping[str, Sequence[str]] | None = None) -> Dataset:
    """Join a table of attributes to the samples by image name.

    Parameters
    ----------
    dataset
        Its sample ids (or the last part of their paths) are looked up in the table.
    path
        CSV, Parquet or JSON Lines. One column is called ``image``, ``file_name``, ``sample_id`` or the like (see `KEYS`). The
        tables of FairFace (labels, and the output of its ``predict.py``) bring their own provenance.
    not_missing
        For each column the values that look like a word for a missing value and are none.

    Returns
    -------
    Dataset
        With the table's columns added. A sample that is not in the table has the level `UNANNOTATED`.

    Raises
    ------
    DataError
        If no row matches, an image has two different rows, or the provenance file is invalid.
    """
    frame, key, origins = _read_by_name(path)
    shared = [c for c in frame.columns if c in dataset.samples.columns]
    if shared:
        message = f"{path} and {dataset.name} both have a column {shared[0]!r}; rename one"
        raise DataError(message)
    names = _names_in(frame.index, dataset.samples.index, path)
    annotated = names.isin(frame.index)
    if not annotated.any():
        message = (
            f"{path} has no image of {dataset.name}: its column {key!r} has names such as {frame.index[0]!r}, the dataset has "
            f"{dataset.samples.index[0]!r}; use the same names"
        )
        raise DataError(message)
    _check_faces(dataset, names[annotated], path)
    joined = frame.reindex(names).set_index(dataset.samples.index)
    columns = read_attributes(SourceTable(joined, path), list(map(str, frame.columns)), not_missing, origins)
    missing = int((~annotated).sum())
    step = Step(f"not in {path.name}, therefore {UNANNOTATED} in all of its attributes: {missing:,}")
    return dataset.replace(
        samples=dataset.samples.join(columns.frame),
        unselected=_annotate_unselected(dataset, SourceTable(frame, path), columns, not_missing),
        attributes=(*dataset.attributes, *columns.attributes),
        refused={**dataset.refused, **columns.refused},
        steps=(*dataset.steps, *([step] if missing else [])),
        card={**dataset.card, "demographics": path.name},
    )


def _annotate_unselected(
    dataset: Dataset, table: SourceTable, columns: AttributeColumns, not_missing: Mapping[str, Sequence[str]] | None
) -> UnselectedFaces | None:
    """The same attributes for rated faces without a label; a level that no face with a label has is `UNANNOTATED`."""
    faces = dataset.unselected
    if faces is None or not len(faces.samples):
        return faces
    names = _names_in(table.frame.index, faces.samples.index, Path(table.source))
    joined = table.frame.reindex(names).set_index(faces.samples.index)
    own = read_attributes(SourceTable(joined, table.path), table.columns, not_missing)
    levels = {a.name: a.levels for a in columns.attributes}
    text = {
        # A column whose values are a scale of skin tone may have others here, and then no groups.
        name: own.frame[name].astype("str").where(own.frame[name].isin(levels[name]).to_numpy(), UNANNOTATED)
        if name in own.frame
        else pd.Series(UNANNOTATED, index=own.frame.index, dtype="str")
        for name in levels
    }
    return dataclasses.replace(faces, samples=faces.samples.join(own.frame.assign(**text)))


def _read_by_name(path: Path) -> tuple[pd.DataFrame, str, dict[str, Provenance]]:
    """The table indexed by image name, the name of that column, and the provenance of a well-known table."""
    table, origins = fairface(read_table(path, text=KEYS))
    folded = {c.casefold(): c for c in table.columns}
    key = next((folded[k] for k in KEYS if k in folded), None)
    if key is None:
        message = f"{path} has no column of image names; call it one of {list_some(KEYS)}"
        raise DataError(message)
    nameless = table.frame[key].isna().to_numpy()
    if nameless.any():
        message = f"{path}, row {table.row(int(nameless.argmax()))}: {key} is empty; name the image or remove the row"
        raise DataError(message)
    frame = table.frame.drop_duplicates()
    names = frame[key].astype("str").str.strip()
    if names.duplicated().any():
        repeated = list_some(names[names.duplicated()].unique(), 3)
        message = f"{path} has several different rows for one image ({repeated}); keep one row per image"
        raise DataError(message)
    return frame.drop(columns=key).set_index(names.to_numpy()), key, origins


def _names_in(names: pd.Index, sample_ids: pd.Index, path: Path) -> pd.Index:
    """For each sample the name it may have in the table: its id, the id without ``#2``, or the last part of its path."""
    ids = [str(i) for i in sample_ids]
    candidates = pd.Index([i if i in names else i.partition("#")[0] for i in ids])
    if candidates.isin(names).any():
        return candidates
    short = pd.Index([i.rpartition("/")[2] for i in ids])
    ambiguous = short[short.duplicated() & short.isin(names)]
    if len(ambiguous):
        message = f"{path}: several images are called {ambiguous[0]!r}; give paths as in {ids[0]!r}"
        raise DataError(message)
    return short


def _check_faces(dataset: Dataset, names: pd.Index, path: Path) -> None:
    """Refuse one row for several faces of a picture, which may be different people."""
    repeated = names[names.duplicated()]
    if dataset.card.get("layout") == "expw" and len(repeated):
        message = (
            f"{path}: {repeated[0]!r} has several faces in {dataset.name}; give each its own row, as in '{repeated[0]}#0' "
            f"(the dataset has {dataset.samples.index[0]!r})"
        )
        raise DataError(message)


def read_attributes(
    table: SourceTable,
    columns: Sequence[str],
    not_missing: Mapping[str, Sequence[str]] | None = None,
    origins: Mapping[str, Provenance] | None = None,
) -> AttributeColumns:
    """Convert columns of a table to attributes, with the provenance file beside it.

    Parameters
    ----------
    table
        Its provenance file is looked for beside its path; a data frame has none.
    columns
        Columns that may be attributes.
    not_missing
        For each column the values that look like a word for a missing value and are none, in addition to those of the
        provenance file.
    origins
        Provenance of columns, used where there is no provenance file.

    Raises
    ------
    DataError
        If the provenance file is invalid, or a value is not one of its levels.
    """
    provenance = ({} if table.path is None else _read_provenance(table.path, columns)) or dict(origins or {})
    probabilities = {c for p in provenance.values() for c in p.probabilities.values()}
    frame = table.frame.copy()
    attributes: list[Attribute] = []
    refused: dict[str, tuple[Attribute, str]] = {}
    for column in columns:
        if column in probabilities:
            continue
        origin = provenance.get(column, Provenance())
        where = f"{table.name}, column {column!r}"
        if column in _RESERVED or "," in column or column.startswith(TRUTH_PREFIX):
            reason = f"{where}: the name is reserved or has a comma, so it cannot group faces; rename the column"
            refused[column] = (_attribute(column, (), origin, table), reason)
            continue
        real = (*origin.levels, *origin.not_missing, *map(str, (not_missing or {}).get(column, ())))
        origin = dataclasses.replace(origin, not_missing=tuple(dict.fromkeys(n for n in real if is_missing_word(n))))
        frame[column], words = mask_missing(frame[column], real)
        if scale := None if origin.levels else scale_of(column, frame[column]):
            tones = _skin_tones(frame, column, scale, origin, _attribute(column, (), origin, table, words))
            attributes += tones if f"{column}{GROUP_SUFFIX}" not in table.columns else tones[:1]
            continue
        try:
            frame[column], levels = to_levels(frame[column], where, real)
        except DataError as error:
            refused[column] = (_attribute(column, (), origin, table, words), str(error))
        else:
            attributes.append(_attribute(column, levels, origin, table, words))
    return AttributeColumns(tuple(attributes), refused, frame)


def _skin_tones(
    frame: pd.DataFrame, column: str, scale: Scale, origin: Provenance, attribute: Attribute
) -> tuple[Attribute, Attribute]:
    """A column of a scale of skin tone as an attribute in the scale's order, and the attribute of its groups, a new column."""
    text = frame[column].astype("str").where(frame[column].notna().to_numpy())
    levels = text.map(scale.level, na_action="ignore")
    made = []
    for name, values, order in (
        (column, levels, scale.levels),
        (f"{column}{GROUP_SUFFIX}", levels.map(scale.groups, na_action="ignore"), (LIGHT, MEDIUM, DARK)),
    ):
        filled = values.where(values.notna().to_numpy(), UNANNOTATED).astype("str")
        present = set(filled)
        made.append(dataclasses.replace(attribute, name=name, levels=tuple(n for n in (*order, UNANNOTATED) if n in present)))
        if name == column or name not in frame.columns:
            frame[name] = filled
    groups = f"{scale.name} scale in groups: {scale.describe_groups()}."
    note = f"{origin.note.rstrip('.')}. {groups}" if origin.note else groups
    return made[0], dataclasses.replace(made[1], note=note, probabilities={}, confusion={}, missing_words={})


def _attribute(
    column: str, levels: tuple[str, ...], origin: Provenance, table: SourceTable, words: Mapping[str, int] | None = None
) -> Attribute:
    if origin.levels:
        unexpected = [n for n in levels if n not in origin.levels and n != UNANNOTATED]
        if unexpected:
            message = (
                f"{table.column(column)} has {list_some(unexpected)}, but its levels are {list_some(origin.levels, 12)}; "
                "correct the table or its .toml file"
            )
            raise DataError(message)
        # A level without samples is kept: the audit reports it as empty.
        levels = (*(n for n in origin.levels if n != UNANNOTATED), *(n for n in levels if n == UNANNOTATED))
    if levels and origin.confusion:
        check_confusion(origin.confusion, levels, f"confusion of {column}")
    return Attribute(
        column,
        levels,
        origin.source,
        origin.by,
        origin.note,
        origin.probabilities,
        origin.confusion,
        origin.not_missing,
        words or {},
    )


def _read_provenance(table: Path, columns: Sequence[str]) -> dict[str, Provenance]:
    path = next((p for p in (table.with_suffix(".toml"), table.parent / "attributes.toml") if p.is_file()), None)
    if path is None:
        return {}
    provenance = {}
    for name, section in read_toml(path).items():
        if not isinstance(section, dict):
            message = f"{path}: {name!r} is outside of any section; write [ATTRIBUTE] above it"
            raise DataError(message)
        if name not in columns:
            message = f"{path} has a section [{name}], but {table.name} has no such column; {did_you_mean(name, columns)}"
            raise DataError(message)
        provenance[name] = _parse_section(f"{path} [{name}]", section, columns)
    return provenance


def _parse_section(where: str, section: Mapping[str, object], columns: Sequence[str]) -> Provenance:
    fields = [f.name for f in dataclasses.fields(Provenance)]
    for key in section:
        if key not in fields:
            message = f"{where}: unknown key {key!r}; {did_you_mean(key, fields)}"
            raise DataError(message)
    source = next((s for s in SOURCES if s == section.get("source")), None)
    if source is None:
        message = f"{where}: source is {section.get('source')!r}; write one of {list_some(SOURCES)}"
        raise DataError(message)
    levels = section.get("levels", [])
    if not isinstance(levels, list) or len({str(n) for n in levels}) != len(levels):
        message = f'{where}: levels must be a list without repetition, as in ["female", "male"], not {levels!r}'
        raise DataError(message)
    names = tuple(str(n) for n in levels)
    confusion = read_confusion(section["confusion"], f"{where}: confusion") if "confusion" in section else {}
    if confusion and source != "inferred":
        message = f'{where}: a confusion matrix belongs to an inferred attribute; write source = "inferred", or remove it'
        raise DataError(message)
    probabilities = _parse_probabilities(where, section.get("probabilities", {}), names, columns)
    return Provenance(
        source,
        str(section.get("by", "")),
        str(section.get("note", "")),
        names,
        probabilities,
        confusion,
        _parse_not_missing(where, section.get("not_missing", [])),
    )


def _parse_not_missing(where: str, values: object) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(n, str) for n in values):
        message = f'{where}: not_missing must be a list of values, as in ["NA"], not {values!r}'
        raise DataError(message)
    return tuple(n.strip() for n in values)


def _parse_probabilities(where: str, probabilities: object, names: Sequence[str], columns: Sequence[str]) -> dict[str, str]:
    if not isinstance(probabilities, dict):
        message = f'{where}: probabilities must name a column for each level, as in {{ female = "p_female" }}'
        raise DataError(message)
    for level, column in probabilities.items():
        if column not in columns:
            message = f"{where}: no column {column!r} for {level!r}; {did_you_mean(str(column), columns)}"
            raise DataError(message)
        if names and level not in names:
            message = f"{where}: probabilities of the unknown level {level!r}; {did_you_mean(level, names)}"
            raise DataError(message)
    return probabilities


def words_as_missing(dataset: Dataset, not_missing: Mapping[str, Sequence[str]]) -> Dataset:
    """Take words for a missing value for missing, also in attributes that a loader made without `read_attributes`.

    Parameters
    ----------
    not_missing
        For each attribute the values that are none of these words.

    Raises
    ------
    UsageError
        If there is no such attribute, or its value was taken for missing by a loader that does not know this option.
    """
    names = [*(a.name for a in dataset.attributes), *dataset.refused]
    for column, values in not_missing.items():
        if column not in names:
            message = f"--not-missing {column}: {dataset.name} has no such attribute; {did_you_mean(column, names)}"
            raise UsageError(message)
        known = {a.name: a for a in dataset.attributes}
        lost = [v for v in values if column in known and v in known[column].missing_words]
        if lost:
            message = f"--not-missing {column}={lost[0]}: this loader does not take the option; declare it in a .toml file"
            raise UsageError(message)
    attributes, changed = [], {}
    for attribute in dataset.attributes:
        name, real = attribute.name, (*attribute.not_missing, *not_missing.get(attribute.name, ()), UNANNOTATED)
        words = [n for n in attribute.levels if is_missing_word(n) and n not in real]
        if not words:
            attributes.append(attribute)
            continue
        text = dataset.samples[name].astype("str")
        counts = {n: int(np.count_nonzero(text == n)) for n in words}
        changed[name] = text.mask(text.isin(words), UNANNOTATED)
        levels = (*(n for n in attribute.levels if n not in (*words, UNANNOTATED)), UNANNOTATED)
        attributes.append(dataclasses.replace(attribute, levels=levels, missing_words={**attribute.missing_words, **counts}))
    # Faces without a label have attributes from a table of demographics only, where these words are missing already.
    return dataset.replace(samples=dataset.samples.assign(**changed), attributes=tuple(attributes)) if changed else dataset


def apply_bands(dataset: Dataset, bands: Mapping[str, Sequence[float]]) -> Dataset:
    """Cut numeric columns into bands, which become the levels of the attribute.

    Parameters
    ----------
    bands
        For each column the lowest value of each band except the first.

    Raises
    ------
    UsageError
        If there is no such column.
    DataError
        If the column is not numeric.
    """
    for column, edges in bands.items():
        attribute = dataset.refused[column][0] if column in dataset.refused else None
        attribute = attribute or next((a for a in dataset.attributes if a.name == column), None)
        if attribute is None:
            names = [*(a.name for a in dataset.attributes), *dataset.refused]
            message = f"--bands {column}: {dataset.name} has no such column; {did_you_mean(column, names)}"
            raise UsageError(message)
        where = f"{dataset.name}, column {column!r}"
        text, levels = cut_bands(_numbers(dataset.samples[column]), edges, where)
        faces = dataset.unselected
        if faces is not None and column in faces.samples:
            bands_of, _ = cut_bands(_numbers(faces.samples[column]), edges, where)
            faces = dataclasses.replace(faces, samples=faces.samples.assign(**{column: bands_of}))
        banded = dataclasses.replace(attribute, levels=levels, probabilities={}, confusion={})
        dataset = dataset.replace(
            samples=dataset.samples.assign(**{column: text}),
            unselected=faces,
            attributes=(*(a for a in dataset.attributes if a.name != column), banded),
            refused={k: v for k, v in dataset.refused.items() if k != column},
        )
    return dataset


def _numbers(values: pd.Series) -> pd.Series:
    """A column of numbers that was converted to levels, as numbers again; any other as it is."""
    if pd.api.types.is_numeric_dtype(values):
        return values
    numbers = pd.to_numeric(values, errors="coerce")
    return values if bool((numbers.isna() & values.notna() & (values != UNANNOTATED)).any()) else numbers
