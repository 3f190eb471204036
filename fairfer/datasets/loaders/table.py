"""A table of stored predictions: truth, what was predicted, and groups, one row a sample. No model, no picture.

::

    id,label,predicted,gender
    1,happiness,happiness,female
    2,anger,,male

A row without a prediction stays: it is an answer that was not given. Scores instead of a label are read from columns that
start with ``score`` (``score_happy``, ``score:anger``), or with what ``--scores`` says.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from fairfer.datasets.annotations import KEYS, read_attributes
from fairfer.datasets.dataset import Dataset, Recorded, Step, digest_lines
from fairfer.datasets.label_columns import TRUTH, as_text, label_space, to_labels, whereabouts
from fairfer.datasets.loading import Loader
from fairfer.datasets.table_files import SUFFIXES, find_column, read_table, show
from fairfer.errors import DataError, LabelError, UsageError
from fairfer.labels import SPACES, LabelSpace, canonical, fold
from fairfer.vocabulary import STATUSES

PREDICTED = ("predicted", "prediction", "pred", "y_pred")
"""Column names tried for the prediction when none is named."""


def _matches(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in SUFFIXES


def load(
    path: Path,
    *,
    truth: str | None = None,
    predicted: str | None = None,
    scores: str | None = None,
    sample_id: str | None = None,
    labels: str | None = None,
    model_labels: str | None = None,
) -> Dataset:
    """Read a table of predictions.

    Parameters
    ----------
    path
        CSV, TSV, Parquet or JSON Lines.
    truth
        Column of the true label; ``label``, ``emotion``, … when not given.
    predicted
        Column of the predicted label; ``predicted``, ``pred``, … when not given.
    scores
        What the columns with one score per label start with (``score`` when not given).
    sample_id
        Column that names the samples (``id``, ``image``, …); the row number when there is none.
    labels
        The label space: ``ferplus``, ``fer2013``, ``affectnet``, or a list with commas; by the values when not given.
    says
        What the model can say, as a list with commas; the labels of the truth and of the predictions when not given.

    Raises
    ------
    DataError
        When a value is outside of the label space, an id occurs twice, or a score is no number.
    UsageError
        When a column does not exist, or neither predictions nor scores are there.
    """
    table = read_table(path, text=(*KEYS, *([sample_id] if sample_id else [])))
    truth_column = find_column(table, truth, TRUTH, path, "the true label; name it with --truth")
    if truth_column is None:
        message = f"{path} has no column called {show(TRUTH)}; name the true label's with --truth"
        raise UsageError(message)
    predicted_column = find_column(table, predicted, PREDICTED, path, "the predicted label; name it with --predicted")
    score_columns = _score_columns(table, scores, predicted, truth_column, path)
    if predicted_column is None and not score_columns:
        message = f"{path} has neither a column called {show(PREDICTED)} nor scores; name one with --predicted or --scores"
        raise UsageError(message)
    id_column = find_column(table, sample_id, KEYS, path, "the sample's name; name it with --sample-id")
    ids = pd.Series(range(1, len(table) + 1)) if id_column is None else table[id_column]
    if ids.isna().any():
        message = f"{path}, column {id_column!r}: row {int(ids.index[ids.isna()][0]) + 2} has no id; give every row one"
        raise DataError(message)
    table.index = pd.Index(ids.astype("str"), name="sample_id", dtype="str")
    if table.index.has_duplicates:
        twice = table.index[table.index.duplicated()]
        message = f"{path}, column {id_column!r}: the id {twice[0]!r} occurs more than once; make each unique"
        raise DataError(message)

    where = whereabouts(path, truth_column)
    unlabelled = table[truth_column].isna()
    table = table[~unlabelled]
    space = label_space(labels, table[truth_column], where)
    samples = pd.DataFrame({"label": to_labels(table[truth_column], space, where)})
    recorded = _recorded(table, path, space, predicted_column, score_columns, model_labels)
    used = {truth_column, predicted_column, id_column, "status", "detail", *score_columns.values()}
    # A column called label that is not the truth would stand in the truth's place; it groups nobody either.
    columns = [str(c) for c in table.columns if c not in used and c != "label"]
    attributes, refused, groups = read_attributes(table[columns], columns, path)
    return Dataset(
        name=path.stem,
        labels=space,
        samples=samples.join(groups),
        attributes=attributes,
        refused=refused,
        steps=(
            Step(f"rows in {path.name}: {len(unlabelled):,}"),
            *([Step("rows without a true label", int(unlabelled.sum()))] if unlabelled.any() else []),
        ),
        card={
            "layout": "table",
            "source": path.name,
            "truth": truth_column,
            "predicted": predicted_column or f"highest of {', '.join(score_columns.values())}",
        },
        recorded=recorded,
    )


def _score_columns(table: pd.DataFrame, prefix: str | None, predicted: str | None, truth: str, path: Path) -> dict[str, str]:
    """For each label, as it is spelled, its column of scores; unasked, only if one is named like a label."""
    start = "score" if prefix is None else prefix
    labels = {fold(v) for v in as_text(table[truth]).dropna().unique()}
    found: dict[str, str] = {}
    for column in map(str, table.columns):
        spelling = column[len(start) :].strip(" _:.-")
        if not column.startswith(start) or not spelling:
            continue
        if spelling in found:
            message = f"{path} has two columns of scores for {spelling!r}: {found[spelling]!r} and {column!r}; rename one"
            raise DataError(message)
        found[spelling] = column
    if prefix is not None and not found:
        message = f"{path} has no column that starts with {prefix!r}; give what its score columns start with"
        raise UsageError(message)
    if prefix is None and (predicted is not None or not any(canonical(s) or fold(s) in labels for s in found)):
        return {}  # columns such as score_quality are about something else
    return found


def _recorded(
    table: pd.DataFrame,
    path: Path,
    space: LabelSpace,
    predicted: str | None,
    score_columns: dict[str, str],
    model_labels: str | None,
) -> Recorded:
    frame = pd.DataFrame(index=table.index)
    if score_columns:
        own = LabelSpace.of(f"score columns of {path.name}", score_columns)
        for name, column in zip(own.labels, score_columns.values(), strict=True):
            frame[f"score:{name}"] = _numbers(table[column], path, column)
        values = frame.to_numpy(np.float64, na_value=np.nan)
        answered = ~np.isnan(values).any(axis=1)
        partly = ~answered & ~np.isnan(values).all(axis=1)
        if partly.any():
            message = (
                f"{path}, row {table.index[partly][0]!r}: some scores are missing or not a number; give all or none of a row"
            )
            raise DataError(message)
        best = np.where(answered, np.argmax(np.nan_to_num(values, nan=-np.inf), axis=1), 0)
        said = pd.Series(np.array(own.labels, dtype=object)[best], index=table.index).where(answered)
    if predicted is not None:
        predicted_space = _predicted_space(space, table[predicted], model_labels, path)
        named = to_labels(table[predicted], predicted_space, whereabouts(path, predicted))
        if score_columns:
            _check_agreement(named, said, values, own, path)
            said = named.fillna(said)
        else:
            own, said = predicted_space, named
    status = _status(table, said, path)
    for score in frame:
        frame[score] = frame[score].where(status == "ok")
    frame.insert(0, "detail", _detail(table, status))
    frame.insert(0, "predicted", said.where(status == "ok").astype("str"))
    frame.insert(0, "status", status)
    rows = pd.util.hash_pandas_object(frame, index=True).to_numpy()
    asked = predicted or "the highest score"  # of several models' answers in one table, each is audited under its column's name
    return Recorded(asked, own, frame, digest_lines([",".join(own.labels), rows.tobytes().hex()])[:12])


def _check_agreement(named: pd.Series, said: pd.Series, values: np.ndarray, labels: LabelSpace, path: Path) -> None:
    """Refuse a prediction that is not the label with the highest score; where several have it, it may be any of them."""
    highest = values == np.nan_to_num(values, nan=-np.inf).max(axis=1)[:, None]
    agrees = np.zeros(len(named), bool)
    for i, name in enumerate(labels.labels):
        agrees |= (named == name).to_numpy() & (highest[:, i] | said.isna().to_numpy())
    differing = named.notna() & ~agrees
    if differing.any():
        row = named.index[differing][0]
        why = f"the highest score is {said[row]}'s" if named[row] in labels else "no column holds its scores"
        message = (
            f"{path}, row {row!r}: the prediction is {named[row]} but {why} ({int(differing.sum()):,} such rows); "
            "give one of the two"
        )
        raise DataError(message)


def _predicted_space(space: LabelSpace, values: pd.Series, model_labels: str | None, path: Path) -> LabelSpace:
    """What the model can say: what is stated, else the labels of the truth and whatever else it said."""
    if model_labels:
        return LabelSpace.of(f"labels in {path.name}", [n for n in model_labels.split(",") if n.strip()])
    if pd.api.types.is_numeric_dtype(values) and space in SPACES.values():
        return space  # codes

    def known(value: str) -> bool:
        try:
            space.canonical(value)
        except LabelError:
            return False
        return True

    more: tuple[str, ...] = ()
    if not all(known(v) for v in as_text(values).dropna().unique()):
        spoken = label_space(None, values.dropna(), whereabouts(path, str(values.name)))
        more = tuple(n for n in spoken.labels if not known(n))
    return LabelSpace(f"labels in {path.name}", (*space.labels, *more), (*space.spellings, *more))


def _numbers(values: pd.Series, path: Path, column: str) -> pd.Series:
    numbers = pd.to_numeric(values, errors="coerce")
    wrong = (numbers.isna() & values.notna()) | np.isinf(numbers)
    if wrong.any():
        row = values.index[wrong][0]
        message = (
            f"{path}, row {row!r}, column {column!r}: the score {str(values[row])!r} is no finite number; "
            "mend it or empty the row's scores"
        )
        raise DataError(message)
    return numbers.astype("float32")


def _status(table: pd.DataFrame, said: pd.Series, path: Path) -> pd.Series:
    status = pd.Series(np.where(said.notna(), "ok", "error"), index=table.index, dtype="str")
    if "status" in table.columns:
        stated = table["status"].astype("str").where(table["status"].notna(), status)
        strange = ~stated.isin(STATUSES)
        if strange.any():
            row = stated.index[strange][0]
            message = f"{path}, row {row!r}: status {stated[row]!r} is none of {', '.join(STATUSES)}; mend it"
            raise DataError(message)
        contradictory = (stated == "ok") & said.isna()
        if contradictory.any():
            row = stated.index[contradictory][0]
            message = f"{path}, row {row!r}: status is ok but there is no prediction; give one, or another status"
            raise DataError(message)
        status = stated
    if not (status == "ok").any():
        message = f"{path} holds no prediction in any row; fill its column of predictions"
        raise DataError(message)
    return status


def _detail(table: pd.DataFrame, status: pd.Series) -> pd.Series:
    given = (
        table["detail"].fillna("").astype("str") if "detail" in table.columns else pd.Series("", index=table.index, dtype="str")
    )
    return given.mask((status != "ok") & (given == ""), "no prediction in the table")


LOADER = Loader("table", "a CSV, Parquet or JSON Lines table with truth, prediction and group columns", _matches, load)
