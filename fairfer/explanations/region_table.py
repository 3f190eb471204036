"""Relevance by region, label, outcome and group.

It is computed from a table with one row per explained face and label: ``sample_id``, ``label``, ``outcome`` (TP, FN or FP),
``truth``, ``predicted``, one column per attribute, optionally ``subject``, and the columns of
`fairfer.explanations.relevance.measures`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import numpy as np
import pandas as pd
from scipy import stats

from fairfer.explanations.regions import REGION_NAMES
from fairfer.explanations.relevance import DENSITY, MASS, OWN, POINTING, RANK, SIGNED
from fairfer.explanations.results import Outcome, RegionRelevance
from fairfer.metrics.subjects import number_subjects
from fairfer.stats.permuted_units import totals
from fairfer.vocabulary import EVERYONE, Group, Grouping

if TYPE_CHECKING:
    from fairfer.metrics.metric_settings import MetricSettings
    from fairfer.metrics.results import RateStatus
    from fairfer.stats.intervals import Floats

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
REGIONS = (*REGION_NAMES, OWN)

_REQUIRED = ("sample_id", "label", "outcome", "truth", "predicted")
SUBJECT = "subject"


@dataclass(frozen=True)
class _Cell:
    """The faces with one label and outcome: positions in the table."""

    label: str
    outcome: Outcome
    rows: np.ndarray


def region_relevance(frame: pd.DataFrame, groupings: Sequence[Grouping], settings: MetricSettings) -> list[RegionRelevance]:
    """Mean relevance by region, for each label, outcome and group.

    Parameters
    ----------
    frame
        See the module.
    groupings
        Which groups; `fairfer.vocabulary.EVERYONE` for all faces together.
    settings
        Minimum of faces and of subjects, and the confidence level.

    Returns
    -------
    list of RegionRelevance
        For each cell (label and outcome) in the table and each group in the table, one row per region, and for the label's own
        region if the table has it.

    Raises
    ------
    ValueError
        When a column is missing, or a face has two rows with the same label and outcome.

    Notes
    -----
    A mean's interval is Student's, with the standard error of a ratio of sums over subjects (Cochran 1977, Sampling Techniques,
    2.11), or over faces where no subjects are known, and one degree of freedom less than subjects. It is clipped to 0 and 1.
    """
    check_table(frame, groupings)
    subject = number_subjects(frame[SUBJECT]) if SUBJECT in frame else None
    rows: list[RegionRelevance] = []
    levels = [(grouping, *groups_of(frame, grouping)) for grouping in groupings]
    for cell in _cells(frame):
        for grouping, numbers, groups in levels:
            for i, group in enumerate(groups):
                members = cell.rows[numbers[cell.rows] == i]
                rows += _describe(
                    cell, grouping, group, frame.iloc[members], None if subject is None else subject[members], settings
                )
    return rows


def check_table(frame: pd.DataFrame, groupings: Sequence[Grouping]) -> None:
    """Check that a table has its columns, and one row for each face, label and outcome.

    Parameters
    ----------
    frame, groupings
        As for `region_relevance`.

    Raises
    ------
    ValueError
        As `region_relevance`.
    """
    required = [*_REQUIRED, *(a for g in groupings for a in g), *(f"{MASS}:{name}" for name in REGION_NAMES)]
    missing = sorted(set(required) - set(frame.columns))
    if missing:
        message = f"the table of relevance has no column {', '.join(missing)}"
        raise ValueError(message)
    repeated = frame.duplicated(["sample_id", "label", "outcome"])
    if repeated.any():
        first = frame.loc[repeated.to_numpy()].iloc[0]
        message = f"the table of relevance has two rows for {first['sample_id']}, {first['label']}, {first['outcome']}"
        raise ValueError(message)


def _cells(frame: pd.DataFrame) -> Iterator[_Cell]:
    """Labels in their order in the table, and the outcomes that each has."""
    for label in pd.unique(frame["label"]):
        for outcome in OUTCOMES:
            rows = np.flatnonzero((frame["label"] == label) & (frame["outcome"] == outcome))
            if len(rows):
                yield _Cell(str(label), outcome, rows)


def groups_of(frame: pd.DataFrame, grouping: Grouping) -> tuple[np.ndarray, list[Group]]:
    """(rows,) number of each row's group, and the groups, sorted."""
    if grouping == EVERYONE:
        return np.zeros(len(frame), np.intp), [EVERYONE]
    levels = list(zip(*(frame[a].astype("str") for a in grouping), strict=True))
    groups: list[Group] = sorted(set(levels))
    number = {group: i for i, group in enumerate(groups)}
    return np.array([number[group] for group in levels], np.intp), groups


# ---- means


def _describe(
    cell: _Cell,
    grouping: Grouping,
    group: Group,
    part: pd.DataFrame,
    subject: np.ndarray | None,
    settings: MetricSettings,
) -> Iterator[RegionRelevance]:
    regions = [name for name in REGIONS if f"{MASS}:{name}" in part]
    mass = part[[f"{MASS}:{name}" for name in regions]].to_numpy(float)
    number = np.arange(len(part)) if subject is None else subject
    mean, reach, subjects = _means(mass, number, settings.confidence)
    for i, name in enumerate(regions):
        faces = int(np.isfinite(mass[:, i]).sum())
        yield RegionRelevance(
            label=cell.label,
            outcome=cell.outcome,
            attribute=grouping,
            group=group,
            region=name,
            faces=faces,
            subjects=None if subject is None else int(subjects[i]),
            mass=defined(mean[i]),
            low=defined(max(mean[i] - reach[i], 0)),
            high=defined(min(mean[i] + reach[i], 1)),
            signed=_mean(part, f"{SIGNED}:{name}"),
            density=_mean(part, f"{DENSITY}:{name}"),
            rank_accuracy=_mean(part, RANK) if name == OWN else None,
            pointing=_mean(part, POINTING) if name == OWN else None,
            status=_status(len(part), faces, None if subject is None else int(subjects[i]), settings),
        )


def _means(values: Floats, subject: np.ndarray, confidence: float) -> tuple[Floats, Floats, Floats]:
    """(columns,) means, half the widths of their intervals, and numbers of subjects; NaN with fewer than two subjects."""
    if not len(values):
        nothing = np.full(values.shape[1], np.nan)
        return nothing, nothing, np.zeros(values.shape[1])
    present = np.isfinite(values)
    number = np.unique(subject, return_inverse=True)[1]
    n, total = totals(present.astype(float), number), totals(np.where(present, values, 0), number)
    samples, subjects = n.sum(axis=0), (n > 0).sum(axis=0).astype(float)
    mean = np.divide(total.sum(axis=0), samples, out=np.full(len(samples), np.nan), where=samples > 0)
    squares = ((total - n * mean) ** 2).sum(axis=0)
    freedom = np.where(subjects > 1, subjects - 1, np.nan)
    error = np.sqrt(squares * subjects / freedom) / np.maximum(samples, 1)
    return mean, error * stats.t.isf((1 - confidence) / 2, freedom), subjects


def _status(rows: int, faces: int, subjects: int | None, settings: MetricSettings) -> RateStatus:
    if not faces:
        return "not_estimable" if rows else "empty"
    if faces < settings.minimum:
        return "small"
    return "few_subjects" if subjects is not None and subjects < settings.minimum_subjects else "ok"


def _mean(part: pd.DataFrame, column: str) -> float | None:
    return defined(part[column].mean()) if column in part and len(part) else None


def defined(value: float) -> float | None:
    """The value, or None where it is not defined."""
    return float(value) if np.isfinite(value) else None
