"""Attributes as well-known sources write them: FairFace's tables, and file names as in UTKFace.

FairFace's label table (``file,age,gender,race,service_test``) was made by people. The output of its ``predict.py``
(``face_name_align,race,race4,gender,age`` and scores) was inferred by its network, with one probability per level.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from fairfer.datasets.attributes import Attribute, Provenance, to_levels
from fairfer.datasets.dataset import Dataset, Step
from fairfer.datasets.tables import SourceTable, list_some
from fairfer.errors import DataError

UTKFACE = "utkface"
"""Stands for a table of attributes: they are in the names of the images."""

_AGES = ("0-2", "3-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "70+")
_RACES = ("White", "Black", "Latino_Hispanic", "East Asian", "Southeast Asian", "Indian", "Middle Eastern")
_LEVELS: Mapping[str, tuple[str, ...]] = {
    "gender": ("Male", "Female"),
    "race": _RACES,
    "race4": ("White", "Black", "Asian", "Indian"),
    "age": _AGES,
}
"""Levels of FairFace in the order of its scores."""

_SCORES = {"race": "race_scores_fair", "race4": "race_scores_fair_4", "gender": "gender_scores_fair", "age": "age_scores_fair"}
_LABEL_COLUMNS = {"file", "age", "gender", "race", "service_test"}
_OUTPUT_COLUMNS = {"face_name_align", *_LEVELS, *_SCORES.values()}
_OLDEST = "more than 70"
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_FACE = re.compile(r"_face\d+(?=\.[^.]+$|$)")
_ROUNDED = 0.02

_BY_PEOPLE = "annotators of FairFace (crowd workers, two of three agreeing)"
_BY_NETWORK = "FairFace (predict.py)"


def fairface(table: SourceTable) -> tuple[SourceTable, dict[str, Provenance]]:
    """Recognize FairFace's tables by their columns and read them with their provenance.

    Parameters
    ----------
    table
        Any table of attributes.

    Returns
    -------
    table, provenance
        Any other table as it is, with no provenance. FairFace's without the columns that are not attributes; its scores are
        columns ``p(race=White)`` and so on, and images are called as they were before ``predict.py`` cut out the face.

    Raises
    ------
    DataError
        If a row has other levels or numbers of scores than FairFace.
    """
    columns = set(table.columns)
    if columns == _LABEL_COLUMNS:
        frame = table.frame.drop(columns="service_test").replace({"age": {_OLDEST: _AGES[-1]}})
        levels = {n: _LEVELS[n] for n in ("gender", "race", "age")}
        return SourceTable(frame, table.path), {n: Provenance("annotated", _BY_PEOPLE, levels=of) for n, of in levels.items()}
    if columns >= _OUTPUT_COLUMNS:
        return _network_output(table)
    return table, {}


def _network_output(table: SourceTable) -> tuple[SourceTable, dict[str, Provenance]]:
    names = [_FACE.sub("", str(n).replace("\\", "/").rpartition("/")[2]) for n in table.frame["face_name_align"]]
    frame = pd.DataFrame({"file": pd.Series(names, index=table.frame.index, dtype="str")})
    provenance = {}
    for name, levels in _LEVELS.items():
        values = table.frame[name].replace({_OLDEST: _AGES[-1]})
        scores = _scores(table, _SCORES[name], len(levels))
        highest = np.array(levels, dtype=object)[scores.argmax(axis=1)]
        differs = (values.to_numpy(object) != highest) & (scores.max(axis=1) - np.sort(scores, axis=1)[:, -2] > _ROUNDED)
        if differs.any():
            row = int(differs.argmax())
            message = (
                f"{table.column(name)}, row {table.row(row)}: {values.iloc[row]!r} does not have the highest score in "
                f"{_SCORES[name]} (that is {highest[row]!r}); run predict.py again"
            )
            raise DataError(message)
        columns = {level: f"p({name}={level})" for level in levels}
        frame[name] = values
        frame = frame.assign(**{c: scores[:, i] for i, c in enumerate(columns.values())})
        provenance[name] = Provenance("inferred", _BY_NETWORK, levels=levels, probabilities=columns)
    return SourceTable(frame, table.path), provenance


def _scores(table: SourceTable, column: str, number: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """(rows, levels) scores of a column of printed arrays, such as ``[9.1e-01 8.9e-02]``."""
    rows = [[float(n) for n in _NUMBER.findall(str(v))] for v in table.frame[column]]
    for i, row in enumerate(rows):
        if len(row) != number or not 1 - _ROUNDED < sum(row) < 1 + _ROUNDED:
            message = (
                f"{table.column(column)}, row {table.row(i)}: {table.frame[column].iloc[i]!r} is not {number} probabilities; "
                "run predict.py again"
            )
            raise DataError(message)
    return np.array(rows, float)


_UTK_GENDERS = {"0": "male", "1": "female"}
_UTK_RACES = {"0": "White", "1": "Black", "2": "Asian", "3": "Indian", "4": "Others"}
_UTK_BY = "UTKFace (an estimate by the DEX algorithm, checked by a person)"
_FIELDS = 4


def annotate_from_names(dataset: Dataset) -> Dataset:
    """Attributes from file names as in UTKFace: ``AGE_GENDER_RACE_DATE.jpg``, or with ``.jpg.chip.jpg``.

    A few names of UTKFace lack a field. Which one is not certain, so gender and race of these images are unannotated.

    Parameters
    ----------
    dataset
        Its sample ids end in these names.

    Raises
    ------
    DataError
        If no name has this form, or the dataset has a column of the same name.
    """
    shared = [c for c in ("age", "gender", "race") if c in dataset.samples]
    if shared:
        message = f"--demographics {UTKFACE}: {dataset.name} already has a column {shared[0]!r}; rename it"
        raise DataError(message)
    rows = [_utk_fields(str(i)) for i in dataset.samples.index]
    if not any(age is not None for age, _, _ in rows):
        message = (
            f"--demographics {UTKFACE}: no image of {dataset.name} has a name such as 25_1_0_20170116174525125.jpg "
            f"(they are called {list_some(dataset.samples.index, 1)}); give a table of attributes"
        )
        raise DataError(message)
    frame = pd.DataFrame(rows, columns=["age", "gender", "race"], index=dataset.samples.index)
    incomplete = int(frame.isna().any(axis=1).sum())
    attributes = []
    for name in ("gender", "race"):
        frame[name], levels = to_levels(frame[name].astype("str").where(frame[name].notna()), f"file names, {name}")
        attributes.append(Attribute(name, levels, "annotated", _UTK_BY))
    reason = "file names, 'age' has years; cut it into bands (--bands age=20,40,60)"
    note = Step(f"file names without age, gender or race, {len(frame):,} names in all: {incomplete:,}")
    return dataset.replace(
        samples=dataset.samples.join(frame.assign(age=pd.to_numeric(frame["age"]))),
        attributes=(*dataset.attributes, *attributes),
        refused={**dataset.refused, "age": (Attribute("age", (), "annotated", _UTK_BY), reason)},
        steps=(*dataset.steps, *([note] if incomplete else [])),
        card={**dataset.card, "demographics": "file names (UTKFace)"},
    )


def _utk_fields(sample_id: str) -> tuple[int | None, str | None, str | None]:
    """Age, gender and race of one name; ``None`` for each that it lacks."""
    fields: Sequence[str] = sample_id.rpartition("/")[2].partition(".")[0].split("_")
    if len(fields) < _FIELDS - 1 or not fields[0].isdecimal() or not fields[-1].isdecimal():
        return None, None, None
    if len(fields) != _FIELDS:
        return int(fields[0]), None, None
    return int(fields[0]), _UTK_GENDERS.get(fields[1]), _UTK_RACES.get(fields[2])
