"""Counts to rates, through Fairlearn's MetricFrame.

Fairlearn works on rows of a binary problem. Here a row is a confusion cell with its count as ``sample_weight``, the label is a
control feature and the group the sensitive feature, so that one frame gives every label's rates in every group and costs the
same for a thousand images as for a hundred million.

Fairlearn reports a rate whose denominator is 0 as 0.0. Here it is not estimable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd

from fairfer.metrics.cells import FRACTIONS, PROPORTIONS, WHOLE_PROPORTIONS
from fairfer.metrics.counts import EVERYONE
from fairfer.stats import paired_difference, wilson

Status = Literal["ok", "small", "not_estimable", "empty"]
"""``small``: fewer than the minimum denominator; ``not_estimable``: the denominator is 0; ``empty``: nobody is in the group."""

LABEL_RATES = ("TPR", "FNR", "FPR", "TNR", "PPV", "selection rate", "prevalence", "prediction bias", "F1")
"""Rates of one label, one-vs-rest."""

GROUP_RATES = ("accuracy", "macro-F1", "weighted-F1", "coverage")
"""Rates over all labels; coverage is the share of samples that got an answer."""

COLUMNS = ("label", "attribute", "group", "rate", "value", "numerator", "denominator", "low", "high", "status")


def label_rates(cells: pd.DataFrame, *, minimum: int, confidence: float) -> pd.DataFrame:
    """TPR, FNR, FPR, TNR, PPV, selection rate, prevalence, prediction bias and F1 per label and group.

    Parameters
    ----------
    cells
        ``attribute, group, label, tp, fn, fp, tn`` (see `fairfer.metrics.counts.one_vs_rest`).
    minimum
        Denominator below which a rate is ``small``.
    confidence
        Of the intervals: Wilson's; Bonett and Price's for prediction bias (selection rate minus prevalence), a difference of two
        proportions of the same samples. F1 is no proportion of independent trials and gets none.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`, one row per cell and rate.
    """
    values = _label_frame(cells)
    sizes = cells[["tp", "fn", "fp", "tn"]].sum(axis=1)
    parts = []
    for rate, (above, below) in FRACTIONS.items():
        numerator, denominator = _weighted(cells, above), _weighted(cells, below)
        value = values[rate].where(denominator > 0)
        if rate in PROPORTIONS:
            low, high = wilson(numerator, denominator, confidence)
        elif rate == "prediction bias":
            low, high = paired_difference(cells["fp"], cells["fn"], denominator, confidence)
        else:
            low = high = np.full(len(cells), np.nan)
        status = _status(denominator, sizes, minimum)
        parts.append(
            cells[["label", "attribute", "group"]].assign(
                rate=rate, value=value, numerator=numerator, denominator=denominator, low=low, high=high, status=status
            )
        )
    table = pd.concat(parts, keys=range(len(parts))).reset_index(level=0, names="which")
    return table.sort_index(kind="stable")[list(COLUMNS)].reset_index(drop=True)


def group_rates(
    counts: pd.DataFrame, labels: Sequence[str], groups: Mapping[str, Sequence[str]], *, minimum: int, confidence: float
) -> pd.DataFrame:
    """Accuracy, macro-F1, weighted F1 and coverage per group.

    Parameters
    ----------
    counts
        As `fairfer.metrics.counts.confusion` returns.
    labels
        The labels audited. Macro-F1 is their unweighted mean; where a group's truth lacks one of them it is not estimable:
        leaving the label out would flatter that group, counting it as 0 would wrong it.
    groups
        The groups of each attribute.
    minimum, confidence
        As for `label_rates`.
    """
    keys = [(a, g) for a, names in groups.items() for g in names]
    frame = _group_frame(counts, labels)
    index = pd.MultiIndex.from_tuples(keys, names=["attribute", "group"])

    def total(rows: pd.DataFrame) -> pd.Series:
        return rows.groupby(["attribute", "group"])["n"].sum().reindex(index, fill_value=0)

    size = total(counts)
    right = total(counts[counts["truth"] == counts["predicted"]])
    answered = total(counts[~counts["predicted"].str.startswith("(")])
    spoken = counts[counts["n"] > 0].groupby(["attribute", "group"])["truth"].agg(set).reindex(index)
    complete = pd.Series([isinstance(s, set) and set(labels) <= s for s in spoken], index=index)
    parts = []
    for rate in GROUP_RATES:
        value = frame[rate].reindex(index) if rate in frame else answered / size.where(size > 0)
        numerator: pd.Series = {"accuracy": right, "coverage": answered}.get(rate, pd.Series(np.nan, index=index))
        status = pd.Series(_status(size, size, minimum), index=index)
        if rate == "macro-F1":
            status = status.mask(~complete & (status != "empty"), "not_estimable")
            value = value.where(complete)
        proportion = rate in WHOLE_PROPORTIONS
        low, high = wilson(numerator, size, confidence) if proportion else (np.nan, np.nan)
        part = pd.DataFrame(
            {
                "label": EVERYONE,
                "rate": rate,
                "value": value.where(size > 0).astype(float),
                "numerator": numerator,
                "denominator": size if proportion else np.nan,
                "low": low,
                "high": high,
                "status": status,
            },
            index=index,
        )
        parts.append(part.reset_index())
    table = pd.concat(parts, ignore_index=True)
    position = table.groupby(["attribute", "group"], sort=False).ngroup()
    return table.iloc[position.argsort(kind="stable")][list(COLUMNS)].reset_index(drop=True)


def _weighted(cells: pd.DataFrame, weights: Mapping[str, int]) -> pd.Series:
    return sum((cells[c] * w for c, w in weights.items()), start=pd.Series(0, index=cells.index))


def _status(denominator: pd.Series, size: pd.Series, minimum: int) -> np.ndarray:
    return np.select([size == 0, denominator == 0, denominator < minimum], ["empty", "not_estimable", "small"], "ok")


def _label_frame(cells: pd.DataFrame) -> pd.DataFrame:
    """Each rate's value per row of `cells`, from one MetricFrame over weighted cells."""
    functions = {name: _fraction(above, below) for name, (above, below) in FRACTIONS.items()}
    key = pd.MultiIndex.from_frame(cells[["attribute", "group"]])
    number = pd.Series(pd.factorize(key)[0], index=cells.index)
    long = pd.concat(
        [
            pd.DataFrame({"which": number, "label": cells["label"], "y_true": true, "y_pred": said, "n": cells[column]})
            for column, true, said in (("tp", 1, 1), ("fn", 1, 0), ("fp", 0, 1), ("tn", 0, 0))
        ]
    )
    by_group = _metric_frame(long[long["n"] > 0], functions, "which", control="label")
    wanted = pd.MultiIndex.from_arrays([cells["label"].to_numpy(object), number.to_numpy()])
    return by_group.reindex(wanted).set_index(cells.index).astype(float)


def _fraction(above: Mapping[str, int], below: Mapping[str, int]) -> Callable[..., float]:
    """A rate as MetricFrame calls it. Fairlearn's own give the same in four times the time: they check every cell anew."""

    def rate(y_true: np.ndarray, y_pred: np.ndarray, sample_weight: np.ndarray) -> float:
        hit, said = y_true == 1, y_pred == 1
        which = {"tp": hit & said, "fn": hit & ~said, "fp": ~hit & said, "tn": ~hit & ~said}
        upper, lower = (sum(w * float(sample_weight[which[c]].sum()) for c, w in part.items()) for part in (above, below))
        return upper / lower if lower else np.nan

    return rate


def _group_frame(counts: pd.DataFrame, labels: Sequence[str]) -> pd.DataFrame:
    from sklearn.metrics import accuracy_score, f1_score  # noqa: PLC0415 - slow to import

    def f1(average: str) -> object:
        def score(y_true: np.ndarray, y_pred: np.ndarray, sample_weight: np.ndarray) -> float:
            return float(
                f1_score(y_true, y_pred, sample_weight=sample_weight, labels=list(labels), average=average, zero_division=0.0)
            )

        return score

    functions = {"accuracy": accuracy_score, "macro-F1": f1("macro"), "weighted-F1": f1("weighted")}
    number, keys = pd.factorize(pd.MultiIndex.from_frame(counts[["attribute", "group"]]))
    long = pd.DataFrame(
        {
            "which": number,
            "y_true": counts["truth"].to_numpy(object),
            "y_pred": counts["predicted"].to_numpy(object),
            "n": counts["n"].to_numpy(),
        }
    )
    frame = _metric_frame(long, functions, "which", control=None)
    return frame.set_index(pd.MultiIndex.from_tuples([keys[i] for i in frame.index], names=["attribute", "group"]))


def _metric_frame(long: pd.DataFrame, functions: Mapping[str, object], sensitive: str, *, control: str | None) -> pd.DataFrame:
    from fairlearn.metrics import MetricFrame  # noqa: PLC0415 - slow to import

    long = long.reset_index(drop=True)
    weight = {"sample_weight": long["n"].to_numpy()}
    frame = MetricFrame(
        metrics=dict(functions),
        y_true=long["y_true"].to_numpy(),
        y_pred=long["y_pred"].to_numpy(),
        sensitive_features=long[sensitive],  # Fairlearn squeezes an array of one row to a number and then refuses it
        control_features=None if control is None else pd.DataFrame({control: long[control].to_numpy(object)}),
        sample_params=dict.fromkeys(functions, weight),
    )
    by_group: pd.DataFrame = frame.by_group
    return by_group
