"""Which answers of a run are explained: each face with every label that it has or that the model saw on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Collection

    from fairfer.audits.join import JoinedSamples

Outcome = Literal["TP", "FN", "FP"]

COLUMNS = ("sample_id", "label", "outcome", "truth", "predicted", "stratum")
"""Columns of the pairs, before those of groups and subject.

``outcome`` is TP where the face has the label and the model saw it, FN where the model missed it, FP where the model saw it on
a face without it. ``stratum`` is equal for faces with the same true and predicted labels.
"""


def explained_pairs(samples: JoinedSamples, outputs: Collection[str]) -> pd.DataFrame:
    """Pairs of a face and a label, in the order of the samples.

    Parameters
    ----------
    samples
        Samples of an audit.
    outputs
        Labels that the model has. A label without an output cannot be explained.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`, then one column per attribute under its own name in ``samples.columns`` (``by0``, …), and ``subject`` (a
        number). Faces without an answer have no pair: there is nothing to explain.
    """
    table = samples.table
    answered = (table["status"] == "ok").to_numpy(bool)
    labels = samples.design.labels.labels
    has = np.zeros((len(table), len(labels)), bool)
    saw = np.zeros((len(table), len(labels)), bool)
    known = np.ones((len(table), len(labels)), bool)
    if samples.design.task == "single-label":
        names = np.array(labels, object)
        has = table["truth"].to_numpy(object)[:, None] == names
        saw = table["predicted"].fillna("").to_numpy(object)[:, None] == names
    else:
        for i in range(len(labels)):
            truth, predicted = table[f"truth:{i}"], table[f"predicted:{i}"]
            known[:, i] = (truth.notna() & predicted.notna()).to_numpy(bool)
            has[:, i] = truth.fillna(0).to_numpy(bool)
            saw[:, i] = predicted.fillna(0).to_numpy(bool)
    explained = (has | saw) & known & answered[:, None] & np.isin(np.array(labels, object), list(outputs))
    row, column = np.nonzero(explained)
    outcome = np.where(has & saw, "TP", np.where(has, "FN", "FP"))[row, column]
    pairs = pd.DataFrame(
        {
            "sample_id": table.index.to_numpy(object)[row],
            "label": np.array(labels, object)[column],
            "outcome": outcome,
            "truth": _joined(has, labels)[row],
            "predicted": _joined(saw, labels)[row],
        }
    )
    pairs["stratum"] = pairs.groupby(["truth", "predicted"], sort=True).ngroup()
    for name in samples.columns.values():
        pairs[name] = table[name].astype("str").to_numpy(object)[row]
    pairs["subject"] = samples.subjects[row] if samples.design.plan.subject else row
    return pairs


def _joined(members: np.ndarray, labels: tuple[str, ...]) -> np.ndarray:
    """(samples,) names of each sample's labels as one text."""
    return np.array([",".join(label for label, is_in in zip(labels, row, strict=True) if is_in) for row in members], object)
