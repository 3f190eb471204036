"""Action units of a dataset's images, read from a table: labels of coders, output of a detector, or estimates from landmarks.

They describe the faces of an audit of emotions. Action units as the labels of an audit of their own are read by the loaders.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fairfer.datasets.binary_columns import Coding, to_binary
from fairfer.datasets.label_columns import as_text
from fairfer.datasets.landmarks import read_landmarks
from fairfer.datasets.prediction_formats import openface, pyfeat
from fairfer.datasets.prediction_formats.content import IMAGE_KEYS, Content
from fairfer.datasets.tables import SourceTable, list_some, read_table
from fairfer.errors import DataError, LabelError, UsageError
from fairfer.facs.action_units import in_order, parse
from fairfer.facs.geometry import NOTE, estimate, present

Kind = Literal["labels", "detected", "estimated"]
"""Coded by people; output of a detector; computed from the geometry of landmarks."""

PROBABLE = 0.5
"""Probability of py-feat from which a unit is present."""

UNKNOWN = 9
"""Code of FACS data for a unit that could not be judged (BP4D)."""

_HIGHEST = 5
_COLUMN = re.compile(r"au[ _-]?\d{1,2}(?:_[rc])?", re.IGNORECASE)


@dataclass(frozen=True)
class ActionUnitTable:
    """Action units by sample.

    Attributes
    ----------
    units
        Indexed by ``sample_id``, every sample in the order in which it was given; one column per action unit (``AU12``) of
        nullable Int8: 1 present, 0 absent, missing unknown. A sample without a row in the table has missing values.
    source
        Name of the table, for the report.
    kind
        Where the values come from: ``labels``, ``detected`` or ``estimated``.
    notes
        What a reader has to know: coverage, the rule by which a value is present, columns that were left out.
    """

    units: pd.DataFrame
    source: str
    kind: Kind
    notes: tuple[str, ...] = ()


def read_action_units(path: Path, sample_ids: Iterable[str], *, threshold: float | None = None) -> ActionUnitTable:
    """Read a table of action units and join it to samples by name.

    Parameters
    ----------
    path
        CSV, TSV, Parquet or JSON Lines, one row per image:

        * py-feat's Fex table: a probability of 0.5 or more is present;
        * OpenFace's table: the decisions (``AU12_c``) are read;
        * landmarks (see `fairfer.datasets.landmarks.read_landmarks`), from which `fairfer.facs.geometry` estimates units;
        * any other table with columns such as ``AU12`` or ``AU01``: 1 present, 0 absent, 9 or empty unknown. Where a column has
          other values, all columns are intensities (0 to 5) or probabilities, and `threshold` is required.
    sample_ids
        Samples of the dataset. A name in the table is a sample's id, or else the last part of its path, with or without suffix.
    threshold
        Smallest value that counts as present: an intensity (DISFA's convention is 2) or a probability.

    Returns
    -------
    ActionUnitTable
        The kind is ``detected`` for the two tools, for columns named as OpenFace names its own (``AU12_c``, ``AU12_r``) and for
        values that are not whole numbers, ``estimated`` for landmarks, else ``labels``.

    Raises
    ------
    DataError
        If the file cannot be read, has no action units, names an image twice or none of the dataset, or a value is invalid.
    UsageError
        If `threshold` is missing where it is required, or has no use.
    """
    ids = [str(i) for i in sample_ids]
    if _has_landmarks(path):
        _refuse(threshold, path, "landmarks, from which action units are estimated")
        return _estimated(path, ids)
    table = read_table(path, text=IMAGE_KEYS)
    table = SourceTable(table.frame.reset_index(drop=True), path)  # Parquet keeps an index, which may repeat
    content = Content(path, table=table.frame)
    if pyfeat.FORMAT.matches(content):
        answers = pyfeat.FORMAT.read(content)
        if not answers.action_units:
            message = f"{path} has emotions of py-feat but no action units; detect them too, then write the table again"
            raise DataError(message)
        values = answers.frame[list(answers.action_units.values())].set_axis(list(answers.action_units), axis=1)
        limit = PROBABLE if threshold is None else threshold
        units = _from(table, values, limit, highest=1)
        return _joined(table, answers.frame, ids, units, "detected", (_rule(limit), *answers.notes))
    if openface.FORMAT.matches(content):
        _refuse(threshold, path, "decisions of OpenFace (1 and 0)")
        answers = openface.FORMAT.read(content)
        values = answers.frame[list(answers.decisions.values())].set_axis(list(answers.decisions), axis=1)
        return _joined(table, answers.frame, ids, _binary(table, values), "detected", answers.notes)
    return _generic(table, ids, threshold)


def _refuse(threshold: float | None, path: Path, content: str) -> None:
    if threshold is not None:
        message = f"a threshold of action units has no use: {path} has {content}; leave the threshold out"
        raise UsageError(message)


def _rule(threshold: float) -> str:
    return f"an action unit is present from {threshold:g}"


# ---- landmarks


def _has_landmarks(path: Path) -> bool:
    """Whether a table has coordinates and no action units; py-feat's and OpenFace's tables have both."""
    if path.suffix.lower() == ".parquet":
        try:
            names = list(pq.read_schema(path).names)
        except (OSError, ValueError, pa.ArrowException):
            return False  # reading it as a table says what is wrong
    else:
        names = read_table(path).columns
    folded = {name.strip().casefold() for name in names}
    return ({"x", "y"} <= folded or {"x_0", "y_0"} <= folded) and not any(_COLUMN.fullmatch(n) for n in folded)


def _estimated(path: Path, ids: Sequence[str]) -> ActionUnitTable:
    landmarks = read_landmarks(path, ids)
    rows: dict[str, dict[str, int]] = {}
    for sample_id, points in landmarks.points.items():
        try:
            estimates = estimate(points, landmarks.scheme)
        except DataError:  # points without the shape of a face: unknown, as where no face was found
            continue
        shown = present(estimates)
        rows[sample_id] = {code: int(code in shown) for code in estimates}
    if not rows:
        message = f"{path} has no landmarks in the shape of a face; check the order of the points and the coordinates"
        raise DataError(message)
    units = pd.DataFrame.from_dict(rows, orient="index").astype("Int8").reindex(_index(ids))
    return ActionUnitTable(units, path.name, "estimated", (NOTE, _coverage(path.name, len(rows), len(ids))))


# ---- columns of action units


def _generic(table: SourceTable, ids: Sequence[str], threshold: float | None) -> ActionUnitTable:
    columns = [c for c in table.columns if _COLUMN.fullmatch(c)]
    if not columns:
        message = (
            f"{table.source} has no action units; name their columns AU1, AU12, … (its columns: {list_some(table.columns)})"
        )
        raise DataError(message)
    names = {c.casefold(): c for c in reversed(table.columns)}
    key = next((names[k] for k in IMAGE_KEYS if k in names), None)
    if key is None:
        message = f"{table.source} has no column that names the image; call it {IMAGE_KEYS[0]!r}"
        raise DataError(message)
    known, others = _named(table, columns)
    values = table.frame[list(known.values())].set_axis(list(known), axis=1)
    numbers = _numbers(table, values)
    graded = ~(numbers.isna() | numbers.isin([0, 1, UNKNOWN]))
    intense = any(c.casefold().endswith("_r") for c in known.values())
    if graded.any(axis=None) or intense:
        units = _graded(table, numbers, graded, threshold)
        notes = [_rule(float(threshold or 0))]
    else:
        _refuse(threshold, Path(table.source), "only 1, 0 and 9 (unknown)")
        units = _binary(table, values)
        notes = []
    if others:
        notes.append(f"{', '.join(others)} are not among fairfer's action units and were left out")
    whole = bool((numbers.isna() | (numbers % 1 == 0)).all(axis=None))
    tool = intense or any(c.casefold().endswith("_c") for c in known.values())
    frame = pd.DataFrame({"image": table.frame[key]})
    return _joined(table, frame, ids, units, "labels" if whole and not tool else "detected", tuple(notes))


def _named(table: SourceTable, columns: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Columns by the code of their unit, and the columns of units that are not in the table of action units."""
    known: dict[str, str] = {}
    others = []
    for column in columns:
        try:
            code = parse(column)
        except LabelError:
            others.append(column)
            continue
        if code in known:
            message = f"{table.source}: the columns {known[code]!r} and {column!r} are both {code}; keep one"
            raise DataError(message)
        known[code] = column
    if not known:
        message = f"{table.source}: {list_some(others)} are not among fairfer's action units (see action-units.md); add others"
        raise DataError(message)
    return known, others


def _numbers(table: SourceTable, values: pd.DataFrame) -> pd.DataFrame:
    """Values as numbers, missing where they are unknown.

    Raises
    ------
    DataError
        If one is no number; the message names its row.
    """
    words = {"true": 1.0, "false": 0.0, "na": None, "nan": None, "unknown": None, "": None}
    text = pd.DataFrame({c: v.astype("str").str.strip().str.casefold().where(v.notna()) for c, v in values.items()})
    numbers = pd.DataFrame({c: pd.to_numeric(v.replace(words), errors="coerce") for c, v in text.items()})
    wrong = numbers.isna() & text.notna() & ~text.isin([w for w, n in words.items() if n is None])
    infinite = np.isinf(numbers)
    if (wrong | infinite).any(axis=None):
        row, code = _first(wrong | infinite)
        advice = "write 1, 0, or leave it empty if unknown"
        message = f"{table.source}, row {table.row(row)}: {code} is {values[code].iloc[row]!r}, not a number; {advice}"
        raise DataError(message)
    return numbers


def _first(wrong: pd.DataFrame) -> tuple[int, str]:
    """Position of the first row with a marked value, and its column."""
    row = int(wrong.any(axis=1).to_numpy().argmax())
    return row, str(wrong.columns[int(wrong.iloc[row].to_numpy().argmax())])


def _graded(table: SourceTable, numbers: pd.DataFrame, graded: pd.DataFrame, threshold: float | None) -> pd.DataFrame:
    if threshold is None:
        where = "its columns hold intensities (AU12_r)"
        if graded.any(axis=None):
            row, code = _first(graded)
            where = f"row {table.row(row)}: {code} is {numbers[code].iloc[row]:g}, neither 1, 0 nor 9 (unknown)"
        message = (
            f"{table.source}, {where}; give a threshold, the smallest intensity or probability that counts as present "
            "(for example 2 for intensities of 0 to 5)"
        )
        raise UsageError(message)
    return _from(table, numbers.mask(numbers == UNKNOWN), threshold, highest=_HIGHEST)


def _from(table: SourceTable, values: pd.DataFrame, threshold: float, *, highest: float) -> pd.DataFrame:
    """1 from the threshold on, 0 below it, missing where the value is missing."""
    if not 0 < threshold <= highest:
        message = f"the threshold of action units is {threshold:g}; give a number above 0 and up to {highest:g}"
        raise UsageError(message)
    outside = values.notna() & ((values < 0) | (values > highest))
    if outside.any(axis=None):
        row, code = _first(outside)
        message = (
            f"{table.source}: {code} is {values[code].iloc[row]:g}, outside of 0 to {highest:g}; correct it, or leave it empty "
            "if it is unknown"
        )
        raise DataError(message)
    return (values >= threshold).astype("Int8").mask(values.isna())


def _binary(table: SourceTable, values: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({code: to_binary(column, table.column(str(code)), Coding()) for code, column in values.items()})


# ---- joining


def _joined(
    table: SourceTable, frame: pd.DataFrame, ids: Sequence[str], units: pd.DataFrame, kind: Kind, notes: tuple[str, ...]
) -> ActionUnitTable:
    """Rows in the order of the samples, matched by name, else by file name, else by file name without suffix."""
    if "image" not in frame:
        message = f"{table.source} has no column that names the image; call it {IMAGE_KEYS[0]!r}"
        raise DataError(message)
    names = as_text(frame["image"]).str.strip()
    if names.isna().any():
        row = int(names.isna().to_numpy().argmax())
        message = f"{table.source}, row {table.row(row)}: the name of the image is empty; fill it in"
        raise DataError(message)
    units = units.reindex(columns=in_order(units.columns))
    for key in _KEYS:
        own, theirs = names.map(key), pd.Series([key(i) for i in ids])
        matching = own.isin(set(theirs)).to_numpy()
        if not matching.any():
            continue
        for what, values in (("rows of the table", own[matching]), ("images of the dataset", theirs[theirs.isin(set(own))])):
            if values.duplicated().any():
                message = (
                    f"{table.source}: {values[values.duplicated()].iloc[0]!r} stands for several {what}; give one row per image"
                )
                raise DataError(message)
        rows = units[matching].set_axis(own[matching].to_numpy(), axis=0).reindex(theirs)
        rows = rows.set_axis(_index(ids), axis=0).astype("Int8")
        return ActionUnitTable(rows, table.name, kind, (*notes, _coverage(table.name, int(matching.sum()), len(ids))))
    message = (
        f"{table.source} has action units of no image of this dataset: its names are such as {list_some(names[:2])}, the "
        f"dataset's such as {list_some(ids[:2])}; give the table of this dataset, or correct the names"
    )
    raise DataError(message)


_KEYS: tuple[Callable[[str], str], ...] = (
    lambda name: name,
    lambda name: PurePosixPath(name.replace("\\", "/")).name,
    lambda name: PurePosixPath(name.replace("\\", "/")).stem,
)
"""What two names have in common that mean the same image, in the order in which it is tried."""


def _index(ids: Sequence[str]) -> pd.Index[str]:
    return pd.Index(list(ids), name="sample_id", dtype="str")


def _coverage(source: str, known: int, images: int) -> str:
    return f"{source} has action units of {known:,} of {images:,} images"
