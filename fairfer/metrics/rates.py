"""Rates per label and group, through Fairlearn's MetricFrame.

Fairlearn works on rows of a binary problem. Here a row is one of the four counts with its number as a sample parameter, the
label is a control feature and the group the sensitive feature. One frame gives every label's rates in every group and costs the
same for a thousand images as for a hundred million.

Fairlearn reports a rate whose denominator is 0 as 0.0. Here it is not estimable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fairfer.metrics.counts import ACCURACY, Counts
from fairfer.metrics.rate_definitions import LABEL_PROPORTIONS, LABEL_RATES
from fairfer.metrics.results import GroupCount, LabelCount, Rate, RateStatus
from fairfer.stats import Estimates, paired_difference, wilson
from fairfer.vocabulary import ALL, STATUSES, Group, Grouping, Task

if TYPE_CHECKING:
    from fairfer.metrics.subjects import SubjectEstimates

_CELLS = (("tp", 1, 1), ("fn", 1, 0), ("fp", 0, 1), ("tn", 0, 0))
"""Each count with its truth and prediction."""


def overall_rates(task: Task) -> tuple[str, ...]:
    """Names of the rates over all labels; coverage is the share of samples with an answer."""
    errors = () if task == "single-label" else ("Hamming loss",)
    return (ACCURACY[task], "macro-F1", "weighted macro-F1", *errors, "coverage")


def compute_rates(
    counts: Mapping[Grouping, Counts],
    task: Task,
    minimum: int,
    confidence: float,
    subjects: SubjectEstimates | None = None,
    minimum_subjects: int = 1,
) -> list[Rate]:
    """Every rate of every group: first those over all labels, then those of each label.

    Parameters
    ----------
    counts
        By grouping, one entry per group (see `Counts.by_group`).
    task
        Task of the audit.
    minimum
        Denominator below which a rate is ``small``.
    confidence
        Confidence of the intervals. They are Wilson's, and Bonett and Price's for prediction bias (selection rate minus
        prevalence), a difference of two proportions of the same samples. F1 and Hamming loss are not proportions of
        independent trials and have no interval here; `fairfer.metrics.f1` adds those of F1.
    subjects
        Estimates by subject, whose intervals replace those of independent samples.
    minimum_subjects
        Number of subjects in the denominator below which a rate has ``few_subjects``.

    Returns
    -------
    list of Rate
    """
    keys = [(grouping, group) for grouping, c in counts.items() for group in c.groups]
    table = _Table.of(counts)
    values = table.values()
    rates = [
        *_overall(table, values, keys, task, minimum, confidence),
        *_per_label(table, values, keys, minimum, confidence),
    ]
    return rates if subjects is None else subjects.applied(rates, confidence, minimum_subjects)


def label_counts(counts: Mapping[Grouping, Counts]) -> list[LabelCount]:
    """Counts by label as rows."""
    return [
        LabelCount(
            attribute=grouping,
            group=group,
            label=label,
            tp=int(c.tp[i, j]),
            fn=int(c.fn[i, j]),
            fp=int(c.fp[i, j]),
            tn=int(c.tn[i, j]),
        )
        for grouping, c in counts.items()
        for i, group in enumerate(c.groups)
        for j, label in enumerate(c.labels)
    ]


def group_counts(counts: Mapping[Grouping, Counts]) -> list[GroupCount]:
    """Sizes of the groups as rows."""
    return [
        GroupCount(
            attribute=grouping,
            group=group,
            total=int(c.total[i]),
            judged=int(c.judged[i]),
            correct=int(c.correct[i]),
            statuses={status: int(n) for status, n in zip(STATUSES, c.statuses[i], strict=True)},
        )
        for grouping, c in counts.items()
        for i, group in enumerate(c.groups)
    ]


@dataclass(frozen=True)
class _Table:
    """Counts of all groupings below each other.

    ``tp``, ``fn``, ``fp``, ``tn`` have shape (groups, labels), the others (groups,).
    """

    labels: tuple[str, ...]
    tp: np.ndarray
    fn: np.ndarray
    fp: np.ndarray
    tn: np.ndarray
    correct: np.ndarray
    judged: np.ndarray
    answered: np.ndarray
    total: np.ndarray

    @classmethod
    def of(cls, counts: Mapping[Grouping, Counts]) -> _Table:
        names = ("tp", "fn", "fp", "tn", "correct", "judged", "answered", "total")
        first = next(iter(counts.values()))
        return cls(first.labels, *(np.concatenate([getattr(c, n) for c in counts.values()]) for n in names))

    def cells(self) -> pd.DataFrame:
        """The counts as rows of a binary problem, those above 0."""
        groups, labels = self.tp.shape
        group, label = (a.ravel() for a in np.indices((groups, labels)))
        rows = pd.concat(
            [
                pd.DataFrame({"group": group, "label": label, "y_true": t, "y_pred": p, "n": getattr(self, name).ravel()})
                for name, t, p in _CELLS
            ]
        )
        return rows[rows["n"] > 0]

    def values(self) -> dict[str, np.ndarray]:
        """(groups, labels + 2) value of each of `LABEL_RATES`.

        The last two columns are the samples classified correctly of those judged, and the samples answered of all. They are
        passed to Fairlearn as two more labels whose TPR is accuracy and coverage, so that no second frame is needed.
        """
        labels, group = len(self.labels), np.arange(len(self.total))
        shares = [
            pd.DataFrame({"group": group, "label": label, "y_true": 1, "y_pred": p, "n": n})
            for label, part, whole in ((labels, self.correct, self.judged), (labels + 1, self.answered, self.total))
            for p, n in ((1, part), (0, whole - part))
        ]
        rows = pd.concat([self.cells(), *shares])
        functions = {name: _rate(above, below) for name, (above, below) in LABEL_RATES.items()}
        frame = _metric_frame(rows[rows["n"] > 0], functions, parameters=("n",), control=True)
        frame = frame.reindex(pd.MultiIndex.from_product([range(labels + 2), group]))
        return {rate: frame[rate].to_numpy(float).reshape(labels + 2, len(group)).T for rate in LABEL_RATES}


def _per_label(
    table: _Table,
    values: Mapping[str, np.ndarray],
    keys: Sequence[tuple[Grouping, Group]],
    minimum: int,
    confidence: float,
) -> list[Rate]:
    columns = {}
    for rate, (above, below) in LABEL_RATES.items():
        numerator, denominator = (sum(w * getattr(table, c) for c, w in part.items()) for part in (above, below))
        value = values[rate][:, : len(table.labels)]
        if rate in LABEL_PROPORTIONS:
            low, high = wilson(numerator, denominator, confidence)
        elif rate == "prediction bias":
            low, high = paired_difference(table.fp, table.fn, denominator, confidence)
        else:
            low = high = np.full(value.shape, np.nan)
        # Without a sample that has the label, F1 is 0 or undefined whatever the model does.
        trials = np.where(table.tp + table.fn > 0, denominator, 0) if rate == "F1" else denominator
        status = _status(trials, np.broadcast_to(table.total[:, None], value.shape), minimum)
        columns[rate] = (value, numerator, denominator, low, high, status)
    return [
        _row(name, key, rate, *(column[i, j] for column in columns[rate]))
        for i, key in enumerate(keys)
        for j, name in enumerate(table.labels)
        for rate in LABEL_RATES
    ]


def _overall(
    table: _Table,
    values: Mapping[str, np.ndarray],
    keys: Sequence[tuple[Grouping, Group]],
    task: Task,
    minimum: int,
    confidence: float,
) -> list[Rate]:
    accuracy, coverage = values["TPR"][:, -2:].T
    f1 = {"macro-F1": _macro_f1, "weighted macro-F1": _weighted_f1}
    scores = _metric_frame(table.cells(), f1, parameters=("n", "label")).reindex(range(len(keys)))
    positives = table.tp + table.fn
    wrong, entries = (table.fp + table.fn).sum(axis=1), (positives + table.fp + table.tn).sum(axis=1)
    none = np.full(len(keys), np.nan)
    rows = {}
    for rate in overall_rates(task):
        numerator, denominator = none, none
        if rate == ACCURACY[task]:
            value, numerator, denominator = accuracy, table.correct, table.judged
            estimable = table.judged
        elif rate == "coverage":
            value, numerator, denominator = coverage, table.answered, table.total
            estimable = table.total
        elif rate == "Hamming loss":
            with np.errstate(invalid="ignore", divide="ignore"):
                value = wrong / entries
            numerator, denominator, estimable = wrong, entries, np.where(entries > 0, table.judged, 0)
        else:
            value = scores[rate].to_numpy(float)
            complete = (positives > 0).all(axis=1) if rate == "macro-F1" else positives.sum(axis=1) > 0
            estimable = np.where(complete, table.judged, 0)
        low, high = wilson(numerator, denominator, confidence) if rate in (ACCURACY[task], "coverage") else (none, none)
        rows[rate] = (value, numerator, denominator, low, high, _status(estimable, table.total, minimum))
    return [_row(ALL, key, rate, *(column[i] for column in rows[rate])) for i, key in enumerate(keys) for rate in rows]


def _row(
    label: str,
    key: tuple[Grouping, Group],
    rate: str,
    value: float,
    numerator: float,
    denominator: float,
    low: float,
    high: float,
    status: RateStatus,
) -> Rate:
    estimable = status not in ("empty", "not_estimable")

    def number(x: float) -> float | None:
        return float(x) if estimable and not np.isnan(x) else None

    def whole(x: float) -> int | None:
        return None if np.isnan(x) else int(x)

    return Rate(
        label=label,
        attribute=key[0],
        group=key[1],
        rate=rate,
        value=number(value),
        numerator=whole(numerator),
        denominator=whole(denominator),
        low=number(low),
        high=number(high),
        status=status,
    )


def _status(denominator: np.ndarray, size: np.ndarray, minimum: int) -> np.ndarray:
    return np.select([size == 0, denominator == 0, denominator < minimum], ["empty", "not_estimable", "small"], "ok")


def _rate(above: Mapping[str, int], below: Mapping[str, int]) -> Callable[..., float]:
    """A rate as MetricFrame calls it. Fairlearn's own give the same in four times the time: they validate every cell anew."""

    def rate(y_true: np.ndarray, y_pred: np.ndarray, n: np.ndarray) -> float:
        positive, predicted = y_true == 1, y_pred == 1
        cells = {
            "tp": positive & predicted,
            "fn": positive & ~predicted,
            "fp": ~positive & predicted,
            "tn": ~positive & ~predicted,
        }
        upper, lower = (sum(w * float(n[cells[c]].sum()) for c, w in part.items()) for part in (above, below))
        return upper / lower if lower else np.nan

    return rate


def _f1(y_true: np.ndarray, y_pred: np.ndarray, n: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """F1 and number of positives of each label; F1 is 0 where a label is neither true nor predicted, as in scikit-learn."""
    positive, predicted = y_true == 1, y_pred == 1
    size = int(label.max()) + 1
    tp = np.bincount(label, n * (positive & predicted), size)
    errors = np.bincount(label, n * (positive ^ predicted), size)
    positives = np.bincount(label, n * positive, size)
    bottom = 2 * tp + errors
    return np.divide(2 * tp, bottom, out=np.zeros(size), where=bottom > 0), positives


def _macro_f1(y_true: np.ndarray, y_pred: np.ndarray, n: np.ndarray, label: np.ndarray) -> float:
    score, positives = _f1(y_true, y_pred, n, label)
    return float(score.mean()) if (positives > 0).all() else np.nan


def _weighted_f1(y_true: np.ndarray, y_pred: np.ndarray, n: np.ndarray, label: np.ndarray) -> float:
    score, positives = _f1(y_true, y_pred, n, label)
    return float(score @ positives / positives.sum()) if positives.sum() else np.nan


def _metric_frame(
    rows: pd.DataFrame, functions: Mapping[str, object], *, parameters: Sequence[str], control: bool = False
) -> pd.DataFrame:
    """Metrics by group (and by label, if it is a control feature); `parameters` are columns that the functions take."""
    from fairlearn.metrics import MetricFrame

    if rows.empty:
        return pd.DataFrame(columns=list(functions), dtype=float)
    rows = rows.reset_index(drop=True)
    frame = MetricFrame(
        metrics=dict(functions),
        y_true=rows["y_true"].to_numpy(),
        y_pred=rows["y_pred"].to_numpy(),
        sensitive_features=rows["group"],  # Fairlearn squeezes an array of one row to a number and then refuses it
        control_features=rows[["label"]] if control else None,
        sample_params={function: {name: rows[name].to_numpy() for name in parameters} for function in functions},
    )
    by_group: pd.DataFrame = frame.by_group
    return by_group


def estimates(rates: Sequence[Rate]) -> Estimates:
    """Rates that are proportions, with their effective sample sizes and degrees of freedom, as arrays."""
    sizes = [float(r.denominator or 0) if r.effective_size is None else r.effective_size for r in rates]
    return Estimates(
        np.array([(r.numerator or 0) / (r.denominator or 1) for r in rates], np.float64),
        np.array(sizes, np.float64),
        np.array([np.inf if r.degrees_of_freedom is None else r.degrees_of_freedom for r in rates], np.float64),
    )
