"""A table with true labels, predictions and groups, one row per sample; no images.

::

    id,label,predicted,gender
    1,happiness,happiness,female
    2,anger,,male

A row without a prediction is kept with the status ``error``. Instead of a label, a row may have one score per label, in
columns that start with ``score`` (``score_happy``, ``score:anger``) or match ``--scores``. Multi-label tables have one
column per label::

    id,truth_AU6,truth_AU12,pred_AU6,pred_AU12,gender
    1,1,1,0,1,female
    2,0,,0,0,male

and are read with ``--truth 'truth_*' --predicted 'pred_*'``. A table of action units needs no predictions if a model answers to
the images, which are in a folder::

    image,AU1,AU2,AU12,gender
    SN001/00001.png,0,9,1,female

is read with ``--truth 'AU*' --image-folder frames``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from fairfer.datasets.answers import Answers, tool_answers
from fairfer.datasets.binary_columns import Coding
from fairfer.datasets.dataset import Dataset, RecordedPredictions, Step
from fairfer.datasets.demographics import KEYS, read_attributes
from fairfer.datasets.images import FileImages
from fairfer.datasets.label_columns import TRUTH, Truth, as_text, multi_label_truth, single_label_truth
from fairfer.datasets.layout_files import check_images, is_outside
from fairfer.datasets.loaders import Loader
from fairfer.datasets.prediction_columns import read_predictions
from fairfer.datasets.prediction_formats.content import JSON
from fairfer.datasets.prediction_search import PREDICTED, PredictionColumns, apply_map, find_predictions
from fairfer.datasets.tables import (
    SUFFIXES,
    SourceTable,
    find_column,
    from_frame,
    is_pattern,
    list_some,
    match_columns,
    read_table,
)
from fairfer.datasets.vote_columns import Votes, add_plurality, read_votes, with_votes
from fairfer.errors import DataError, UsageError
from fairfer.labels import action_unit

if TYPE_CHECKING:
    from narwhals.typing import IntoDataFrame


def _matches(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in (*SUFFIXES, JSON)


def load(
    source: Path | IntoDataFrame,
    *,
    truth: str | None = None,
    predicted: str | None = None,
    scores: str | None = None,
    sample_id: str | None = None,
    labels: str | None = None,
    model_labels: str | None = None,
    format: str | None = None,
    map: Mapping[str, str] | None = None,
    votes: str | None = None,
    not_missing: Mapping[str, Sequence[str]] | None = None,
    au_threshold: float | None = None,
    unknown_codes: str | None = None,
    image_folder: str | None = None,
) -> Dataset:
    """Read a table of predictions, or with `image_folder` a table of true labels of images.

    A pattern has a star where the label stands: ``truth_*`` names the columns ``truth_happy``, ``truth_sad``, … with one column
    per label (1, 0, and 9, NA or empty for unknown). ``AU*`` names the columns of action units.

    Parameters
    ----------
    source
        A CSV, TSV, Parquet or JSON Lines file, or a data frame of pandas, polars or another library that narwhals supports.
    truth
        Column of true labels (by default ``label``, ``emotion``, …), or a pattern.
    predicted
        Column of predicted labels (by default ``predicted``, ``pred``, …), or a pattern if `truth` is one.
    scores
        Pattern or common beginning of the columns with one score per label (by default ``score``).
    sample_id
        Column of sample ids (by default ``id``, ``image``, …, else rows are numbered from 1).
    labels
        Label space: ``ferplus``, ``fer2013``, ``affectnet``, or a list separated by commas. By default the labels in the table.
    model_labels
        Output classes of the model, separated by commas; their order gives the codes 0, 1, … of a column of codes, or
        ``1=surprise,2=fear``. By default the labels of the truth and of the predictions.
    format
        The tool that wrote the file (see `fairfer.datasets.prediction_formats`). By default found by the content.
    map
        Labels of the predictions that are renamed, such as ``{"CALM": "neutral"}``.
    votes
        Pattern for columns of raters' votes or of a soft label, one per label (``votes_*``), or one column of JSON lists.
        Without a column of true labels, the label with the most votes is the true one.
    not_missing
        For each attribute the values that look like a word for a missing value and are none.
    au_threshold
        The columns of true labels are intensities of action units, 0 to 5; a unit is present from this one. Otherwise they are
        1 and 0.
    unknown_codes
        Codes in the columns of true labels that mean unknown, in addition to 9, separated by commas, such as ``-1,999``.
    image_folder
        Folder of the images that the ids name; a model answers to them, and the table has no predictions.

    Raises
    ------
    DataError
        If a value is not a label, an id occurs twice, or a score is not a number.
    UsageError
        If a column does not exist, or the table has neither predictions nor scores.
    """
    if image_folder is not None:
        _refuse_predictions(predicted=predicted, scores=scores, model_labels=model_labels, format=format, map=map)
        return load_truth(
            source,
            truth=truth,
            sample_id=sample_id,
            labels=labels,
            votes=votes,
            not_missing=not_missing,
            au_threshold=au_threshold,
            unknown_codes=unknown_codes,
            image_folder=image_folder,
        )
    coding = Coding.of(au_threshold, unknown_codes)
    answers = _answers(source, format, stated=bool(predicted or scores))
    text = (*KEYS, *([sample_id] if sample_id else []))
    if answers is not None:
        table = answers.table
    else:
        table = read_table(source, text=text) if isinstance(source, Path) else from_frame(source)
    table, id_column = _index_by_id(table, sample_id)
    rated = None if votes is None else read_votes(table, votes, labels)
    if rated is not None:
        table, truth = add_plurality(table, rated, truth)
    truth_columns = _truth_columns(table, truth)
    target = _read_truth(table, truth_columns, truth, labels, coding)
    if answers is None:
        columns = find_predictions(table, predicted, scores, target, truth_columns)
    else:
        columns = answers.columns_for(target.task)
    table, columns = apply_map(table, columns, map or {})
    labeled = SourceTable(table.frame.loc[target.columns.index], table.path)
    recorded = read_predictions(labeled, columns, target, model_labels)
    used = {*truth_columns.values(), *columns.all, id_column}
    used |= {c for other in answers.columns.values() for c in other.all} if answers is not None else set()
    read = _Read(table, target, used, rated, truth or next(iter(truth_columns.values())), coding)
    card = {"predicted": _predicted(columns), **({"format": answers.format} if answers else {})}
    return read.dataset(not_missing, recorded=recorded, notes=answers.notes if answers else (), card=card)


def load_truth(
    source: Path | IntoDataFrame,
    *,
    truth: str | None = None,
    sample_id: str | None = None,
    labels: str | None = None,
    votes: str | None = None,
    not_missing: Mapping[str, Sequence[str]] | None = None,
    au_threshold: float | None = None,
    unknown_codes: str | None = None,
    image_folder: str | None = None,
) -> Dataset:
    """Read a table with true labels whose predictions are in another file, or are those of a model that sees the images.

    Parameters
    ----------
    source
        A table file or a data frame, with the names of the images.
    truth, sample_id, labels, votes, not_missing, au_threshold, unknown_codes, image_folder
        As of `load`.

    Raises
    ------
    DataError, UsageError
        See `load`; also if the table has a column of predictions.
    """
    coding = Coding.of(au_threshold, unknown_codes)
    text = (*KEYS, *([sample_id] if sample_id else []))
    table, id_column = _index_by_id(
        read_table(source, text=text) if isinstance(source, Path) else from_frame(source), sample_id
    )
    if own := find_column(table, None, PREDICTED, ""):
        message = f"{table.column(own)}: the table has predictions of its own; leave --predictions out, or remove the column"
        raise UsageError(message)
    rated = None if votes is None else read_votes(table, votes, labels)
    if rated is not None:
        table, truth = add_plurality(table, rated, truth)
    columns = _truth_columns(table, truth)
    target = _read_truth(table, columns, truth, labels, coding)
    read = _Read(table, target, {*columns.values(), id_column}, rated, truth or next(iter(columns.values())), coding)
    images = None if image_folder is None else _images(table, id_column, target.columns.index, image_folder)
    return read.dataset(not_missing, images=images)


@dataclass(frozen=True)
class _Read:
    """What was read of a table.

    Attributes
    ----------
    table
        All rows.
    target
        True labels of the rows that have one.
    used
        Columns that are no attributes.
    rated
        Votes, if there are any.
    truth
        The column of true labels, or the pattern.
    coding
        How the cells of a pattern were read.
    """

    table: SourceTable
    target: Truth
    used: AbstractSet[str | None]
    rated: Votes | None
    truth: str
    coding: Coding

    def dataset(
        self,
        not_missing: Mapping[str, Sequence[str]] | None,
        *,
        recorded: RecordedPredictions | None = None,
        images: FileImages | None = None,
        notes: Sequence[str] = (),
        card: Mapping[str, str] | None = None,
    ) -> Dataset:
        """The rows with a true label; all columns that are not used are attributes."""
        table, target, rated = self.table, self.target, self.rated
        labeled = table.frame.loc[target.columns.index]
        # A column "label" that is not the truth is not read.
        used = {*self.used, "label", *(rated.used if rated is not None else ())}
        others = [str(c) for c in labeled.columns if c not in used]
        groups = read_attributes(SourceTable(labeled[others], table.path), others, not_missing)
        dataset = Dataset(
            name=table.name if table.path is None else table.path.stem,
            labels=target.labels,
            samples=target.columns.join(groups.frame),
            attributes=groups.attributes,
            refused=groups.refused,
            images=images,
            steps=(*_row_steps(table, len(table.frame) - len(labeled)), *map(Step, notes)),
            card={"layout": "table", "source": table.name, "truth": self.truth, **(card or {}), **self.coding.describe()},
            recorded=recorded,
            task=target.task,
        )
        return dataset if rated is None else with_votes(dataset, rated, self.truth)


def _refuse_predictions(**options: object) -> None:
    """Refuse options of predictions beside a folder of images, to which a model answers."""
    given = next((name for name, value in options.items() if value), None)
    if given is not None:
        flag = "--" + given.replace("_", "-")
        message = (
            f"--image-folder is for images that a model answers to, {flag} for predictions in the table; remove one, or give "
            "the predictions in a file of their own with --predictions"
        )
        raise UsageError(message)


def _images(table: SourceTable, id_column: str | None, ids: pd.Index, image_folder: str) -> FileImages:
    """The images that the ids name."""
    if id_column is None:
        message = f"{table.source} has no column that names the images; call it {KEYS[0]!r}, or name it with --sample-id"
        raise DataError(message)
    folder = Path(image_folder).expanduser()
    if not folder.is_dir():
        message = f"--image-folder {image_folder} is not a folder; give the folder of the images"
        raise DataError(message)
    if outside := next((name for name in ids if is_outside(name)), None):
        message = f"{table.column(id_column)}: {outside!r} is outside of --image-folder; give paths below the folder"
        raise DataError(message)
    check_images(folder, ids, table.name)
    return FileImages(folder, {name: name for name in ids})


def _row_steps(table: SourceTable, unlabeled: int) -> tuple[Step, ...]:
    rows = Step(f"rows in {table.name}: {len(table.frame):,}")
    return (rows, Step("rows without a true label", unlabeled, unlabeled=True)) if unlabeled else (rows,)


def _answers(source: Path | IntoDataFrame, name: str | None, *, stated: bool) -> Answers | None:
    """The answers of a tool, if the source is its file."""
    if isinstance(source, Path):
        return tool_answers(source, name, stated=stated)
    if name is not None:
        message = f"--format {name} is for files, not for a data frame; remove it"
        raise UsageError(message)
    return None


def _index_by_id(table: SourceTable, requested: str | None) -> tuple[SourceTable, str | None]:
    """The table indexed by sample id, and the column of ids if there is one."""
    column = find_column(table, requested, KEYS, "the sample ids; name the column with --sample-id")
    frame = table.frame
    ids = pd.Series(range(1, len(frame) + 1)) if column is None else frame[column]
    missing = ids.isna().to_numpy()
    if missing.any():
        message = f"{table.column(str(column))}, row {table.row(int(missing.argmax()))}: the id is empty; give every row an id"
        raise DataError(message)
    index = pd.Index(as_text(ids), name="sample_id", dtype="str")
    if index.has_duplicates:
        message = (
            f"{table.column(str(column))}: the id {index[index.duplicated()][0]!r} occurs more than once; make each id "
            "unique, name another column with --sample-id, or rename this one"
        )
        raise DataError(message)
    return SourceTable(frame.set_axis(index, axis=0), table.path), column


def _truth_columns(table: SourceTable, requested: str | None) -> dict[str, str]:
    """Columns of true labels by label; a single column stands under its own name."""
    if requested is not None and is_pattern(table, requested):
        return match_columns(table, requested, "--truth")
    column = find_column(table, requested, TRUTH, "the true labels; name the column with --truth")
    if column is None:
        pattern = "AU*" if any(action_unit(c) for c in table.columns) else "truth_*"
        message = (
            f"{table.source} has no column called {list_some(TRUTH)}; name the column of true labels with --truth, "
            f"or one column per label with a pattern such as --truth {pattern!r}"
        )
        raise UsageError(message)
    return {column: column}


def _read_truth(
    table: SourceTable, columns: Mapping[str, str], requested: str | None, labels: str | None, coding: Coding
) -> Truth:
    if is_pattern(table, requested):
        return multi_label_truth(table.frame, columns, labels, table.source, coding)
    coding.refuse_single_label()
    [column] = columns.values()
    return single_label_truth(table.frame[column], labels, table.column(column))


def _predicted(columns: PredictionColumns) -> str:
    """Where the predictions are, for the report."""
    if columns.single is None and not columns.multi:
        return f"{'scores in' if '*' in columns.name else 'highest of'} {', '.join(columns.scores.values())}"
    return columns.name


LOADER = Loader(
    "table",
    "a CSV, Parquet or JSON Lines table with true labels, predictions and groups, or the answers of a tool (--format)",
    _matches,
    load,
)
