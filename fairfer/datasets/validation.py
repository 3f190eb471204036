"""Validation samples of inferred attributes: true level by level as inferred, as counts, so that their error is known."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from fairfer.datasets.tables import find_column, from_frame, list_some, read_table
from fairfer.errors import DataError, UsageError, did_you_mean
from fairfer.vocabulary import UNANNOTATED

if TYPE_CHECKING:
    from fairfer.datasets.dataset import Dataset

Confusion = Mapping[str, Mapping[str, int]]
"""Faces of a validation sample by true level and level as inferred."""

_TRUE, _INFERRED, _COUNT = ("true", "truth", "actual"), ("inferred", "predicted", "annotated"), ("count", "n", "faces")


def read_confusion(content: object, where: str) -> dict[str, dict[str, int]]:
    """Check a table of counts.

    Parameters
    ----------
    content
        For each true level, for each level as inferred, the number of faces of the validation sample.
    where
        For the error message.

    Raises
    ------
    DataError
        When it is not such a table, or a number is not a whole one from 0.
    """
    if not isinstance(content, Mapping) or not content or not all(isinstance(row, Mapping) for row in content.values()):
        message = f"{where} must have one row of counts per true level, as in {{ female = {{ female = 180, male = 20 }} }}"
        raise DataError(message)
    counts: dict[str, dict[str, int]] = {}
    for true, row in content.items():
        for inferred, number in row.items():
            if isinstance(number, bool) or not isinstance(number, int) or number < 0:
                message = (
                    f"{where}, {true} inferred as {inferred}: {number!r} is not a number of faces; give counts, not shares: "
                    "they show how uncertain the matrix is"
                )
                raise DataError(message)
        counts[str(true)] = {str(n): int(k) for n, k in row.items()}
    return counts


def check_confusion(confusion: Confusion, levels: Sequence[str], where: str) -> None:
    """Refuse a matrix that does not fit the levels of its attribute.

    Raises
    ------
    DataError
        When a level has no face in the validation sample, or the matrix has a level that the attribute has not.
    """
    annotated = [n for n in levels if n != UNANNOTATED]
    for name in dict.fromkeys([*confusion, *(n for row in confusion.values() for n in row)]):
        if name not in annotated:
            message = f"{where} has the level {name!r}, which the attribute has not; {did_you_mean(name, annotated)}"
            raise DataError(message)
    lacking = [n for n in annotated if not sum(confusion.get(n, {}).values())]
    if lacking:
        message = f"{where} has no face that truly is {list_some(lacking)}; validate some of each level"
        raise DataError(message)


def apply_validation(dataset: Dataset, validation: Mapping[str, str | os.PathLike[str] | pd.DataFrame | Confusion]) -> Dataset:
    """Give inferred attributes the confusion matrix of a validation sample.

    Parameters
    ----------
    dataset
        With the attributes.
    validation
        By attribute: a table with the columns ``true`` and ``inferred`` and, if its rows are not single faces, ``count``; or
        the counts by true level and level as inferred.

    Raises
    ------
    UsageError
        When there is no such attribute, or it is not inferred.
    DataError
        When the table is invalid.
    """
    for name, source in validation.items():
        names = [a.name for a in dataset.attributes]
        if name not in names:
            message = f"--validation {name}: {dataset.name} has no such attribute; {did_you_mean(name, names)}"
            raise UsageError(message)
        attribute = dataset.attribute(name)
        if attribute.source not in ("inferred", "unstated"):
            message = f"--validation {name}: the attribute is {attribute.source}, not inferred; leave --validation out"
            raise UsageError(message)
        where = f"--validation {name}"
        counts = read_confusion(source, where) if isinstance(source, Mapping) else _counted(source, where)
        check_confusion(counts, attribute.levels, where)
        changed = dataclasses.replace(attribute, source="inferred", confusion=counts)
        dataset = dataset.replace(attributes=tuple(changed if a.name == name else a for a in dataset.attributes))
    return dataset


def _counted(source: str | os.PathLike[str] | pd.DataFrame, where: str) -> dict[str, dict[str, int]]:
    if isinstance(source, str | os.PathLike):
        table = read_table(Path(source).expanduser(), text=(*_TRUE, *_INFERRED))
    else:
        table = from_frame(source)
    columns = [find_column(table, None, usual, "a validation sample") for usual in (_TRUE, _INFERRED, _COUNT)]
    true, inferred, count = columns
    if true is None or inferred is None:
        message = f"{where}: {table.source} needs the columns true and inferred (and count, if rows are not single faces)"
        raise DataError(message)
    empty = table.frame[[true, inferred]].isna().any(axis=1).to_numpy()
    if empty.any():
        row = table.row(int(empty.argmax()))
        message = f"{where}: {table.source}, row {row}: true or inferred is empty; complete the row or remove it"
        raise DataError(message)
    numbers = pd.Series(1, index=table.frame.index) if count is None else pd.to_numeric(table.frame[count], errors="coerce")
    wrong = (numbers.isna() | (numbers < 0) | (numbers % 1 != 0)).to_numpy()
    if wrong.any():
        message = f"{where}: {table.source}, row {table.row(int(wrong.argmax()))}: {count} is not a number of faces; correct it"
        raise DataError(message)
    truth, levels = (table.frame[c].astype("str").str.strip() for c in (true, inferred))
    counts: dict[str, dict[str, int]] = {}
    for true_level, level, number in zip(truth, levels, numbers, strict=True):
        of_level = counts.setdefault(str(true_level), {})
        of_level[str(level)] = of_level.get(str(level), 0) + int(number)
    return counts
