"""Attributes of people joined from a table, each with its provenance.

Provenance is a TOML file beside the table, of the same name (``demographics.csv`` and ``demographics.toml``) or called
``attributes.toml``, with one section per attribute::

    [gender]
    source = "self-reported"            # or "annotated" or "inferred"
    by = "participants' questionnaire"  # who, or which model and version
    levels = ["female", "male"]         # display order; any other value is an error
    note = "What a reader must know."
    probabilities = { female = "p_female" }   # inferred only: the column with the probability of each level

A column without a section is an attribute all the same, of source "unstated", and reports say so.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fairfer.datasets.dataset import SOURCES, UNANNOTATED, Attribute, Dataset, Step, as_groups, cut_bands
from fairfer.datasets.table_files import read_table, read_toml, show
from fairfer.errors import DataError, UsageError, did_you_mean

KEYS = ("image", "file_name", "filename", "file", "sample_id", "image_name", "image name", "name", "path", "id")
_FIELDS = ("source", "by", "levels", "note", "probabilities")
_RESERVED = ("*", "label", "sample_id")  # the first is everyone together, the others are columns of every data set


def annotate(dataset: Dataset, table: Path) -> Dataset:
    """Join attributes to the samples by picture name.

    Parameters
    ----------
    dataset
        Its sample ids (or their last path component) are looked up in the table.
    table
        CSV, Parquet or JSON Lines; one of its columns is called ``image``, ``file_name``, ``sample_id`` or the like.

    Returns
    -------
    Dataset
        With the table's columns beside its own; a sample that the table lacks is in the group `UNANNOTATED`.

    Raises
    ------
    DataError
        When no row matches, a picture has two different rows, or the provenance is not as described.
    """
    frame = read_table(table, text=KEYS)
    folded = {str(c).casefold(): str(c) for c in frame.columns}
    key = next((folded[k] for k in KEYS if k in folded), None)
    if key is None:
        message = f"{table} names no pictures; call the column with their names one of {show(KEYS[:5])}"
        raise DataError(message)
    nameless = frame[key].isna()
    if nameless.any():
        message = f"{table}, row {int(nameless.to_numpy().argmax()) + 2}: no {key}; name the picture or remove the row"
        raise DataError(message)
    frame = frame.drop_duplicates()
    names = frame[key].astype("str").str.strip()
    if names.duplicated().any():
        message = f"{table} has different rows for the same picture ({show(names[names.duplicated()].unique(), 3)}); keep one"
        raise DataError(message)
    frame = frame.drop(columns=key).set_index(names.to_numpy())
    clash = [c for c in frame.columns if c in dataset.samples.columns]
    if clash:
        message = f"{table} and {dataset.name} both have a column {clash[0]!r}; rename one"
        raise DataError(message)
    wanted = _names_in(frame.index, dataset.samples.index, table)
    found = wanted.isin(frame.index)
    if not found.any():
        message = (
            f"{table} annotates none of the pictures of {dataset.name}: its {key!r} holds names like {frame.index[0]!r}, "
            f"the data set's are like {dataset.samples.index[0]!r}; use the same names"
        )
        raise DataError(message)
    joined = frame.reindex(wanted).set_index(dataset.samples.index)
    attributes, refused, joined = read_attributes(joined, list(frame.columns), table)
    missing = int((~found).sum())
    step = Step(f"not in {table.name}, so {UNANNOTATED} in all of its attributes: {missing:,}")
    return dataset.replace(
        samples=dataset.samples.join(joined),
        attributes=(*dataset.attributes, *attributes),
        refused={**dataset.refused, **refused},
        steps=(*dataset.steps, *([step] if missing else [])),
        card={**dataset.card, "demographics": table.name},
    )


def _names_in(names: pd.Index, sample_ids: pd.Index, table: Path) -> pd.Index:
    """For each sample the name under which the table may know it: its id, without ``#2``, or its last path component."""
    whole = [str(i) for i in sample_ids]
    wanted = pd.Index([i if i in names else i.partition("#")[0] for i in whole])
    if wanted.isin(names).any():
        return wanted
    short = pd.Index([i.rpartition("/")[2] for i in whole])
    several = short[short.duplicated() & short.isin(names)]
    if len(several):
        message = f"{table} has one row {several[0]!r} for several pictures of that name; give paths as in {whole[0]!r}"
        raise DataError(message)
    return short


def read_attributes(
    frame: pd.DataFrame, columns: Sequence[str], table: Path
) -> tuple[tuple[Attribute, ...], dict[str, tuple[Attribute, str]], pd.DataFrame]:
    """Make attributes of a table's columns, by its provenance file.

    Parameters
    ----------
    frame
        Holds `columns`.
    columns
        Those that may be attributes.
    table
        File that they came from; the provenance is looked for beside it.

    Returns
    -------
    attributes, refused, frame
        The attributes; columns that cannot group people (too many values) with the reason, by name; and `frame` with the
        attributes' columns as named groups.
    """
    provenance = _provenance(table, columns)
    spoken_for = {c for about in provenance.values() for c in about.get("probabilities", {}).values()}
    frame = frame.copy()
    attributes: list[Attribute] = []
    refused: dict[str, tuple[Attribute, str]] = {}
    for column in columns:
        about = provenance.get(column, {})
        if column in spoken_for:
            continue
        if column in _RESERVED or "," in column:
            reason = f"{table.name}, column {column!r}: nothing can be grouped by a column of that name; rename it"
            refused[column] = (_attribute(column, (), about, table), reason)
            continue
        try:
            groups, levels = as_groups(frame[column], f"{table.name}, column {column!r}")
        except DataError as error:
            refused[column] = (_attribute(column, (), about, table), str(error))
            continue
        attribute = _attribute(column, levels, about, table)
        frame[column] = groups
        attributes.append(attribute)
    return tuple(attributes), refused, frame


def _attribute(column: str, levels: tuple[str, ...], about: Mapping[str, Any], table: Path) -> Attribute:
    stated = tuple(str(n) for n in about.get("levels", ()))
    if stated:
        strange = [n for n in levels if n not in stated and n != UNANNOTATED]
        if strange:
            message = (
                f"{table}, column {column!r} holds {show(strange)}, but its levels are stated as {show(stated, 12)}; "
                "mend the table or its .toml"
            )
            raise DataError(message)
        # A stated level that nobody has stays: an audit lists it as empty instead of forgetting that it was asked about.
        levels = (*(n for n in stated if n != UNANNOTATED), *(n for n in levels if n == UNANNOTATED))
    return Attribute(
        column,
        levels,
        about.get("source", "unstated"),
        str(about.get("by", "")),
        str(about.get("note", "")),
        dict(about.get("probabilities", {})),
    )


def _provenance(table: Path, columns: Sequence[str]) -> dict[str, dict[str, Any]]:
    for place in (table.with_suffix(".toml"), table.parent / "attributes.toml"):
        if place.is_file():
            break
    else:
        return {}
    sections = read_toml(place)
    for name, about in sections.items():
        if not isinstance(about, dict):
            message = f"{place}: {name!r} stands outside of any section; write [ATTRIBUTE] above it"
            raise DataError(message)
        if name not in columns:
            message = f"{place} speaks of {name!r}, which is no column of {table.name}; {did_you_mean(name, columns)}"
            raise DataError(message)
        _check_section(f"{place} [{name}]", about, columns)
    return sections


def _check_section(where: str, about: Mapping[str, Any], columns: Sequence[str]) -> None:
    for field in about:
        if field not in _FIELDS:
            message = f"{where}: unknown key {field!r}; {did_you_mean(field, _FIELDS)}"
            raise DataError(message)
    if about.get("source") not in SOURCES:
        message = f"{where}: source is {about.get('source')!r}; write one of {show(SOURCES)}"
        raise DataError(message)
    levels = about.get("levels", [])
    if not isinstance(levels, list) or len({str(n) for n in levels}) != len(levels):
        message = f'{where}: levels must be a list that names each once, as in ["female", "male"], not {levels!r}'
        raise DataError(message)
    if not isinstance(about.get("probabilities", {}), dict):
        message = f'{where}: probabilities must name a column for each level, as in {{ female = "p_female" }}'
        raise DataError(message)
    for level, column in about.get("probabilities", {}).items():
        if column not in columns:
            message = f"{where}: no column {column!r} for {level!r}; {did_you_mean(str(column), columns)}"
            raise DataError(message)
        if levels and level not in map(str, levels):
            message = f"{where}: probabilities name {level!r}; {did_you_mean(level, map(str, levels))}"
            raise DataError(message)


def apply_bands(dataset: Dataset, bands: Mapping[str, Sequence[float]]) -> Dataset:
    """Cut numeric columns into bands, so that they can be grouped by.

    Raises
    ------
    UsageError
        When there is no such column.
    DataError
        When the column is not numeric.
    """
    for column, edges in bands.items():
        about = dataset.refused[column][0] if column in dataset.refused else None
        about = about or next((a for a in dataset.attributes if a.name == column), None)
        if about is None:
            known = [*(a.name for a in dataset.attributes), *dataset.refused]
            message = f"--bands {column}: {dataset.name} has no such column; {did_you_mean(column, known)}"
            raise UsageError(message)
        values = dataset.samples[column]
        if not pd.api.types.is_numeric_dtype(values):
            numbers = pd.to_numeric(values, errors="coerce")
            if not bool((numbers.isna() & (values != UNANNOTATED)).any()):
                values = numbers
        groups, levels = cut_bands(values, edges, f"{dataset.name}, column {column!r}")
        banded = dataclasses.replace(about, levels=levels, probabilities={})
        dataset = dataset.replace(
            samples=dataset.samples.assign(**{column: groups}),
            attributes=(*(a for a in dataset.attributes if a.name != column), banded),
            refused={k: v for k, v in dataset.refused.items() if k != column},
        )
    return dataset
