"""Predictions in the file of another tool, called answers here: read them and join them with a dataset by image name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pandas as pd

from fairfer.datasets.dataset import Dataset, Step
from fairfer.datasets.demographics import KEYS
from fairfer.datasets.label_columns import Truth, as_text
from fairfer.datasets.loaders.folder import SPLITS
from fairfer.datasets.prediction_columns import read_predictions
from fairfer.datasets.prediction_formats import AnswerTable, detect, read_answers
from fairfer.datasets.prediction_formats.content import JSON
from fairfer.datasets.prediction_search import PredictionColumns, apply_map, find_predictions
from fairfer.datasets.tables import SourceTable, find_column, from_frame, list_some, read_table
from fairfer.errors import DataError, UsageError
from fairfer.labels import SPACES

if TYPE_CHECKING:
    from fairfer.vocabulary import Task


@dataclass(frozen=True)
class Answers:
    """Answers of a tool, as a table.

    Attributes
    ----------
    table
        One row per image.
    columns
        Where the predictions are, for each task that the tool has answers for.
    format
        Name of the tool's format.
    notes
        What a reader has to know.
    """

    table: SourceTable
    columns: Mapping[Task, PredictionColumns]
    format: str
    notes: tuple[str, ...]

    def columns_for(self, task: Task) -> PredictionColumns:
        """The columns for a task.

        Raises
        ------
        UsageError
            If the tool has no answers for it.
        """
        if task in self.columns:
            return self.columns[task]
        has = "one label per face" if task == "multi-label" else "action units"
        wants = "several labels per face" if task == "multi-label" else "one label per face"
        message = (
            f"{self.table.source} has {has} ({self.format}), but the true labels are {wants}; name them with --truth (a "
            "pattern such as 'truth_*' for one column per label)"
        )
        raise UsageError(message)


def tool_answers(path: Path, name: str | None, *, stated: bool) -> Answers | None:
    """The answers in a file of a tool; ``None`` for a table with columns of predictions.

    Parameters
    ----------
    path
        The file.
    name
        Name of its format (``--format``); found by the content if it is ``None``.
    stated
        Whether the user named columns of predictions: then only `name` makes it a file of a tool.

    Raises
    ------
    DataError, UsageError
        See `fairfer.datasets.prediction_formats.read_answers`.
    """
    if name is None and (stated or (path.suffix.lower() != JSON and detect(path) is None)):
        return None
    answers, chosen = read_answers(path, name)
    return Answers(SourceTable(from_frame(answers.frame).frame, path), _columns(answers, chosen), chosen, answers.notes)


def _columns(answers: AnswerTable, name: str) -> dict[Task, PredictionColumns]:
    columns: dict[Task, PredictionColumns] = {}
    if answers.emotions:
        columns["single-label"] = PredictionColumns(None, {}, dict(answers.emotions), name, complete=True)
    if answers.decisions:
        columns["multi-label"] = PredictionColumns(None, dict(answers.decisions), {}, name, complete=True)
    elif answers.action_units:
        columns["multi-label"] = PredictionColumns(None, {}, dict(answers.action_units), name, complete=True)
    return columns


@dataclass(frozen=True)
class AnswerOptions:
    """How a file of answers is read.

    Attributes
    ----------
    format
        Name of the tool's format.
    map
        Labels of the predictions that are renamed.
    predicted, scores, sample_id, model_labels
        As of `fairfer.datasets.loaders.table.load`.
    """

    format: str | None = None
    map: Mapping[str, str] = field(default_factory=dict)
    predicted: str | None = None
    scores: str | None = None
    sample_id: str | None = None
    model_labels: str | None = None


def join_answers(dataset: Dataset, path: Path, options: AnswerOptions) -> Dataset:
    """Add the answers in a file to a dataset, so that no model runs.

    Answers and images are matched by their full names; if no full names are equal, by the end of the path, by file name; and
    otherwise by file name without suffix.

    Parameters
    ----------
    dataset
        True labels and attributes.
    path
        A table with predictions, or a file of another tool (`fairfer.datasets.prediction_formats`).
    options
        How the file is read.

    Raises
    ------
    DataError
        If no answer belongs to an image, two belong to one, or a value is invalid.
    UsageError
        If a column or label does not exist.
    """
    if dataset.recorded is not None:
        message = f"{dataset.name} has predictions of its own; give a dataset without predictions, or leave --predictions out"
        raise UsageError(message)
    sample_id = options.sample_id
    answers = tool_answers(path, options.format, stated=bool(options.predicted or options.scores))
    table = read_table(path, text=(*KEYS, *([sample_id] if sample_id else []))) if answers is None else answers.table
    joined, step = _joined(dataset, table, sample_id)
    truth = _truth(dataset)
    if answers is None:
        columns = find_predictions(joined, options.predicted, options.scores, truth, {})
    else:
        columns = answers.columns_for(dataset.task)
    joined, columns = apply_map(joined, columns, options.map)
    recorded = read_predictions(joined, columns, truth, options.model_labels)
    notes = () if answers is None else tuple(Step(note) for note in answers.notes)
    card = {**dataset.card, "predictions": path.name, **({} if answers is None else {"format": answers.format})}
    return dataset.replace(recorded=recorded, steps=(*dataset.steps, step, *notes), card=card)


def _truth(dataset: Dataset) -> Truth:
    names = ["label"] if dataset.task == "single-label" else [c for c in dataset.samples if str(c).startswith("truth:")]
    return Truth(dataset.task, dataset.labels, dataset.samples[names], stated=dataset.labels in SPACES.values())


def _ways_to_match(ids: pd.Index) -> dict[str, Callable[[str], str]]:
    """What two names have in common that mean the same image, in the order in which it is tried.

    Tools write the whole path of an image. If all ids lie equally deep (``SN001/00001.png``), the end of the path as deep as
    these is compared before the name of the file alone, which images of several subjects share.
    """
    depths = {len(_path(str(name)).parts) for name in ids}
    depth = depths.pop() if len(depths) == 1 else 1
    ends: dict[str, Callable[[str], str]] = {}
    if depth > 1:
        ends["end of the path"] = lambda name: "/".join(_path(name).parts[-depth:])
    return {
        "name": lambda name: name,
        **ends,
        "file name": lambda name: _path(name).name,
        "file name without suffix": lambda name: _path(name).stem,
    }


def _path(name: str) -> PurePosixPath:
    return PurePosixPath(name.replace("\\", "/"))


def _stated_split(name: str) -> str | None:
    """The split that the folders of a name state, such as ``val`` in ``val_set/images/0.jpg``; the innermost of several."""
    folders = PurePosixPath(name.replace("\\", "/")).parts[:-1]
    words = [re.split(r"[-_. ]", folder.casefold())[0] for folder in reversed(folders)]
    return next((SPLITS[w] for w in words if w in SPLITS), None)


def _check_split(table: SourceTable, names: pd.Series, key: Callable[[str], str], theirs: Mapping[str, str]) -> None:
    """Refuse answers to images of one split for those of another, which have the same file names.

    Raises
    ------
    DataError
        If the folders in both names state a split, and not the same.
    """
    for name in names:
        own, other = _stated_split(name), _stated_split(theirs[key(name)])
        if own and other and own != other:
            message = (
                f"{table.source}: {name!r} is of another split than {theirs[key(name)]!r} of the dataset; choose the split "
                "with --split, or give the answers to its images"
            )
            raise DataError(message)


def _joined(dataset: Dataset, table: SourceTable, sample_id: str | None) -> tuple[SourceTable, Step]:
    """The rows of a table in the order of the samples, missing where there is none."""
    column = find_column(table, sample_id, KEYS, "the names of the images; name the column with --sample-id")
    if column is None:
        message = f"{table.source} has no names of images; add them as {KEYS[0]!r}, or name their column with --sample-id"
        raise DataError(message)
    names = as_text(table.frame[column]).str.strip()
    missing = names.isna().to_numpy()
    if missing.any():
        message = f"{table.column(column)}, row {table.row(int(missing.argmax()))}: the name of the image is empty; fill it in"
        raise DataError(message)
    ids = pd.Index(dataset.samples.index)
    for how, key in _ways_to_match(ids).items():
        own = names.map(key)
        theirs = pd.Series(ids.map(key))
        matching = own.isin(set(theirs))
        if not matching.any():
            continue
        for what, values in (("answers", own[matching]), ("images of the dataset", theirs[theirs.isin(set(own))])):
            if values.duplicated().any():
                name = values[values.duplicated()].iloc[0]
                message = (
                    f"{table.source}: {name!r} stands for several {what} (matched by {how}); give each image one answer, under "
                    f"its name in the dataset (such as {ids[0]!r})"
                )
                raise DataError(message)
        if how not in ("name", "end of the path"):
            _check_split(table, names[matching], key, {k: str(i) for k, i in zip(theirs, ids, strict=True)})
        frame = table.frame[matching.to_numpy()].set_axis(pd.Index(own[matching]), axis=0)
        frame = frame.reindex(theirs).set_axis(ids, axis=0)
        others = int((~matching).sum())
        text = f"answers in {table.name}, matched by {how}: {int(matching.sum()):,} of {len(ids):,} images have one"
        return SourceTable(frame, table.path), Step(text + (f"; {others:,} of other images are not used" if others else ""))
    message = (
        f"{table.source}: no answer belongs to an image of {dataset.name}: names there are such as "
        f"{list_some(names[:2])}, in the dataset {list_some(ids[:2])}; name the column with --sample-id, or correct the names"
    )
    raise DataError(message)
