"""True labels in a table: one column of labels, or one column per label."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from fairfer.datasets.binary_columns import Coding, to_binary
from fairfer.datasets.missing_values import is_missing_word
from fairfer.datasets.tables import list_some
from fairfer.errors import DataError, LabelError, UsageError, did_you_mean
from fairfer.labels import SPACES, LabelSpace, canonical, fold, order_labels
from fairfer.vocabulary import TRUTH_PREFIX, Task

TRUTH = ("label", "emotion", "expression", "truth", "y_true", "target")
"""Names of the column of true labels that are tried if none is given."""

_MOST_LABELS = 50  # no coding of expressions has more: such a column holds something else


@dataclass(frozen=True)
class Truth:
    """True labels of a table.

    Attributes
    ----------
    task
        One label per row, or any number.
    labels
        The label space.
    columns
        Indexed like the table, without the rows that have no true label: the columns of `Dataset.samples` for this task.
    stated
        Whether the user, or the dataset, stated the labels and their order, so that codes have a meaning.
    """

    task: Task
    labels: LabelSpace
    columns: pd.DataFrame
    stated: bool = False


def single_label_truth(values: pd.Series, space: str | None, where: str) -> Truth:
    """Read one column of labels.

    Parameters
    ----------
    values
        The column.
    space
        Name or list of labels, see `label_space`.
    where
        File and column, for error messages.

    Raises
    ------
    DataError, UsageError
        See `label_space` and `to_labels`.
    """
    present = values.dropna()
    labels = label_space(space, present, where)
    columns = pd.DataFrame({"label": to_labels(present, labels, where)})
    return Truth("single-label", labels, columns, stated=space is not None)


def multi_label_truth(
    frame: pd.DataFrame, columns: Mapping[str, str], space: str | None, source: str, coding: Coding | None = None
) -> Truth:
    """Read one column per label: 1 or true, 0 or false, and 9, NA or empty for unknown.

    Parameters
    ----------
    frame
        The table.
    columns
        For each label, as it is spelled in the column's name, the column (see `fairfer.datasets.tables.match_columns`).
    space
        Name or list of labels, see `label_space`. There must be a column for each of its labels and for no other. By default
        the labels are those of the columns.
    source
        The file, for error messages.
    coding
        Intensities in place of 1 and 0, and further codes for unknown.

    Raises
    ------
    DataError
        If a value is none of these, or every value is unknown.
    LabelError
        If two columns have the same label.
    UsageError
        If the columns are not those of `space`.
    """
    if space is None:
        name = "emotions" if all(canonical(s) for s in columns) else "own labels"
        labels = LabelSpace.of(name, columns)
        names = dict(zip(labels.labels, columns.values(), strict=True))
    else:
        labels = label_space(space, pd.Series(dtype="str"), source)
        names = _columns_in(labels, columns, source)
    coding = coding or Coding()
    truth = {f"{TRUTH_PREFIX}{n}": to_binary(frame[names[n]], f"{source}, column {names[n]!r}", coding) for n in labels.labels}
    values = pd.DataFrame(truth, index=frame.index)
    values = values[values.notna().any(axis=1)]
    if values.empty:
        message = (
            f"{source}: every true label is unknown ({list_some(columns.values(), 3)}); fill in the columns or name others"
        )
        raise DataError(message)
    if coding.threshold is not None and coding.threshold > 1:
        _check_graded(frame[list(names.values())], coding, source)
    return Truth("multi-label", labels, values)


def _check_graded(columns: pd.DataFrame, coding: Coding, source: str) -> None:
    """Refuse a threshold of intensities for cells of 1 and 0, which would make every unit absent."""
    cells = {str(v).strip().casefold() for c in columns for v in pd.unique(columns[c].dropna())}
    if cells <= {"0", "1", "0.0", "1.0", "true", "false", "9", "9.0", "", *coding.unknown}:
        message = (
            f"--au-threshold {coding.threshold:g} has no use: {source} has only 1, 0 and unknown, no intensities; leave the "
            "option out"
        )
        raise UsageError(message)


def label_space(requested: str | None, values: pd.Series, where: str, option: str = "--labels") -> LabelSpace:
    """Determine the label space of a column.

    Parameters
    ----------
    requested
        A known space (``ferplus``, ``fer2013``, ``affectnet``, ``deepface``), a list of labels separated by commas, or ``None``
        to use the values: either all of them are emotions, or none is.
    values
        The column without missing values.
    where
        File and column, for error messages.
    option
        The option with which to list the labels, for error messages.

    Raises
    ------
    DataError
        If some values are emotions and others are not, or there are too many different ones.
    UsageError
        If `requested` is neither a known space nor a list.
    """
    if requested is not None:
        if requested in SPACES:
            return SPACES[requested]
        if "," in requested or "=" in requested:
            return parse_labels(requested, "--labels")
        message = f"--labels {requested!r} is not a label space; {did_you_mean(requested, SPACES)}, or list labels with commas"
        raise UsageError(message)
    spellings = sorted(set(as_text(values).str.strip()))
    if not spellings:
        message = f"{where} is empty; name the column of true labels with --truth"
        raise DataError(message)
    others = [v for v in spellings if canonical(v) is None]
    if not others:
        return LabelSpace("emotions", order_labels(str(canonical(v)) for v in spellings))
    if len(others) < len(spellings):
        message = f"{where} mixes emotions with {list_some(others)}; correct the values, or list all labels with {option} a,b,c"
        raise DataError(message)
    if len(spellings) > _MOST_LABELS:
        message = (
            f"{where} has {len(spellings):,} different values (such as {list_some(spellings, 3)}), too many for labels; "
            "name another column"
        )
        raise DataError(message)
    own = LabelSpace("own labels", tuple(spellings))
    if words := [v for v in spellings if is_missing_word(v)]:
        message = (
            f"{where}: {words[0]!r} is not a label; leave the cell empty where there is none, or list all labels with {option}"
        )
        raise DataError(message)
    return own


def parse_labels(text: str, option: str, name: str = "own labels") -> LabelSpace:
    """Read a list of labels: ``neutral,happiness`` (their order gives the codes 0, 1, …), ``1=surprise,2=fear`` or ``fer2013``.

    Parameters
    ----------
    text
        Labels separated by commas, each with its code or none with one; or the name of a known space.
    option
        The command-line option, for the error message.
    name
        Name of the space.

    Raises
    ------
    UsageError
        If some labels have a code and others have none, a code is not a whole number, or a label or code occurs twice.
    """
    if text in SPACES:
        return SPACES[text]
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not any("=" in part for part in parts):
        return LabelSpace.of(name, parts)
    pairs = [part.partition("=")[::2] for part in parts]
    codes = [code.strip() for code, _ in pairs]
    if not all(label.strip() and code.lstrip("-").isdecimal() for code, (_, label) in zip(codes, pairs, strict=True)):
        message = f"{option} {text!r}: write CODE=LABEL for every label, as in 0=neutral,1=happiness"
        raise UsageError(message)
    if len(set(codes)) < len(codes):
        message = f"{option} {text!r}: a code occurs twice; give each label its own"
        raise UsageError(message)
    labels = LabelSpace.of(name, [label.strip() for _, label in pairs])
    return LabelSpace(name, labels.labels, tuple(codes))


def as_text(values: pd.Series) -> pd.Series:
    """Convert a column to text, whole numbers without ``.0``; missing values stay missing."""
    if pd.api.types.is_float_dtype(values) and bool((values.dropna() % 1 == 0).all()):
        values = values.astype("Int64")
    return values.astype("str").where(values.notna().to_numpy())


def to_labels(values: pd.Series, space: LabelSpace, where: str) -> pd.Series:
    """Convert a column to canonical names; missing values stay missing.

    Numbers, and texts such as ``LABEL_3``, are codes (see `code_names`) if the space is a known one, or a list that the user
    gave and that has no such label.

    Raises
    ------
    DataError
        If a value is not in the space; the message names its row.
    """
    codes = holds_codes(values, space)
    if codes and not pd.api.types.is_numeric_dtype(values):
        values = pd.to_numeric(as_text(values).str.removeprefix(_NUMBERED))
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


_INTEGER = re.compile(r"-?\d+")
_NUMBERED = "LABEL_"
"""How transformers names the classes of a model that does not name them: ``LABEL_0``, ``LABEL_1``, …"""


def holds_codes(values: pd.Series, space: LabelSpace) -> bool:
    """Whether a column holds codes of labels instead of labels."""
    texts = as_text(values).dropna().str.strip()
    known = {fold(n) for n in (*space.labels, *space.spellings)}
    if pd.api.types.is_numeric_dtype(values):
        return space in SPACES.values() or not set(texts.map(fold)) <= known
    numbered = bool(len(texts)) and bool(texts.str.fullmatch(rf"{_NUMBERED}\d+").all())
    return numbered and not set(texts.map(fold)) & known


def code_names(space: LabelSpace) -> dict[int, str]:
    """Labels by code: the codes that were stated as ``CODE=LABEL``, else the positions from 0."""
    if space.spellings != space.labels and all(_INTEGER.fullmatch(s) for s in space.spellings):
        return dict(zip(map(int, space.spellings), space.labels, strict=True))
    return dict(enumerate(space.labels))


def _code(value: float, space: LabelSpace) -> str:
    names = code_names(space)
    if float(value).is_integer() and int(value) in names:
        return names[int(value)]
    if list(names) == list(range(len(space))):
        listed = f"0 to {len(space) - 1} of {space.name}; if the codes are others, write CODE=LABEL for every label, as in "
        listed += "1=surprise,2=fear"
    else:
        listed = f"of {space.name} ({list_some(f'{c}={n}' for c, n in names.items())}); list all codes"
    message = f"code {value:g} is not one of the codes {listed}"
    raise LabelError(message)


def _columns_in(space: LabelSpace, columns: Mapping[str, str], source: str) -> dict[str, str]:
    """Columns by the canonical name of their label in a given space."""
    try:
        names = {space.canonical(s): c for s, c in columns.items()}
    except LabelError as error:
        message = f"{source}: {error}; change --labels or --truth"
        raise UsageError(message) from error
    missing = [n for n in space.labels if n not in names]
    if missing:
        message = f"{source} has no column of true labels for {list_some(missing)} (--labels); change --labels or --truth"
        raise UsageError(message)
    return names
