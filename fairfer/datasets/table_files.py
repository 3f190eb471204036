"""Reading CSV, Parquet and JSON Lines tables, and finding columns in them."""

from __future__ import annotations

import csv
import datetime as dt
import decimal
import json
import tomllib
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fairfer.errors import DataError, UsageError, did_you_mean


def read_table(path: Path, text: Collection[str] = ()) -> pd.DataFrame:
    """A table as text and numbers, column names trimmed.

    Empty cells are missing; nothing else is (a group may be called ``NA``). CSV columns stay text unless every value is a
    number; separators ``,``, ``;`` and tab are recognised by the header. A column without a name is left out.

    Parameters
    ----------
    path
        CSV, TSV, Parquet or JSON Lines.
    text
        Columns of a CSV, in any case, that stay text whatever they hold, such as names of pictures: ``1e3`` is no number there.

    Raises
    ------
    DataError
        When the file is missing, empty, not such a table, names a column twice, or has rows of different lengths.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        message = f"{path} is no table that fairfer reads; give one of {', '.join(SUFFIXES)}"
        raise DataError(message)
    try:
        table = _READERS[suffix](path)
    except FileNotFoundError as error:
        message = f"{path} does not exist; check the path"
        raise DataError(message) from error
    except (OSError, ValueError, UnicodeError, csv.Error) as error:  # errors of pandas, pyarrow and json are the first two
        message = f"{path} cannot be read as {suffix[1:]} ({_first_line(error)}); save it again as such a table"
        raise DataError(message) from error
    table.columns = pd.Index([str(c).strip() for c in table.columns], dtype="str")
    table = table.loc[:, table.columns != ""]  # spreadsheets and pandas write columns without a name, which nobody can mean
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        message = f"{path} has two columns {twice[0]!r}; rename one"
        raise DataError(message)
    if table.empty:
        message = f"{path} has no rows; give a table with at least one"
        raise DataError(message)
    stays = {c.casefold() for c in text}
    for column in table:
        if suffix not in (".csv", ".tsv"):
            table[column] = _flat(table[column], path)
        elif str(column).casefold() not in stays:
            table[column] = _as_numbers(table[column])
    return table


def _read_parquet(path: Path) -> pd.DataFrame:
    table = pd.read_parquet(path)
    if any(name is not None for name in table.index.names):
        table = table.reset_index()  # pandas stores a named index as a column and makes an index of it again
    return table


def _read_csv(path: Path) -> pd.DataFrame:
    """Every cell as text, empty ones missing; unlike pandas, no row is shifted, filled up or cut to the header's length."""
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
        message = "it holds zero bytes"
        raise ValueError(message)
    columns = [pd.Series([row[i] or None for row in cells], dtype="str") for i in range(len(header))]
    table = pd.concat(columns, axis=1) if columns else pd.DataFrame()
    table.columns = pd.Index(header, dtype="str")
    return table


def _as_numbers(text: pd.Series) -> pd.Series:
    """A column of text as numbers when each of its values is one."""
    numbers = pd.to_numeric(text, errors="coerce")
    # An id such as 007 must stay text, so a column is numeric only when writing its numbers loses nothing but zeros.
    present = text.dropna()
    if len(present) and not numbers[present.index].isna().any() and not present.str.match(r"\s*[+-]?0\d").any():
        return numbers
    return text


def _read_json_lines(path: Path) -> pd.DataFrame:
    """One JSON object a line."""
    rows = []
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line, object_pairs_hook=_once)
            except ValueError as error:
                message = f"line {number}: {error}"
                raise ValueError(message) from error
            if not isinstance(row, dict):
                message = f"line {number} is no JSON object"
                raise ValueError(message)  # noqa: TRY004 - the table is at fault, not a caller
            rows.append(row)
    return pd.DataFrame(rows)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        message = "a key occurs twice"
        raise ValueError(message)
    return row


def _flat(values: pd.Series, path: Path) -> pd.Series:
    """Text with empty values missing, as in a CSV; a value that is itself a list or the like is refused."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(object).infer_objects()
    if pd.api.types.is_numeric_dtype(values):
        return values
    single = (dt.date, dt.time, decimal.Decimal)
    nested = [v for v in values.dropna() if not np.isscalar(v) and not isinstance(v, single)] if values.dtype == object else []
    if nested:
        message = f"{path}, column {values.name!r} holds a {type(nested[0]).__name__}, no single value; take it apart"
        raise DataError(message)
    return values.mask((values == "").to_numpy(bool, na_value=False))


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


def require_column(table: pd.DataFrame, column: str, path: Path, what: str) -> str:
    """The column's name when it is there.

    Raises
    ------
    UsageError
        When it is not; the message says which are near.
    """
    if column in table.columns:
        return column
    message = f"{path} has no column {column!r} ({what}); {did_you_mean(column, [str(c) for c in table.columns])}"
    raise UsageError(message)


def find_column(table: pd.DataFrame, asked: str | None, usual: Sequence[str], path: Path, what: str) -> str | None:
    """The column asked for, or the first of the usual names (any case) that is there, or ``None``."""
    if asked is not None:
        return require_column(table, asked, path, what)
    folded = {str(c).casefold(): str(c) for c in table.columns}
    return next((folded[n] for n in usual if n in folded), None)


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file.

    Raises
    ------
    DataError
        When it cannot be read as TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        message = f"{path} cannot be read as TOML ({_first_line(error)}); mend it"
        raise DataError(message) from error


def show(values: Iterable[object], most: int = 5) -> str:
    """A few values for an error message."""
    some = [str(v) for v in values]
    return ", ".join(some[:most]) + (f" and {len(some) - most:,} more" if len(some) > most else "")
