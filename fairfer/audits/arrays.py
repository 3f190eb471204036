"""Audit arrays and data frames in memory, as users of scikit-learn and Fairlearn expect."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fairfer.audits.audit import audit_predictions
from fairfer.audits.plan import AuditPlan
from fairfer.audits.threshold_choice import Validation, with_chosen_thresholds
from fairfer.datasets.action_unit_tables import ActionUnitTable
from fairfer.datasets.dataset import Dataset
from fairfer.datasets.frames import to_pandas
from fairfer.datasets.loading import load_dataset
from fairfer.datasets.tables import list_some
from fairfer.errors import UsageError
from fairfer.predictions.predictions import Predictions
from fairfer.vocabulary import ALL

if TYPE_CHECKING:
    from fairfer.audits.result import Audit

_TRUTH, _PREDICTED, _SCORE, _SUBJECT = "y_true", "y_pred", "y_score", "subject"
_MATRIX = 2
_PAIR = 2
_RESERVED = ("label", "status", "detail")
"""Columns that a table of predictions has for other purposes."""


def audit(
    y_true: Any,
    y_pred: Any = None,
    plan: AuditPlan | None = None,
    *,
    groups: Any = None,
    scores: Any = None,
    subjects: Any = None,
    action_units: ActionUnitTable | None = None,
    labels: Sequence[str] | None = None,
    not_missing: Mapping[str, Sequence[str]] | None = None,
    validation: Mapping[str, Any] | None = None,
    sample_weight: Any = None,
    choose_thresholds: Any = None,
    run: str | os.PathLike[str] | None = None,
    date: str | None = None,
    data_name: str = "data",
    model_name: str = "model",
    **options: Any,
) -> Audit:
    """Audit predictions: error rates per label and group, and the differences between groups.

    Takes arrays and data frames, or a dataset and its predictions.

    Parameters
    ----------
    y_true : array-like of shape (n,) or (n, labels), or Dataset
        True labels. Two dimensions mean multi-label data: 1, 0 or missing (unknown) per label.
    y_pred : array-like of the same form, or Predictions, optional
        Predicted labels; missing where there is no prediction. Optional when scores are given.
    plan : AuditPlan, optional
        Settings. They can be given one by one instead, see `options`.
    groups : data frame, Series, mapping or array-like of shape (n,), optional
        Attributes to group by, one column each.
    scores : array-like of shape (n, labels), optional
        Scores of the model, one column per label.
    subjects : array-like of shape (n,), optional
        Subject of each sample, where several samples show one.
    action_units : ActionUnitTable, optional
        Action units of the same faces, one row per sample in the same order; the table says where they come from.
    labels : sequence of str, optional
        Names of the columns of two-dimensional arrays; data frames have their own. For true labels of shape (n,) without
        an array of scores: all labels that there are, by default those that occur.
    not_missing : mapping of str to sequence of str, optional
        For each column of `groups` the values that look like a word for a missing value, such as ``NA``, and are none.
    validation : mapping, optional
        For each inferred column of `groups` a validation sample; see `load_dataset`.
    sample_weight : None
        Not supported: intervals and tests assume that every sample counts once.
    choose_thresholds : (Dataset, Predictions) or path, optional
        For multi-label models: other samples and the model's answers for them, or the folder of an audited run. For each label,
        the threshold with the highest F1 there is used (see `fairfer.metrics.thresholds`). `y_true` must be a Dataset, so that
        its samples have names, and none may be among the others.
    run : path, optional
        Folder in which truth, groups and predictions are kept, so that `rebuild`, `compare` and ``fairfer report`` can use
        them.
    date : str, optional
        Day of the audit, ISO 8601; today when not given.
    data_name, model_name : str
        Names for the report.
    **options
        Fields of `AuditPlan`, such as ``by=["gender", "gender,race"]``, ``minimum=10``, ``thresholds={"happiness": 0.4}``. By
        default every column of `groups` is audited on its own.

    Returns
    -------
    Audit

    Raises
    ------
    UsageError
        When lengths differ, an option is unknown, or weights are given.
    DataError, LabelError
        When labels, scores or groups are not what they should be.

    Examples
    --------
    >>> import fairfer
    >>> y_true = ["happiness", "anger", "happiness", "anger"] * 10
    >>> y_pred = ["happiness", "anger", "anger", "anger"] * 10
    >>> gender = ["female", "female", "male", "male"] * 10
    >>> result = fairfer.audit(y_true, y_pred, groups={"gender": gender}, minimum=5)
    >>> result.rate("TPR", label="happiness", attribute="gender", group="male").value
    0.0
    """
    if sample_weight is not None:
        message = "sample_weight is not supported: intervals and tests assume that every sample counts once; resample instead"
        raise UsageError(message)
    plan = _plan(plan, options)
    if isinstance(y_true, Dataset):
        _check_dataset_arguments(y_pred, groups, scores, subjects, action_units, labels, not_missing, validation)
        if choose_thresholds is not None:
            plan = with_chosen_thresholds(plan, y_true, y_pred, _validation(choose_thresholds))
        return audit_predictions(y_true, y_pred, plan, run=run, date=date)
    if choose_thresholds is not None:
        message = (
            "choose_thresholds needs a Dataset and its Predictions: samples in arrays have no names that could be compared"
        )
        raise UsageError(message)
    if y_pred is None and scores is None:
        message = "give y_pred, scores or both"
        raise UsageError(message)
    _check_labels(labels)
    table = _table(y_true, y_pred, groups, scores, subjects, labels)
    multi = _TRUTH not in table.columns
    names_columns = any(_is_matrix(a) for a in map(to_pandas, (y_true, y_pred, scores)))
    dataset = load_dataset(
        table,
        name=data_name,
        labels=None if labels is None or multi or names_columns else ",".join([*map(str, labels), ""]),
        truth=f"{_TRUTH}:*" if multi else _TRUTH,
        predicted=None if y_pred is None else f"{_PREDICTED}:*" if _PREDICTED not in table.columns else _PREDICTED,
        scores=None if scores is None else f"{_SCORE}:*",
        not_missing=not_missing,
        validation=validation,
    )
    if action_units is not None:
        dataset = _with_action_units(dataset, action_units, len(table))
    if subjects is not None and not plan.subject:
        plan = plan.model_copy(update={"subject": _SUBJECT})
    predictions = replace(Predictions.from_recorded(dataset), model=model_name)
    if run is not None:
        predictions.write(run)
    return audit_predictions(dataset, predictions, plan, run=run, date=date)


def _is_matrix(values: object) -> bool:
    """Whether these are two-dimensional and have no names of columns."""
    return values is not None and not isinstance(values, pd.DataFrame) and np.ndim(values) == _MATRIX  # type: ignore[arg-type]


def _with_action_units(dataset: Dataset, action_units: object, samples: int) -> Dataset:
    if not isinstance(action_units, ActionUnitTable):
        kind = type(action_units).__name__
        message = f"action_units must be an ActionUnitTable, which says where the units come from, not {kind}"
        raise UsageError(message)
    units = action_units.units
    if len(units) != samples:
        message = f"action_units has {len(units):,} rows, y_true has {samples:,}; they must have the same length"
        raise UsageError(message)
    rows = pd.Index([str(i + 1) for i in range(samples)], dtype="str")  # as a data frame's rows are numbered
    table = replace(action_units, units=units.set_axis(rows, axis=0))
    return dataset.replace(action_units=table, card={**dataset.card, "action_units": f"{table.source} ({table.kind})"})


def _validation(source: object) -> Validation:
    """What ``choose_thresholds`` stands for."""
    if isinstance(source, str | os.PathLike):
        return Validation.of_run(source)
    pair = tuple(source) if isinstance(source, Sequence) else ()
    if len(pair) == _PAIR and isinstance(pair[0], Dataset) and isinstance(pair[1], Predictions):
        return Validation(pair[0].name, *pair)
    message = f"choose_thresholds is {type(source).__name__}; give (dataset, predictions) or the folder of an audited run"
    raise UsageError(message)


def _plan(plan: object, options: Mapping[str, Any]) -> AuditPlan:
    if plan is None:
        return AuditPlan.of(options)
    if not isinstance(plan, AuditPlan):
        message = f"plan must be an AuditPlan, not {type(plan).__name__}; give groupings as by=[…]"
        raise UsageError(message)
    if options:
        message = f"give either plan or {', '.join(options)}, not both"
        raise UsageError(message)
    return plan


def _check_dataset_arguments(predictions: object, *others: object) -> None:
    if not isinstance(predictions, Predictions):
        kind = type(predictions).__name__
        message = f"with a Dataset, the second argument must be Predictions (see fairfer.predict), not {kind}"
        raise UsageError(message)
    if any(x is not None for x in others):
        message = (
            "groups, scores, subjects, action_units, labels, not_missing and validation belong to arrays; a Dataset has its own"
        )
        raise UsageError(message)


def _check_labels(labels: object) -> None:
    """Refuse what cannot name columns. A star or a comma would be read as part of a pattern or of a list of labels."""
    if labels is None:
        return
    if isinstance(labels, str) or not isinstance(labels, Iterable):
        message = f"labels is {labels!r}; give a list of names, such as labels=['AU6', 'AU12']"
        raise UsageError(message)
    names = [str(label).strip() for label in labels]
    invalid = [n for n in names if not n or n == ALL or "," in n or names.count(n) > 1]
    if invalid:
        message = f"labels has {invalid[0]!r}, which is empty, repeated, '{ALL}' or contains a comma; rename it"
        raise UsageError(message)


def _table(
    y_true: object, y_pred: object, groups: object, scores: object, subjects: object, labels: Sequence[str] | None
) -> pd.DataFrame:
    """All of it as one table with reserved column names."""
    parts = {
        "y_true": _columns(y_true, "y_true", _TRUTH, labels),
        "y_pred": _columns(y_pred, "y_pred", _PREDICTED, labels),
        "scores": _columns(scores, "scores", _SCORE, labels, matrix=True),
        "subjects": _subjects(subjects),
        "groups": _groups(groups),
    }
    present = {name: part for name, part in parts.items() if part is not None}
    _check_alignment(present)
    table = pd.concat([part.reset_index(drop=True) for part in present.values()], axis=1)
    reserved = list(map(str, table.columns[table.columns.duplicated()]))
    if groups is not None:
        reserved += [c for c in map(str, present["groups"].columns) if c in _RESERVED]
    if reserved:
        message = f"a column of groups is called {reserved[0]!r}, which is reserved here; rename it"
        raise UsageError(message)
    return table


def _check_alignment(parts: Mapping[str, pd.DataFrame]) -> None:
    (first, reference), *others = parts.items()
    for name, part in others:
        if len(part) != len(reference):
            message = f"{name} has {len(part):,} rows, {first} has {len(reference):,}; they must have the same length"
            raise UsageError(message)
        one, other = reference.index, part.index
        if not one.equals(other) and len(one.symmetric_difference(other)) == 0:
            message = f"the index of {name} has the same entries as that of {first} in another order; align them first"
            raise UsageError(message)


def _columns(
    values: object, parameter: str, name: str, labels: Sequence[str] | None, *, matrix: bool = False
) -> pd.DataFrame | None:
    """A column, or one column per label."""
    if values is None:
        return None
    native = to_pandas(values)
    if isinstance(native, pd.Series) and not matrix:
        return native.to_frame(name)
    if isinstance(native, pd.DataFrame):
        return _label_frame(native, parameter, name, labels, matrix=matrix)
    array = np.asarray(native, dtype=object) if not isinstance(native, np.ndarray) else native
    if array.ndim == 1 and not matrix:
        return pd.DataFrame({name: pd.Series(list(array))})
    if array.ndim != _MATRIX:
        message = f"{parameter} has shape {array.shape}; give one row per sample" + (
            " and one column per label" if matrix else ""
        )
        raise UsageError(message)
    if labels is None or len(labels) != array.shape[1]:
        advice = "name them with labels=[…], or give a data frame"
        if array.shape[1] == 1:
            advice = f"for one label per sample give an array of shape ({len(array)},), or name the column with labels=[…]"
        message = f"{parameter} has shape {array.shape}, one column per label; {advice}"
        raise UsageError(message)
    return pd.DataFrame({f"{name}:{label}": list(array[:, i]) for i, label in enumerate(labels)}).infer_objects()


def _label_frame(frame: pd.DataFrame, parameter: str, name: str, labels: Sequence[str] | None, *, matrix: bool) -> pd.DataFrame:
    columns = [str(c) for c in frame.columns]
    _check_unique(columns, parameter)
    if ALL in columns:
        message = f"{parameter} has a column {ALL!r}, which is reserved here; rename it"
        raise UsageError(message)
    if labels is not None and parameter == "y_true" and set(columns) != set(map(str, labels)):
        message = f"{parameter} has the columns {list_some(columns)}, labels has {list_some(labels)}; leave labels out"
        raise UsageError(message)
    if not matrix and len(columns) == 1 and pd.to_numeric(frame.iloc[:, 0], errors="coerce").isna().all():
        message = (
            f"{parameter} is a data frame, which has one column of 1 and 0 per label; for one label per sample give the column "
            f"{columns[0]!r} alone"
        )
        raise UsageError(message)
    return frame.set_axis([f"{name}:{c}" for c in columns], axis=1)


def _check_unique(columns: Sequence[str], parameter: str) -> None:
    repeated = [c for c in columns if columns.count(c) > 1]
    if repeated:
        message = f"{parameter} has two columns {repeated[0]!r}; rename one"
        raise UsageError(message)


def _subjects(subjects: object) -> pd.DataFrame | None:
    if subjects is None:
        return None
    native = to_pandas(subjects)
    if isinstance(native, pd.DataFrame):
        native = native.squeeze(axis=1)
    if np.ndim(native) != 1:
        message = f"subjects has shape {np.shape(native)}; give one value per sample"
        raise UsageError(message)
    return _columns(native, "subjects", _SUBJECT, None)


def _groups(groups: object) -> pd.DataFrame | None:
    if groups is None:
        return None
    native = to_pandas(groups)
    if isinstance(native, pd.DataFrame):
        _check_unique([str(c) for c in native.columns], "groups")
        return native
    if isinstance(native, pd.Series):
        return native.to_frame(str(native.name) if native.name is not None else "group")
    if isinstance(native, Mapping):
        columns = {str(k): list(v) for k, v in native.items()}
        lengths = {k: len(v) for k, v in columns.items()}
        if len(set(lengths.values())) > 1:
            shown = ", ".join(f"{k}: {n:,}" for k, n in lengths.items())
            message = f"groups has columns of different lengths ({shown}); give one value per sample"
            raise UsageError(message)
        return pd.DataFrame(columns)
    array = np.asarray(native, dtype=object)
    if array.ndim != 1:
        message = f"groups has shape {array.shape} without column names; give a data frame or a mapping of names to columns"
        raise UsageError(message)
    return pd.DataFrame({"group": list(array)})
