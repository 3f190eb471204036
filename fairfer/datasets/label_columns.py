"""Which label space a column of labels speaks, shared by the table and the folder loader."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from fairfer.datasets.table_files import show
from fairfer.errors import DataError, LabelError, UsageError, did_you_mean
from fairfer.labels import SPACES, LabelSpace, canonical, order_labels

TRUTH = ("label", "emotion", "expression", "truth", "y_true", "target")
"""Column names tried for the true label when none is named."""


def label_space(asked: str | None, values: pd.Series, where: str) -> LabelSpace:
    """The label space of a column.

    Parameters
    ----------
    asked
        A known space (``ferplus``, ``fer2013``, ``affectnet``, ``deepface``), a list of labels with commas, or ``None`` to go
        by the values: all of them emotions, or none.
    values
        The column, missing values dropped.
    where
        File and column, for the error message.

    Raises
    ------
    DataError
        When some values are emotions and others are not, or there are far too many different ones.
    UsageError
        When `asked` is neither a known space nor a list.
    """
    if asked is not None:
        if asked in SPACES:
            return SPACES[asked]
        if "," in asked:
            return LabelSpace.of("own labels", [s for s in asked.split(",") if s.strip()])
        message = f"--labels {asked!r} is no label space; {did_you_mean(asked, SPACES)} or list the labels with commas"
        raise UsageError(message)
    spoken = sorted(set(as_text(values).str.strip()))
    if not spoken:
        message = f"{where} has no value in any row; name the column of the true label with --truth"
        raise DataError(message)
    strange = [v for v in spoken if canonical(v) is None]
    if not strange:
        return LabelSpace("emotions", order_labels(str(canonical(v)) for v in spoken))
    if len(strange) < len(spoken):
        message = f"{where} mixes emotions with {show(strange)}; mend it, or list its labels with --labels a,b,c"
        raise DataError(message)
    if len(spoken) > 50:  # noqa: PLR2004 - more than any expression coding has
        message = f"{where} has {len(spoken):,} different values, too many for labels (such as {show(spoken, 3)}); name another"
        raise DataError(message)
    return LabelSpace("own labels", tuple(spoken))


def as_text(values: pd.Series) -> pd.Series:
    """A column as text, whole numbers without the ``.0`` that a missing value beside them gives; missing stays missing."""
    if pd.api.types.is_float_dtype(values) and bool((values.dropna() % 1 == 0).all()):
        values = values.astype("Int64")
    return values.astype("str").where(values.notna().to_numpy())


def to_labels(values: pd.Series, space: LabelSpace, where: str) -> pd.Series:
    """A column as canonical names; whole numbers are the codes of a known space. Missing stays missing.

    Raises
    ------
    DataError
        When a value is outside of the space; the message names its row.
    """
    codes = pd.api.types.is_numeric_dtype(values) and space in SPACES.values()
    values = values if codes else as_text(values)
    present = values.dropna()
    names: dict[object, str] = {}
    for value in present.unique():
        try:
            names[value] = _code(value, space) if codes else space.canonical(value)
        except LabelError as error:
            row = present.index[present == value][0]
            message = f"{where}, row {row!r}: {error}"
            raise DataError(message) from error
    return values.map(names).astype("str")


def _code(value: float, space: LabelSpace) -> str:
    if float(value).is_integer() and 0 <= value < len(space):
        return space.labels[int(value)]
    message = f"code {value:g} is none of {space.name}'s 0 to {len(space) - 1}"
    raise LabelError(message)


def whereabouts(path: Path, column: str) -> str:
    """File and column, as error messages say it."""
    return f"{path}, column {column!r}"
