"""Predictions in a table, from the columns that `fairfer.datasets.prediction_search` finds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fairfer.datasets.binary_columns import to_binary
from fairfer.datasets.dataset import RecordedPredictions, digest_lines
from fairfer.datasets.label_columns import (
    TRUTH,
    Truth,
    as_text,
    code_names,
    holds_codes,
    label_space,
    parse_labels,
    to_labels,
)
from fairfer.datasets.missing_values import is_missing_word
from fairfer.datasets.tables import SourceTable, list_some
from fairfer.errors import DataError, LabelError, UsageError
from fairfer.labels import LabelSpace, canonical, fold
from fairfer.vocabulary import PREDICTED_PREFIX, SCORE_PREFIX, STATUSES, Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairfer.datasets.prediction_search import PredictionColumns

_NO_ANSWER = frozenset(fold(s) for s in STATUSES if s != "ok")
"""Words for a refusal, which are no answer of a model, as those for a missing value, unless it is said to have such a class."""

_ROUNDED = 0.01
"""Largest deviation from 1 of a sum of probabilities that are written with few digits."""


def _numbered(columns: Mapping[str, str], labels: LabelSpace) -> dict[str, str]:
    """Columns LABEL_0, LABEL_1, … by the label with that code; empty if they are named otherwise."""
    names = code_names(labels)
    codes = {s: int(s.rpartition("_")[2]) for s in columns if re.fullmatch(r"(LABEL_)?\d+", s)}
    if len(codes) < len(columns) or sorted(codes.values()) != sorted(names):
        return {}
    return {names[code]: columns[s] for s, code in sorted(codes.items(), key=lambda item: item[1])}


def read_predictions(
    table: SourceTable, columns: PredictionColumns, truth: Truth, model_labels: str | None
) -> RecordedPredictions:
    """Read the predictions of a table.

    Parameters
    ----------
    table
        Rows with a true label, indexed by sample id.
    columns
        Where the predictions are.
    truth
        The true labels.
    model_labels
        The output classes of the model, separated by commas, if they are not all in the table.

    Raises
    ------
    DataError
        If a value is invalid, scores are incomplete or contradict the predicted label, or no row has a prediction.
    UsageError
        If `model_labels` is given for one column per label.
    """
    if columns.single is None and truth.task == "multi-label":
        if model_labels:
            message = f"--model-labels: the labels of {table.source} are those of its columns, one per label; remove the option"
            raise UsageError(message)
        return _multi_label(table, columns)
    recorded = _single_label(table, columns, truth, model_labels)
    _check_common_labels(table, columns, truth, recorded)
    _check_copy(table, columns, truth, recorded)
    if columns.scores:
        _check_scored_answers(table, columns, truth.labels, recorded, model_labels)
    return recorded


def _check_common_labels(table: SourceTable, columns: PredictionColumns, truth: Truth, recorded: RecordedPredictions) -> None:
    """Refuse predictions none of which is a true label, such as 1 and 0 where the truth is True and False."""
    predicted = recorded.frame["predicted"].dropna().unique()
    if columns.single is None or any(p in truth.labels for p in predicted):
        return
    if all(canonical(n) for n in (*predicted, *truth.labels.labels)):
        return  # emotions are recognized in every spelling: the model is wrong, not the table
    advice = "spell them alike, or rename them with --map"
    if truth.task == "multi-label":
        advice = "name one column per label with --predicted 'pred_*'"
    elif all(re.fullmatch(r"(LABEL_)?-?\d+", str(n)) for n in truth.labels.labels):
        advice = "if the true labels are codes, name the labels in the order of the codes with --labels neutral,happiness,…"
    elif all(re.fullmatch(r"(LABEL_)?-?\d+", str(p)) for p in predicted):
        advice = "if they are codes, name the labels in the order of the codes with --model-labels neutral,happiness,…"
    message = (
        f"{table.column(columns.single)}: no predicted label ({list_some(sorted(predicted))}) is a true label "
        f"({list_some(truth.labels.labels)}); {advice}"
    )
    raise DataError(message)


def _check_copy(table: SourceTable, columns: PredictionColumns, truth: Truth, recorded: RecordedPredictions) -> None:
    """Refuse predictions that equal the truth in every row, in a column with a name of true labels, such as ``emotion``."""
    if columns.single is None or fold(columns.single) not in {fold(n) for n in TRUTH} or truth.task != "single-label":
        return
    if bool((recorded.frame["predicted"] == truth.columns["label"]).all()):
        message = (
            f"{table.column(columns.single)}: the predicted labels are the true labels in every row; name the column of "
            "predictions with --predicted"
        )
        raise DataError(message)


def _single_label(
    table: SourceTable, columns: PredictionColumns, truth: Truth, model_labels: str | None
) -> RecordedPredictions:
    scores: _Scores | None = None
    if columns.scores:
        scores = _Scores.read(table, _label_scores(table, columns, model_labels))
    if columns.single is not None:
        values = table.frame[columns.single]
        labels = _predicted_labels(table, values, truth, model_labels)
        predicted = to_labels(values, labels, table.column(columns.single))
        if scores is not None:
            _check_agreement(table, predicted, scores)
            labels = scores.labels  # an empty cell is a refusal, whatever the scores
    elif scores is not None:
        labels, predicted = scores.labels, scores.highest()
    status = _status(table, predicted.notna())
    return _recorded(table, columns.name, labels, "single-label", status, predicted.to_frame("predicted"), scores)


def _label_scores(table: SourceTable, columns: PredictionColumns, model_labels: str | None) -> dict[str, str]:
    """The columns of scores of the labels that ``--model-labels`` lists; all columns without it."""
    if model_labels:
        space = parse_labels(model_labels, "--model-labels")
        if numbered := _numbered(columns.scores, space):
            return numbered
        stated = {canonical(n) or fold(n) for n in space.labels}
        chosen = {s: c for s, c in columns.scores.items() if (canonical(s) or fold(s)) in stated}
        if len(chosen) < len(stated):
            message = (
                f"--model-labels {model_labels}: {table.source} has columns of scores only for {list_some(columns.scores)}; "
                "name the labels as the columns do"
            )
            raise UsageError(message)
        return chosen
    return dict(columns.scores)


def _check_scored_answers(
    table: SourceTable, columns: PredictionColumns, truth: LabelSpace, recorded: RecordedPredictions, model_labels: str | None
) -> None:
    """Refuse answers that stem from a column such as ``score_quality``: no true label, no emotion, and no probability.

    Probabilities of all output classes sum to 1, so that a class that the data lack is recognized.
    """
    if model_labels or columns.complete:
        return
    answers = set(recorded.frame["predicted"].dropna())
    other = [s for s in columns.scores if canonical(s) is None and s not in truth and recorded.labels.canonical(s) in answers]
    if not other:
        return
    scores = recorded.frame[[f"{SCORE_PREFIX}{n}" for n in recorded.labels.labels]].dropna().to_numpy(np.float64)
    if np.allclose(scores.sum(axis=1), 1, atol=_ROUNDED):
        return
    message = (
        f"{table.column(columns.scores[other[0]])}: {other[0]!r} is not a true label; if it is an output class of the model, "
        "list all of them with --model-labels, else rename the column"
    )
    raise DataError(message)


def _multi_label(table: SourceTable, columns: PredictionColumns) -> RecordedPredictions:
    scores = _Scores.read(table, columns.scores) if columns.scores else None
    answers = pd.DataFrame(index=table.frame.index)
    if columns.multi:
        labels = LabelSpace.of(f"columns {columns.name} of {table.name}", columns.multi)
        for label, column in zip(labels.labels, columns.multi.values(), strict=True):
            answers[f"{PREDICTED_PREFIX}{label}"] = to_binary(table.frame[column], table.column(column))
        answered = answers.notna().all(axis=1)
        if scores is not None and (differing := set(labels.labels) ^ set(scores.labels.labels)):
            message = f"{table.source}: {min(differing)!r} has a column of predictions or of scores but not both; add the other"
            raise DataError(message)
    elif scores is not None:
        labels, answered = scores.labels, scores.present
    status = _status(table, answered)
    return _recorded(table, columns.name, labels, "multi-label", status, answers, scores)


def _recorded(
    table: SourceTable,
    name: str,
    labels: LabelSpace,
    task: Task,
    status: pd.Series,
    answers: pd.DataFrame,
    scores: _Scores | None,
) -> RecordedPredictions:
    detail = _detail(table, status, answers)
    answers = answers.where(status == "ok")
    parts = [status.rename("status").to_frame(), answers, detail.rename("detail").to_frame()]
    if scores is not None:
        parts.append(scores.frame.where(status == "ok"))
    frame = pd.concat(parts, axis=1)
    rows = pd.util.hash_pandas_object(frame, index=True).to_numpy()
    version = digest_lines([",".join(labels.labels), rows.tobytes().hex()])[:12]
    return RecordedPredictions(name, labels, frame, version, task)


@dataclass(frozen=True)
class _Scores:
    """Scores of a table: ``score:LABEL`` columns, indexed by sample id, and which rows have them."""

    labels: LabelSpace
    frame: pd.DataFrame
    present: pd.Series

    @classmethod
    def read(cls, table: SourceTable, columns: Mapping[str, str]) -> _Scores:
        labels = LabelSpace.of(f"score columns of {table.name}", columns)
        names = [f"{SCORE_PREFIX}{n}" for n in labels.labels]
        scores = {n: _numbers(table, c) for n, c in zip(names, columns.values(), strict=True)}
        frame = pd.DataFrame(scores, index=table.frame.index)
        missing = frame.isna()
        partly = missing.any(axis=1) & ~missing.all(axis=1)
        if partly.any():
            row = frame.index[partly][0]
            message = f"{table.source}, row {row!r}: some scores are missing; give all scores of a row or none"
            raise DataError(message)
        return cls(labels, frame, ~missing.all(axis=1))

    def values(self) -> NDArray[np.float64]:
        """(n, labels) scores, minus infinity where there are none."""
        return self.frame.fillna(-np.inf).to_numpy(np.float64)

    def highest(self) -> pd.Series:
        """The label with the highest score, the first of several; missing where there are no scores."""
        best = np.array(self.labels.labels, dtype=object)[self.values().argmax(axis=1)]
        return pd.Series(best, index=self.frame.index, dtype="str").where(self.present)


def _check_agreement(table: SourceTable, predicted: pd.Series, scores: _Scores) -> None:
    """Refuse a predicted label that does not have the highest score. Where several have it, any of them may be predicted."""
    values, highest = scores.values(), scores.highest()
    has_highest = values == values.max(axis=1, keepdims=True)
    agrees = np.zeros(len(predicted), bool)
    for i, label in enumerate(scores.labels.labels):
        agrees |= (predicted == label).to_numpy() & has_highest[:, i]
    differing = predicted.notna() & ~agrees
    if differing.any():
        row = predicted.index[differing][0]
        label = predicted[row]
        problem = f"but {highest[row]} has the highest score" if label in scores.labels else "which has no column of scores"
        message = (
            f"{table.source}, row {row!r}: the predicted label is {label}, {problem} ({int(differing.sum()):,} such rows); "
            "give only the predicted labels or only the scores"
        )
        raise DataError(message)


def _predicted_labels(table: SourceTable, values: pd.Series, true: Truth, model_labels: str | None) -> LabelSpace:
    """The output classes of the model: those stated, else the true labels and all others that were predicted."""
    name = f"labels in {table.name}"
    if model_labels:
        return parse_labels(model_labels, "--model-labels", name)
    truth = true.labels
    if true.stated and holds_codes(values, truth):
        return truth

    def is_new(value: str) -> bool:
        try:
            truth.canonical(value)
        except LabelError:
            return True
        return False

    more: tuple[str, ...] = ()
    if any(is_new(v) for v in as_text(values).dropna().unique()):
        _check_words(table, values, truth)
        own = label_space(None, values.dropna(), table.column(str(values.name)), "--model-labels")
        more = tuple(n for n in own.labels if is_new(n))
    return LabelSpace(name, (*truth.labels, *more), (*truth.spellings, *more))


def _check_words(table: SourceTable, values: pd.Series, truth: LabelSpace) -> None:
    """Refuse words for a missing value as answers: a refusal would be a label."""
    words = as_text(values).dropna()
    refusals = {w for w in words.unique() if is_missing_word(w) or fold(w) in _NO_ANSWER}
    missing = words[words.isin(refusals) & ~words.map(fold).isin([fold(n) for n in truth.labels])]
    if len(missing):
        message = (
            f"{table.column(str(values.name))}, row {missing.index[0]!r}: {missing.iloc[0].strip()!r} is not a label; leave "
            "the cell empty where there is no prediction, or list the model's output classes with --model-labels"
        )
        raise DataError(message)


def _numbers(table: SourceTable, column: str) -> pd.Series:
    """Scores as float32."""
    values = table.frame[column]
    numbers = pd.to_numeric(values, errors="coerce")
    wrong = (numbers.isna() & values.notna()) | np.isinf(numbers)
    if wrong.any():
        row = values.index[wrong][0]
        message = (
            f"{table.column(column)}, row {row!r}: the score {str(values[row])!r} is not a finite number; "
            "correct it, or empty all scores of the row"
        )
        raise DataError(message)
    return numbers.astype("float32")


def _status(table: SourceTable, answered: pd.Series) -> pd.Series:
    """Status of each row: that of the column ``status``, else ``ok`` where there is a prediction and ``error`` where not."""
    frame = table.frame
    status = pd.Series(np.where(answered, "ok", "error"), index=frame.index, dtype="str")
    if "status" in frame.columns:
        status = frame["status"].astype("str").where(frame["status"].notna(), status)
        unknown = ~status.isin(STATUSES)
        if unknown.any():
            row = status.index[unknown][0]
            message = f"{table.source}, row {row!r}: {status[row]!r} is not a status; write one of {', '.join(STATUSES)}"
            raise DataError(message)
        contradictory = (status == "ok") & ~answered
        if contradictory.any():
            row = status.index[contradictory][0]
            message = f"{table.source}, row {row!r}: the status is ok but there is no prediction; add one, or change the status"
            raise DataError(message)
    if not (status == "ok").any():
        message = f"{table.source} has no prediction in any row; fill in the columns of predictions, or name others"
        raise DataError(message)
    return status


def _detail(table: SourceTable, status: pd.Series, answers: pd.DataFrame) -> pd.Series:
    """Explanation of each row: that of the column ``detail``, else what is missing where the status is not ``ok``."""
    frame = table.frame
    if "detail" in frame.columns:
        detail = frame["detail"].fillna("").astype("str")
    else:
        detail = pd.Series("", index=frame.index, dtype="str")
    unexplained = (status != "ok") & (detail == "")
    detail = detail.mask(unexplained, "no prediction in the table")
    partly = unexplained & answers.notna().any(axis=1) & answers.isna().any(axis=1)
    labels = np.array([str(c).removeprefix(PREDICTED_PREFIX) for c in answers.columns])
    for row in answers.index[partly]:
        detail[row] = f"no prediction of {', '.join(labels[answers.loc[row].isna().to_numpy()])} in the table"
    return detail
