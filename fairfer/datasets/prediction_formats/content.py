"""The content of a file of answers: rows of a table, or values of a JSON file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, Literal, overload

import pandas as pd

from fairfer.datasets.layout_files import PICTURES
from fairfer.datasets.tables import read_table
from fairfer.errors import DataError
from fairfer.files import read_text

JSON = ".json"
JSON_LINES = (".jsonl", ".ndjson")
TABLES = (".csv", ".tsv", ".parquet")

IMAGE_KEYS = (
    "image",
    "file_name",
    "filename",
    "file",
    "img_path",
    "image_path",
    "img",
    "path",
    "input",
    "sample_id",
    "id",
    "name",
)
"""Keys under which the name of an image is looked for."""

_TOOL_COLUMNS = re.compile(r"FaceRectX|AU\d\d_c")
"""Columns that only face-analysis tools write."""

_LOOKED_AT = 20
"""Lines by which a file is recognized; the first answers may be empty."""

PERCENT = 100.0
SUM_TOLERANCE = 0.02
"""Largest deviation from 1 of the sum of probabilities that a tool has rounded."""


@dataclass(frozen=True)
class Content:
    """What a file holds.

    Attributes
    ----------
    path
        The file.
    rows
        One value per image of a JSON file: an object, or a list of objects.
    table
        The rows of a table file.
    """

    path: Path
    rows: Sequence[Any] = ()
    table: pd.DataFrame | None = None

    def error(self, row: int, problem: str) -> DataError:
        """An error of one line that names the file and the row (from 1)."""
        return DataError(f"{self.path}, answer {row + 1}: {problem}")


@overload
def read_content(path: Path) -> Content: ...


@overload
def read_content(path: Path, *, quiet: Literal[True]) -> Content | None: ...


def read_content(path: Path, *, quiet: bool = False) -> Content | None:
    """Read a file.

    Parameters
    ----------
    path
        JSON, JSON Lines, CSV, TSV or Parquet.
    quiet
        Return ``None`` for a file that cannot be read.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    suffix = path.suffix.lower()
    try:
        if suffix in TABLES:
            return Content(path, table=read_table(path, text=IMAGE_KEYS).frame)
        return Content(path, rows=_rows(path, suffix))
    except DataError:
        if quiet:
            return None
        raise


def may_be_answers(path: Path) -> bool:
    """Whether a file is worth reading as one of a tool's: its first lines have nested values, or the columns of such a tool."""
    suffix = path.suffix.lower()
    if suffix == JSON:
        return True
    try:
        with path.open(encoding="utf-8-sig") as file:
            lines = list(islice((line for line in file if line.strip()), _LOOKED_AT))
        if suffix in JSON_LINES:
            values = [json.loads(line) for line in lines]
            return any(not isinstance(v, dict) or any(isinstance(x, dict | list) for x in v.values()) for v in values)
    except (OSError, ValueError, RecursionError):
        return False
    return suffix in TABLES[:2] and bool(lines) and _TOOL_COLUMNS.search(lines[0]) is not None


def _rows(path: Path, suffix: str) -> list[Any]:
    if suffix not in (JSON, *JSON_LINES):
        message = f"{path} is not a file of answers; give one of {', '.join((JSON, *JSON_LINES, *TABLES))}"
        raise DataError(message)
    try:
        text = read_text(path, "utf-8-sig")
    except (OSError, UnicodeError) as error:
        message = (
            f"{path} cannot be read ({getattr(error, 'strerror', None) or error}); check the path and the encoding (UTF-8)"
        )
        raise DataError(message) from error
    try:
        if suffix == JSON:
            value = json.loads(text)
            rows = value if isinstance(value, list) else _by_image(value)
        else:
            rows = []
            for number, line in enumerate(text.splitlines(), 1):
                if line.strip():
                    try:
                        rows.append(json.loads(line))
                    except ValueError as error:
                        message = f"line {number}: {error}"
                        raise ValueError(message) from error
    except (ValueError, RecursionError) as error:
        message = f"{path} is not valid JSON ({str(error).splitlines()[0]}); write it again"
        raise DataError(message) from error
    if not rows:
        message = f"{path} has no answers; give a file with at least one"
        raise DataError(message)
    return rows


def _by_image(value: Any) -> list[Any]:
    """Rows of a JSON file that is one object: answers by the names of images, or the answer for one image."""
    if isinstance(value, dict) and value and all(PurePosixPath(name).suffix.lower() in PICTURES for name in value):
        return [{"image": name, "answer": answer} for name, answer in value.items()]
    return [value]


def image_name(row: Mapping[str, Any]) -> str | None:
    """The name of the image of a row, if it has one."""
    folded = {str(key).casefold(): value for key, value in row.items()}
    for key in IMAGE_KEYS:
        value = folded.get(key)
        if isinstance(value, str) and value.strip():
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
    return None


def find_answer(row: Any, is_answer: Callable[[Any], bool]) -> tuple[Any, dict[str, Any]]:
    """The part of a row that is the tool's answer, and the other values of the row.

    A row is the answer itself, or an object that has it under any key, such as ``{"image": …, "label": …, "result": […]}``.
    An empty list is an answer (no face) only if no other value is one.
    """
    if is_answer(row):
        return row, {}
    if isinstance(row, Mapping):
        keys = answer_keys(row, is_answer) or [k for k, v in row.items() if is_answer(v)]
        if keys:
            return row[keys[0]], {k: v for k, v in row.items() if k != keys[0]}
        return None, dict(row)
    return None, {}


def answer_keys(row: Any, is_answer: Callable[[Any], bool]) -> list[str]:
    """The keys of a row under which an answer that is not empty stands; more than one is ambiguous."""
    if is_answer(row) or not isinstance(row, Mapping):
        return []
    return [k for k, v in row.items() if v and is_answer(v)]


def take_answer(content: Content, number: int, is_answer: Callable[[Any], bool]) -> tuple[Any, dict[str, Any]]:
    """As `find_answer`, for a row by its number.

    Raises
    ------
    DataError
        If the row has several answers, such as those of two models.
    """
    row = content.rows[number]
    if len(keys := answer_keys(row, is_answer)) > 1:
        advice = f"keep one, as in {{'image': 'a.jpg', {keys[0]!r}: …}}, and write one such object per image"
        raise content.error(number, f"{keys[0]!r} and {keys[1]!r} are both answers; {advice}")
    return find_answer(row, is_answer)


def single_values(values: Mapping[str, Any], without: Sequence[str] = ()) -> dict[str, Any]:
    """The values that a column can hold."""
    return {k: v for k, v in values.items() if k not in without and (v is None or isinstance(v, str | int | float | bool))}


def is_number(value: object) -> bool:
    """Whether a value is a number, and not true or false."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def shares(
    content: Content, row: int, scores: Mapping[str, Any], key: str, total: float, tolerance: float = SUM_TOLERANCE
) -> dict[str, float]:
    """Scores of exclusive labels as probabilities.

    Raises
    ------
    DataError
        If one is not a number from 0 to `total`, or they do not sum to `total`.
    """
    for label, value in scores.items():
        if not is_number(value) or not 0 <= value <= total * (1 + SUM_TOLERANCE):
            raise content.error(row, f"{key}: the score of {label!r} is {value!r}, not a number from 0 to {total:g}")
    found = sum(scores.values())
    if abs(found / total - 1) > tolerance:
        raise content.error(row, f"{key}: the scores sum to {found:.4g}, not {total:g}; give the scores of all labels")
    return {label: min(max(value / total, 0.0), 1.0) for label, value in scores.items()}


def to_frame(rows: Sequence[Mapping[str, Any]], prefix: str = "") -> pd.DataFrame:
    """Rows as a table; the column ``image`` only if every row has a name."""
    frame = pd.DataFrame(list(rows))
    if "image" in frame and frame["image"].isna().all():
        frame = frame.drop(columns="image")
    return frame.add_prefix(prefix) if prefix else frame


def same_labels(content: Content, found: Iterator[tuple[int, Mapping[str, Any]]], advice: str) -> list[str]:
    """The labels of all answers, in the order of the first.

    Raises
    ------
    DataError
        If two answers have different labels.
    """
    first: list[str] = []
    for row, scores in found:
        if not first:
            first = list(scores)
        elif set(scores) != set(first):
            other = min(set(scores) ^ set(first))
            raise content.error(row, f"its labels differ from those of other answers (such as {other!r}); {advice}")
    if not first:
        message = f"{content.path} has no answer with scores; check the format"
        raise DataError(message)
    return first
