"""Formats in which other tools write predictions: one module per tool, and detection of a file's format.

A format turns a file into an `AnswerTable`: one row per image, with the scores or decisions of each label in columns, a status
where there is no answer, and whatever else the file says about the image (its name, true label, attributes). Formats are
registered as entry points of the group ``fairfer.prediction_formats``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fairfer import plugins
from fairfer.datasets.prediction_formats.content import Content, may_be_answers, read_content
from fairfer.errors import DataError, UsageError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

GROUP = "fairfer.prediction_formats"
"""Entry-point group of formats."""


@dataclass(frozen=True)
class AnswerTable:
    """Answers of a tool.

    Attributes
    ----------
    frame
        One row per image. Columns: ``image`` (its name, if the file has names), ``status``, ``detail``, those named by the
        other attributes, and all other values of the file that are single values.
    emotions
        Columns of the scores of exclusive labels, 0 to 1, by label as the tool spells it.
    action_units
        Columns of the independent scores of labels, 0 to 1, by label.
    decisions
        Columns of 1 and 0, by label.
    notes
        What a reader has to know: which face was used, what was left out.
    """

    frame: pd.DataFrame
    emotions: Mapping[str, str] = field(default_factory=dict)
    action_units: Mapping[str, str] = field(default_factory=dict)
    decisions: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PredictionFormat:
    """How one tool writes its answers.

    Attributes
    ----------
    name
        Name for ``--format``.
    description
        What the file is, in a few words.
    matches
        Whether a file certainly has this format.
    read
        The answers. It raises a `DataError` of one line that names the row and the key.
    """

    name: str
    description: str
    matches: Callable[[Content], bool]
    read: Callable[[Content], AnswerTable]


def formats() -> dict[str, PredictionFormat]:
    """The installed formats by name, in alphabetical order.

    Raises
    ------
    PluginError
        If an installed package registers a format that cannot be imported, or two register the same name.
    """
    return {name: plugins.load(point, "prediction format") for name, point in plugins.registered(GROUP).items()}


def detect(path: Path) -> PredictionFormat | None:
    """The format of a file, if it is certain.

    Raises
    ------
    DataError
        If the file has several of them.
    """
    if not may_be_answers(path):
        return None
    content = read_content(path, quiet=True)
    if content is None:
        return None
    matching = [f for f in formats().values() if f.matches(content)]
    if len(matching) > 1:
        message = f"{path} could be {' or '.join(f.name for f in matching)}; name its format with --format"
        raise DataError(message)
    return matching[0] if matching else None


def read_answers(path: Path, name: str | None) -> tuple[AnswerTable, str]:
    """Read a file in a format.

    Parameters
    ----------
    path
        The file.
    name
        Name of its format; found by its content if it is ``None``.

    Returns
    -------
    answers, name

    Raises
    ------
    UsageError
        If there is no such format.
    DataError
        If the file does not have the format.
    """
    known = formats()
    if name is not None and name not in known:
        message = f"--format {name!r} does not exist; {did_you_mean(name, known)}"
        raise UsageError(message)
    chosen = known[name] if name is not None else detect(path)
    content = read_content(path)
    if chosen is None:
        described = "; ".join(f"{f.name}: {f.description}" for f in known.values())
        message = f"{path} has no format that fairfer knows ({described}); name it with --format, or write a table"
        raise DataError(message)
    return chosen.read(content), chosen.name
