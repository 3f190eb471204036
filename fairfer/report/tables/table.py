"""The table type, and how tables are written as CSV."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairfer.report.text.groups import csv_group, csv_grouping

if TYPE_CHECKING:
    from pydantic import BaseModel

_GROUPING_COLUMNS = ("attribute",)
_GROUP_COLUMNS = ("group", "reference", "worst", "best", "highest", "lowest")

_SIGNS = "=+-@\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}"
_FORMULA_STARTS = (*_SIGNS, "\t", "\r", "\n")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
_LATER_FORMULA = re.compile(
    rf'([;\t\r\n][ "]*)(?=[{re.escape(_SIGNS)}])(?!{_NUMBER.pattern} *([;\t\r\n]|$))',
    re.ASCII,
)
"""A formula after a character that some spreadsheets take for the end of a cell, whatever separates the cells of the file."""


@dataclass(frozen=True)
class Table:
    """A table for readers.

    Attributes
    ----------
    caption
        What the table shows.
    columns
        Column headers.
    rows
        Cells as text, one per column.
    heads
        Number of columns at the left that identify the row; the others hold numbers.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    heads: int = 1


def as_csv(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """Rows as CSV.

    Numbers are written in full: the shortest decimal that reads back as the same number. ``None`` is an empty cell. Groupings
    (column ``attribute``) and groups (``group``, ``reference``, ``worst``, ``best``, ``highest``, ``lowest``) are written as
    text: ``gender,race``, ``female,black``.
    Text that a spreadsheet would run as a formula gets an apostrophe before it.
    """
    out = io.StringIO()
    # With this line end, the writer also quotes a lone carriage return, which would start a row for a spreadsheet.
    writer = csv.writer(out, lineterminator="\r\n")
    texts = []
    for row in itertools.chain([[_inert(c) for c in columns]], ([_cell(c, row[c]) for c in columns] for row in rows)):
        writer.writerow(row)
        texts.append(out.getvalue().removesuffix("\r\n") + "\n")
        out.seek(0)
        out.truncate()
    return "".join(texts)


def models_as_csv(model: type[BaseModel], rows: Iterable[BaseModel], without: Sequence[str] = ()) -> str:
    """Rows of an audit as CSV, one column per field."""
    return as_csv([n for n in model.model_fields if n not in without], (dict(row) for row in rows))


def _cell(column: str, value: object) -> object:
    if isinstance(value, tuple) and column in _GROUPING_COLUMNS:
        return _inert(csv_grouping(value))
    if isinstance(value, tuple) and column in _GROUP_COLUMNS:
        value = csv_group(value)
    return _inert(value)


def _inert(value: object) -> object:
    """Text as a spreadsheet shows it instead of running it; numbers, also those that are written as text, as they are."""
    if not isinstance(value, str) or _NUMBER.fullmatch(value):
        return value
    # Spreadsheets skip leading spaces, and read full-width signs as the ordinary ones.
    if value.lstrip(" ").startswith(_FORMULA_STARTS):
        value = f"'{value}"
    return _LATER_FORMULA.sub(r"\1'", value)
