"""Tables: read from CSV, Parquet and JSON Lines files or taken from data frames; finding columns in them."""

from __future__ import annotations

import csv
import datetime as dt
import decimal
import json
import re
import tomllib
import uuid
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fairfer.datasets.frames import to_pandas
from fairfer.errors import DataError, UsageError, did_you_mean
from fairfer.files import read_text

_SHOWN = 5

_LARGEST_EXACT = 2**53
"""Up to here, floating-point numbers hold every whole number."""

_SINGLE = (dt.date, dt.time, dt.timedelta, decimal.Decimal, uuid.UUID)

_UNITS = re.compile(r"(?:^|[^A-Za-z])AU[ _:.-]?$", re.IGNORECASE)
"""End of the beginning of a pattern whose star is the number of an action unit."""

_INDEX = re.compile(r"__index_level_\d+__")
"""Columns in which pandas stores an index without a name."""

_DAMAGE = (
    OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError, NotImplementedError,
    csv.Error, pa.ArrowException,
)  # fmt: skip
"""What the readers of pandas, pyarrow, csv and json raise for a damaged or unusual file."""


@dataclass(frozen=True)
class SourceTable:
    """Rows, and where they come from.

    Attributes
    ----------
    frame
        Column names are unique text without spaces around them. Missing values are missing, never empty text.
    path
        The file; ``None`` for a data frame.
    """

    frame: pd.DataFrame
    path: Path | None = None

    @property
    def source(self) -> str:
        """The path, for error messages; ``data frame`` if there is none."""
        return "data frame" if self.path is None else str(self.path)

    @property
    def name(self) -> str:
        """The file's name, for the report; ``data frame`` if there is none."""
        return "data frame" if self.path is None else self.path.name

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return [str(c) for c in self.frame.columns]

    def column(self, name: str) -> str:
        """Describe a column for an error message."""
        return f"{self.source}, column {name!r}"

    def row(self, position: int) -> int:
        """Return the number of a row: its line in a CSV file (the header is line 1); in a data frame its position from 0."""
        return position if self.path is None else position + 2


def read_table(path: Path, text: Collection[str] = ()) -> SourceTable:
    """Read a file.

    Cells that are empty or hold only spaces are missing values; no other text is (a group may be called ``NA``). A CSV column
    is text unless every value is a number. The separator of a CSV (``,``, ``;`` or tab) is detected from its header. Columns
    without a name are ignored.

    Parameters
    ----------
    path
        CSV, TSV, Parquet or JSON Lines.
    text
        Columns of a CSV, in any case, that are text whatever they hold, such as names of images: ``1e3`` is not a number there.

    Raises
    ------
    DataError
        If the file is missing, empty or not such a table, has two columns of one name, or rows of different lengths.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        message = f"{path} is not a table file; give one of {', '.join(SUFFIXES)}"
        raise DataError(message)
    try:
        if path.exists() and not path.is_file():
            message = "it is a folder" if path.is_dir() else "it is a named pipe or a device, not a file"
            raise ValueError(message)
        frame = _READERS[suffix](path)
    except FileNotFoundError as error:
        message = f"{path} does not exist; check the path"
        raise DataError(message) from error
    except UnicodeError as error:
        message = f"{path} cannot be read as {suffix[1:]} ({_first_line(error)}); save the table again, as UTF-8"
        raise DataError(message) from error
    except _DAMAGE as error:
        message = f"{path} cannot be read as {suffix[1:]} ({_first_line(error)}); save the table again"
        raise DataError(message) from error
    table = SourceTable(frame, path)
    if suffix not in (".csv", ".tsv"):
        return _clean(table)
    text = {c.casefold() for c in text}
    return _clean(table, lambda values: values if str(values.name).casefold() in text else as_numbers(values))


def from_frame(frame: object) -> SourceTable:
    """Take the rows of a data frame.

    Parameters
    ----------
    frame
        A pandas data frame (a named index is a column), or one of polars or another library that narwhals supports.

    Raises
    ------
    UsageError
        If it is not a data frame.
    DataError
        If it has no rows, two columns of one name, or a column of lists.
    """
    try:
        table = frame if isinstance(frame, pd.DataFrame) else to_pandas(frame)
    except ValueError as error:  # such as two columns of one name in an Arrow table
        message = f"data frame cannot be converted ({_first_line(error)}); correct it, or convert it to pandas first"
        raise DataError(message) from error
    if not isinstance(table, pd.DataFrame):
        message = (
            f"a dataset is a path or a data frame (pandas, polars or another eager one), not {type(frame).__name__}; "
            "pass a data frame"
        )
        raise UsageError(message)
    table = table.reset_index(drop=not any(name is not None for name in table.index.names))
    return _clean(SourceTable(table))


def _clean(table: SourceTable, convert: Callable[[pd.Series], pd.Series] | None = None) -> SourceTable:
    """Check names and rows; convert the values of each column, by default with `_flat`."""
    frame = table.frame
    frame = frame.set_axis(pd.Index([str(c).strip() for c in frame.columns], dtype="str"), axis=1)
    frame = frame.loc[:, frame.columns != ""]  # spreadsheets and pandas write such columns; no option could name them
    repeated = frame.columns[frame.columns.duplicated()]
    if len(repeated):
        message = f"{table.source} has two columns {repeated[0]!r}; rename one"
        raise DataError(message)
    if frame.empty:
        message = f"{table.source} has no rows; give a table with at least one"
        raise DataError(message)
    columns = {c: convert(frame[c]) if convert else _flat(frame[c], table.column(str(c))) for c in frame}
    return SourceTable(pd.DataFrame(columns, index=frame.index), table.path)


def _read_parquet(path: Path) -> pd.DataFrame:
    table = pq.ParquetFile(path).read()
    frame: pd.DataFrame
    try:
        frame = table.to_pandas()
    except pa.ArrowException:  # a value that pandas cannot hold, such as a date in the year 10000
        raise
    except _DAMAGE:  # notes of pandas about its index that do not fit the columns
        frame = table.to_pandas(ignore_metadata=True)
        frame = frame.loc[:, [not _INDEX.fullmatch(str(c)) for c in frame.columns]]
    return frame.reset_index() if any(name is not None for name in frame.index.names) else frame  # pandas stores it as a column


def _read_csv(path: Path) -> pd.DataFrame:
    """Read every cell as text, empty cells as missing. Unlike pandas, refuse rows of another length than the header."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline()
        separator = max(",;\t", key=first.count)
        file.seek(0)
        rows = csv.reader(file, delimiter=separator, strict=True)
        header = next(rows, [])
        cells = []
        for row in rows:
            if not row:
                continue
            if len(row) != len(header):
                message = f"line {rows.line_num} has {len(row)} cells, the header {len(header)}"
                raise ValueError(message)
            cells.append(row)
    if "\0" in "".join(header) or any("\0" in cell for row in cells for cell in row):
        message = "it contains zero bytes"
        raise ValueError(message)
    columns = [pd.Series([row[i] if row[i].strip() else None for row in cells], dtype="str") for i in range(len(header))]
    table = pd.concat(columns, axis=1) if columns else pd.DataFrame()
    table.columns = pd.Index(header, dtype="str")
    return table


def as_numbers(text: pd.Series) -> pd.Series:
    """Convert a column of text to numbers if each value is one and the conversion loses nothing (an id such as 007 is text)."""
    numbers = pd.to_numeric(text, errors="coerce")
    present = text.dropna()
    if not len(present) or numbers[present.index].isna().any() or present.str.match(r"\s*[+-]?0\d").any():
        return text
    whole = present.str.fullmatch(r"\s*[+-]?\d+\s*")
    if (numbers[present.index][whole].abs() > _LARGEST_EXACT).any():  # names of 17 digits and more would become one
        return text
    return numbers


def _read_json_lines(path: Path) -> pd.DataFrame:
    """Read one JSON object per line."""
    rows = []
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            if not line.lstrip().startswith("{"):
                message = f"line {number} is not a JSON object"
                raise ValueError(message)
            try:
                rows.append(json.loads(line, object_pairs_hook=_unique_keys))
            except RecursionError as error:
                message = f"line {number} is nested too deeply"
                raise ValueError(message) from error
            except ValueError as error:
                message = f"line {number}: {error}"
                raise ValueError(message) from error
    return pd.DataFrame(rows)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        message = "a key occurs twice"
        raise ValueError(message)
    return row


def _flat(values: pd.Series, where: str) -> pd.Series:
    """Text with empty values missing, as in a CSV; bytes as text; lists and other nested values are refused."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(object).infer_objects()
    if pd.api.types.is_numeric_dtype(values):
        return values
    if values.dtype == object:
        present = [v for v in values if np.iterable(v) or not pd.isna(v)]
        nested = [v for v in present if not np.isscalar(v) and not isinstance(v, _SINGLE)]
        if nested:
            message = f"{where} holds a {type(nested[0]).__name__}; split it into columns of single values"
            raise DataError(message)
        if any(isinstance(v, bytes) for v in present):
            values = _decoded(values, where)
        elif not all(isinstance(v, str) for v in present):  # such as dates, decimal numbers, integers of any size, mixtures
            values = pd.Series([None if v is None or pd.isna(v) else str(v) for v in values], index=values.index, dtype="str")
    elif not pd.api.types.is_string_dtype(values):  # dates, times and periods
        values = values.astype("str").where(values.notna().to_numpy())
    return values.mask((values.str.strip() == "").to_numpy(bool, na_value=False))


def _decoded(values: pd.Series, where: str) -> pd.Series:
    """Bytes as text."""
    try:
        texts = [v.decode() if isinstance(v, bytes) else v for v in values]
    except UnicodeDecodeError as error:
        message = f"{where} holds bytes that are not text; remove the column, or save it as text"
        raise DataError(message) from error
    return pd.Series([None if pd.isna(v) else str(v) for v in texts], index=values.index, dtype="str")


_READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".parquet": _read_parquet,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
}
SUFFIXES = tuple(_READERS)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def find_column(table: SourceTable, requested: str | None, usual: Sequence[str], what: str) -> str | None:
    """Find a column.

    Parameters
    ----------
    requested
        Its name, if it was given.
    usual
        Names to look for in any case, if it was not.
    what
        What the column holds and which option names it, for the error message.

    Returns
    -------
    str or None
        ``None`` if no name was given and none of the usual ones is there.

    Raises
    ------
    UsageError
        If there is no column of the requested name.
    """
    if requested is None:
        folded = {c.casefold(): c for c in table.columns}
        return next((folded[n] for n in usual if n in folded), None)
    if requested in table.columns:
        return requested
    message = f"{table.source} has no column {requested!r} ({what}); {did_you_mean(requested, table.columns)}"
    raise UsageError(message)


def is_pattern(table: SourceTable, name: str | None) -> bool:
    """Whether a name given for a column is a pattern for several: it has a star and is not itself a column."""
    return name is not None and "*" in name and name not in table.columns


def match_columns(table: SourceTable, pattern: str, option: str) -> dict[str, str]:
    """Find the columns that match a pattern with one column per label.

    Parameters
    ----------
    pattern
        The star stands for the label: ``truth_*`` matches ``truth_happy``. If ``AU`` stands before the star, it stands for the
        number of an action unit: ``AU*`` matches ``AU12``, whose label is AU12, and not ``AUC``.
    option
        The command-line option that gave the pattern, for the error message.

    Returns
    -------
    dict
        For each label, as it is spelled in the column's name, the column.

    Raises
    ------
    UsageError
        If the pattern has more than one star or matches no column.
    DataError
        If two columns have the same label.
    """
    if pattern.count("*") != 1:
        message = f"{option} {pattern!r} must have one star, which stands for the label; write it as in 'truth_*'"
        raise UsageError(message)
    start, _, end = pattern.partition("*")
    units = _UNITS.search(start) is not None
    columns: dict[str, str] = {}
    for column in table.columns:
        label = column[len(start) : len(column) - len(end)].strip(" _:.-")
        if not column.startswith(start) or not column.endswith(end) or not label or (units and not label.isdecimal()):
            continue
        label = f"AU{int(label)}" if units else label
        if label in columns:
            message = f"{table.source} has two columns for {label!r} ({option}): {columns[label]!r} and {column!r}; rename one"
            raise DataError(message)
        columns[label] = column
    if not columns:
        message = f"{table.source} has no column that matches {option} {pattern!r}; {did_you_mean(pattern, table.columns)}"
        raise UsageError(message)
    return columns


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises
    ------
    DataError
        If it cannot be read as TOML.
    """
    try:
        return tomllib.loads(read_text(path, "utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        message = f"{path} cannot be read as TOML ({_first_line(error)}); correct the file"
        raise DataError(message) from error


def list_some(values: Iterable[object], most: int = _SHOWN) -> str:
    """List the first values for an error message, and count the others."""
    texts = [str(v) for v in values]
    return ", ".join(texts[:most]) + (f" and {len(texts) - most:,} more" if len(texts) > most else "")
