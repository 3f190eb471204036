"""Samples whose true label is not among the model's output classes: counted by group, although the audit leaves them out.

A gate judges by its own policy and not by ``--unsupported-labels``, so an audit keeps how many such samples there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import pandas as pd

from fairfer.metrics.results import UnsupportedCount
from fairfer.vocabulary import EVERYONE, NO_ANSWER, Grouping

if TYPE_CHECKING:
    from fairfer.audits.plan import Design

_LABEL, _PREDICTED = "\0label", "\0predicted"
"""Columns beside those of attributes; none of those begins with a null character."""


def count_unsupported(
    design: Design, table: pd.DataFrame, columns: Mapping[str, str], answers: pd.DataFrame
) -> list[UnsupportedCount]:
    """Count the samples that are excluded or merged for their label.

    Parameters
    ----------
    design
        What is audited.
    table
        All samples, with the columns of attributes.
    columns
        Column of each attribute.
    answers
        The model's answers, indexed like `table`.

    Returns
    -------
    list of UnsupportedCount
        Empty where every label is among the model's output classes, or unsupported labels are kept.
    """
    moved = [n for n in design.labels.unsupported_labels if design.labels.truth[n] != n]
    if not moved:
        return []
    frame = table[list(columns.values())]
    if design.dataset.task == "single-label":
        frame = frame.assign(**{_LABEL: design.dataset.samples["label"]})
        frame[_PREDICTED] = NO_ANSWER
        if "predicted" in answers:
            answered = answers["predicted"].astype("object").where(answers["status"] == "ok", NO_ANSWER)
            frame[_PREDICTED] = answered.fillna(NO_ANSWER)
        frame = frame[frame[_LABEL].isin(moved)]
    else:
        truth = design.dataset.truth
        frame = pd.concat([frame.assign(**{_LABEL: n})[truth[n].eq(1).fillna(value=False)] for n in moved])
    single = design.task == "single-label"
    return [row for grouping in design.groups for row in _rows(design, frame, grouping, columns, single=single)]


def _rows(
    design: Design, frame: pd.DataFrame, grouping: Grouping, columns: Mapping[str, str], *, single: bool
) -> Iterator[UnsupportedCount]:
    keys = [*(columns[n] for n in grouping), _LABEL, *([_PREDICTED] if single else [])]
    for key, count in frame.groupby(keys, sort=True, observed=True).size().items():
        parts = tuple(map(str, key)) if isinstance(key, tuple) else (str(key),)
        label = parts[len(grouping)]
        yield UnsupportedCount(
            attribute=grouping,
            group=parts[: len(grouping)] or EVERYONE,
            label=label,
            counted_as=design.labels.truth[label],
            predicted=parts[-1] if single else None,
            count=int(count),
        )
