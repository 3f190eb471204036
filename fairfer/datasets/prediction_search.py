"""Which columns of a table hold predictions, and labels of predictions that are renamed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from fairfer.datasets.label_columns import TRUTH, Truth, as_text
from fairfer.datasets.tables import SourceTable, find_column, is_pattern, list_some, match_columns
from fairfer.errors import UsageError, did_you_mean
from fairfer.labels import SPACES, canonical, fold

PREDICTED = ("predicted", "prediction", "pred", "y_pred")
"""Names of the column of predicted labels that are tried if none is given."""

_SCORES = "score*"
_HIGHEST = "the highest score"


@dataclass(frozen=True)
class PredictionColumns:
    """Which columns of a table hold predictions.

    Attributes
    ----------
    single
        The column of predicted labels, if there is one.
    multi
        The columns of decisions, by the label as it is spelled there; empty if there are none.
    scores
        The columns of scores, likewise.
    name
        Name of the predictions: the column or pattern they come from.
    complete
        Whether every label of `scores` is known to be an output class of the model, and not a column that is named alike.
    """

    single: str | None
    multi: Mapping[str, str]
    scores: Mapping[str, str]
    name: str
    complete: bool = False

    @property
    def all(self) -> set[str]:
        """Every column that holds predictions, or says why there is none."""
        single = set() if self.single is None else {self.single}
        return {"status", "detail", *single, *self.multi.values(), *self.scores.values()}


def find_predictions(
    table: SourceTable, predicted: str | None, scores: str | None, truth: Truth, truth_columns: Mapping[str, str]
) -> PredictionColumns:
    """Find the columns of predictions.

    Parameters
    ----------
    table
        The whole table.
    predicted
        The column of predicted labels, or a pattern for one column per label.
    scores
        A pattern for one column of scores per label, or how their names begin.
    truth, truth_columns
        The true labels, and their columns by label as it is spelled in the table.

    Raises
    ------
    UsageError
        If a column does not exist, there are no predictions, a column is both truth and prediction, or single-label truth has
        one column of predictions per label.
    DataError
        If two columns have the same label.
    """
    single, multi = None, dict[str, str]()
    if predicted is not None and is_pattern(table, predicted):
        if truth.task == "single-label":
            message = (
                f"{table.source}: --predicted {predicted!r} names one column per label, but the truth is one column, "
                f"{next(iter(truth_columns.values()))!r}; give one column of predicted labels, or --scores"
            )
            raise UsageError(message)
        multi = match_columns(table, predicted, "--predicted")
    else:
        single = find_column(table, predicted, PREDICTED, "the predicted label; name it with --predicted")
    score_columns = _find_scores(table, scores, predicted, truth)
    if single is None and not multi and not score_columns:
        message = (
            f"{table.source} has no column called {list_some(PREDICTED)} and no scores; name them with --predicted or --scores"
        )
        raise UsageError(message)
    if single is not None and fold(single) in map(fold, TRUTH) and any(fold(c) in map(fold, PREDICTED) for c in truth_columns):
        true = next(iter(truth_columns.values()))
        message = (
            f"{table.source}: --truth is the column {true!r} and --predicted the column {single!r}; exchange them, or rename "
            "the columns"
        )
        raise UsageError(message)
    columns = [*truth_columns.values(), *([single] if single else []), *multi.values(), *score_columns.values()]
    if shared := [c for c in columns if columns.count(c) > 1]:
        message = (
            f"{table.source}: the column {shared[0]!r} matches several of --truth, --predicted and --scores; name each exactly"
        )
        raise UsageError(message)
    if single is not None or multi:
        name = predicted or str(single)
    else:
        name = _score_pattern(table, scores) if truth.task == "multi-label" else _HIGHEST
    return PredictionColumns(single, multi, score_columns, name)


def _find_scores(table: SourceTable, requested: str | None, predicted: str | None, truth: Truth) -> dict[str, str]:
    """Columns of scores by label. If none are requested, they count only if one of them is named like a label."""
    if requested is not None:
        if not requested.strip():
            message = "--scores is empty; name the columns of scores, as in --scores 'score_*' or --scores happiness,sadness"
            raise UsageError(message)
        if "," in requested:
            return _listed(table, requested)
        return match_columns(table, _score_pattern(table, requested), "--scores")
    if predicted is None and (bare := _bare_scores(table, truth)):
        return bare
    if predicted is not None or not any(c.startswith(_SCORES[:-1]) and c not in ("score", "scores") for c in table.columns):
        return {}
    names = {fold(n) for n in (*truth.labels.labels, *truth.labels.spellings)}
    columns = match_columns(table, _SCORES, "--scores")
    return columns if any(canonical(s) or fold(s) in names for s in columns) else {}  # score_quality is not a label's score


def _listed(table: SourceTable, requested: str) -> dict[str, str]:
    """Columns of scores that are named one by one."""
    columns = [name.strip() for name in requested.split(",") if name.strip()]
    for column in columns:
        find_column(table, column, (), "scores; name the columns with --scores")
    if len(set(columns)) < len(columns):
        message = f"--scores {requested!r} names a column twice; name each once"
        raise UsageError(message)
    return {column: column for column in columns}


def _bare_scores(table: SourceTable, truth: Truth) -> dict[str, str]:
    """Columns of numbers that are named like emotions.

    They are the predictions only if they have all labels of the truth or of a known label space, and nothing else can be one.
    """
    if truth.task != "single-label" or find_column(table, None, PREDICTED, "") is not None:
        return {}
    if any(c.startswith(_SCORES[:-1]) and c not in ("score", "scores") for c in table.columns):
        return {}
    numeric = [c for c in table.columns if canonical(c) and pd.api.types.is_numeric_dtype(table.frame[c]) and c not in TRUTH]
    names = {str(canonical(c)) for c in numeric}
    if len(names) < len(numeric):
        return {}
    complete = names >= set(truth.labels.labels) or any(names == set(space.labels) for space in SPACES.values())
    return {c: c for c in numeric} if complete else {}


def apply_map(
    table: SourceTable, columns: PredictionColumns, renamed: Mapping[str, str]
) -> tuple[SourceTable, PredictionColumns]:
    """Rename labels of the predictions, as ``--map CALM=neutral`` says. True labels are not renamed.

    Raises
    ------
    UsageError
        If no prediction and no column has a label that is renamed, or two columns get the same label.
    """
    if not renamed:
        return table, columns
    frame, used, present = table.frame, set[str](), set[str]()
    if columns.single is not None:
        values = as_text(frame[columns.single])
        present |= set(values.dropna().str.strip())
        used |= present & set(renamed)
        frame = frame.assign(**{columns.single: values.str.strip().replace(dict(renamed))})
    parts = []
    for part in (columns.multi, columns.scores):
        present |= set(part)
        used |= set(part) & set(renamed)
        names = [renamed.get(label, label) for label in part]
        folded = [canonical(n) or fold(n) for n in names]
        if repeated := [n for n, f in zip(names, folded, strict=True) if folded.count(f) > 1]:
            message = f"--map: two columns of {table.source} get the label {repeated[0]!r}; map them to different labels"
            raise UsageError(message)
        parts.append(dict(zip(names, part.values(), strict=True)))
    unused = [name for name in renamed if name not in used]
    if unused:
        message = (
            f"--map {unused[0]}={renamed[unused[0]]}: no prediction has this label; {did_you_mean(unused[0], sorted(present))}"
        )
        raise UsageError(message)
    return SourceTable(frame, table.path), dataclasses.replace(columns, multi=parts[0], scores=parts[1])


def _score_pattern(table: SourceTable, requested: str | None) -> str:
    if requested is None:
        return _SCORES
    return requested if is_pattern(table, requested) else f"{requested}*"
