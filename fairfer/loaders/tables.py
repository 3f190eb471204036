"""Reading CSV, Parquet and JSON Lines tables, and finding columns in them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fairfer.errors import DataError, UsageError, did_you_mean

SUFFIXES = (".csv", ".tsv", ".parquet", ".jsonl", ".ndjson")


def read_table(path: Path) -> pd.DataFrame:
    """A table as text and numbers, column names trimmed.

    Empty cells are missing; nothing else is (a group may be called ``NA``). CSV columns stay text unless every value is a
    number; separators ``,``, ``;`` and tab are recognised by the header.

    Raises
    ------
    DataError
        When the file is missing, empty, not such a table, or names a column twice.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        message = f"{path} is no table that fairfer reads; give one of {', '.join(SUFFIXES)}"
        raise DataError(message)
    try:
        if suffix == ".parquet":
            table = pd.read_parquet(path)
        elif suffix in (".jsonl", ".ndjson"):
            table = pd.read_json(path, lines=True, dtype=False, convert_dates=False)
        else:
            table = _read_csv(path)
    except FileNotFoundError as error:
        message = f"{path} does not exist; check the path"
        raise DataError(message) from error
    except (OSError, ValueError, UnicodeError) as error:  # pandas, pyarrow and json errors are ValueErrors or OSErrors
        message = f"{path} cannot be read as {suffix[1:]} ({_first_line(error)}); save it again as such a table"
        raise DataError(message) from error
    table.columns = pd.Index([str(c).strip() for c in table.columns])
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        message = f"{path} has two columns {twice[0]!r}; rename one"
        raise DataError(message)
    if table.empty:
        message = f"{path} has no rows; give a table with at least one"
        raise DataError(message)
    return table


def _read_csv(path: Path) -> pd.DataFrame:
    with path.open(encoding="utf-8-sig") as file:
        header = file.readline()
    separator = max(",;\t", key=header.count)
    text = pd.read_csv(path, sep=separator, dtype="str", keep_default_na=False, na_values=[""], encoding="utf-8-sig")
    for column in text:
        numbers = pd.to_numeric(text[column], errors="coerce")
        # An id such as 007 must stay text, so a column is numeric only when writing its numbers loses nothing but zeros.
        present = text[column].dropna()
        if len(present) and not numbers[present.index].isna().any() and not present.str.match(r"[+-]?0\d").any():
            text[column] = numbers
    return text


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
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        message = f"{path} cannot be read as TOML ({_first_line(error)}); mend it"
        raise DataError(message) from error


def show(values: Iterable[object], most: int = 5) -> str:
    """A few values for an error message."""
    some = [str(v) for v in values]
    return ", ".join(some[:most]) + (f" and {len(some) - most:,} more" if len(some) > most else "")
