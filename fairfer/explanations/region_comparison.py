"""One test per grouping of whether relevance differs between groups, over all labels, outcomes and regions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fairfer.explanations.region_table import REGIONS, SUBJECT, check_table, defined, groups_of
from fairfer.explanations.relevance import DENSITY, MASS, OWN, RANK
from fairfer.explanations.results import RegionComparison, RegionDifference
from fairfer.metrics.results import DifferenceStatus, ExcludedGroup, ExclusionReason
from fairfer.metrics.subjects import number_subjects
from fairfer.stats.mean_differences import MeanDifferences, mean_differences
from fairfer.vocabulary import EVERYONE, Group, Grouping, is_annotated

if TYPE_CHECKING:
    from fairfer.metrics.metric_settings import MetricSettings

TESTED = (*(f"{MASS}:{name}" for name in REGIONS), f"{DENSITY}:{OWN}", RANK)
"""Measures that are compared between groups."""

_PAIR = 2
_LEVEL = 0.05
_FACE = "sample_id"


def compare_regions(frame: pd.DataFrame, groupings: Sequence[Grouping], settings: MetricSettings) -> list[RegionComparison]:
    """Test whether relevance differs between the groups of each grouping.

    All labels, outcomes, regions and measures of a grouping are one family: if nothing differs, any difference is called
    significant in at most 5 % of cases.

    Parameters
    ----------
    frame, groupings
        As for `region_relevance`. There is no comparison of everyone.
    settings
        Minimum of faces and subjects of each side of a comparison, permutations, seed, and the confidence of the intervals.

    Returns
    -------
    list of RegionComparison
        One for each grouping.

    Raises
    ------
    ValueError
        As for `region_relevance`.

    Notes
    -----
    Groups are permuted among the faces with the same true and predicted label, or among subjects, each with all of its faces
    (see `fairfer.stats.mean_differences.mean_differences`). If the rows of a face differ in the true or predicted label, groups
    are permuted among all faces. In the table of `fairfer explain`, all rows of a multi-label face have the same label sets.
    """
    check_table(frame, groupings)
    return [_compare(frame, grouping, settings) for grouping in groupings if grouping != EVERYONE]


def _compare(frame: pd.DataFrame, grouping: Grouping, settings: MetricSettings) -> RegionComparison:
    numbers, groups = groups_of(frame, grouping)
    unannotated = [i for i, group in enumerate(groups) if not is_annotated(group)]
    excluded = [_excluded(frame, groups[i], numbers == i, "unannotated") for i in unannotated]
    rows = frame[~np.isin(numbers, unannotated)]
    numbers, groups = groups_of(rows, grouping)
    if len(groups) < _PAIR:
        return _no_comparison(grouping, "too_few_groups", groups, excluded)
    wide, faces = _by_face(rows, numbers)
    least_subjects = settings.minimum_subjects if SUBJECT in faces else _PAIR
    result = mean_differences(
        wide.to_numpy(float),
        faces["group"],
        generator=settings.stream(grouping, "relevance by region"),
        subject=faces.get(SUBJECT),
        stratum=faces.get("stratum"),
        permutations=settings.permutations,
        confidence=settings.confidence,
        minimum=settings.minimum,
        minimum_units=least_subjects,
    )
    many = result.samples >= settings.minimum
    enough = many & (result.units >= least_subjects)
    taking_part = [g for g, e in zip(groups, enough, strict=True) if e.any()]
    excluded += [
        _excluded(rows, group, numbers == i, "few_subjects" if many[i].any() else "small")
        for i, group in enumerate(groups)
        if not enough[i].any()
    ]
    tests = int(np.isfinite(result.p).sum())
    if not tests:
        return _no_comparison(grouping, "too_few_groups" if len(taking_part) < _PAIR else "no_variation", taking_part, excluded)
    return RegionComparison(
        attribute=grouping,
        p=result.p_of_any,
        significant=result.p_of_any < _LEVEL,
        tests=tests,
        permutations=result.permutations,
        critical_value=defined(result.critical),
        status="ok",
        differences=list(_differences(grouping, groups, wide.columns, result)),
        groups=taking_part,
        excluded=excluded,
    )


def _excluded(frame: pd.DataFrame, group: Group, rows: np.ndarray, reason: ExclusionReason) -> ExcludedGroup:
    return ExcludedGroup(group=group, reason=reason, denominator=int(frame.loc[rows, _FACE].nunique()))


def _no_comparison(
    grouping: Grouping, status: DifferenceStatus, groups: list[Group], excluded: list[ExcludedGroup]
) -> RegionComparison:
    return RegionComparison(
        attribute=grouping,
        p=None,
        significant=False,
        tests=0,
        permutations=0,
        critical_value=None,
        status=status,
        differences=[],
        groups=groups,
        excluded=excluded,
    )


def _by_face(rows: pd.DataFrame, numbers: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One row per face, with a column for each measure, label and outcome; and each face's group, subject and stratum."""
    tested = [m for m in TESTED if m in rows]
    wide = rows.pivot_table(
        index=_FACE, columns=["label", "outcome"], values=tested, aggfunc="first", observed=True, dropna=False
    )
    keys = {"group": numbers, "stratum": rows.groupby(["truth", "predicted"], dropna=False).ngroup().to_numpy()}
    if SUBJECT in rows:
        keys[SUBJECT] = number_subjects(rows[SUBJECT])
    by_face = pd.DataFrame(keys, index=rows.index).groupby(rows[_FACE])
    differing = by_face.nunique().max()
    if differing["group"] > 1 or differing.get(SUBJECT, 1) > 1:
        message = "the table of relevance has a face with several groups or subjects"
        raise ValueError(message)
    faces = by_face.first().loc[wide.index]
    return wide, faces if differing["stratum"] == 1 else faces.drop(columns="stratum")


def _differences(
    grouping: Grouping, groups: list[Group], columns: pd.Index, result: MeanDifferences
) -> Iterator[RegionDifference]:
    """Each group vs. the rest; and of the pairs of each measure, the largest difference and all that are significant."""
    one, other = result.comparisons.one, result.comparisons.other
    pair = other < len(groups)
    for j, (measure, label, outcome) in enumerate(columns):
        size = np.where(pair & np.isfinite(result.p[:, j]), np.abs(result.difference[:, j]), -1)
        for i in np.flatnonzero(np.isfinite(result.p[:, j])):
            p = float(result.p[i, j])
            if pair[i] and p >= _LEVEL and i != size.argmax():
                continue
            # In a pair, the group with the higher mean is named first.
            turned = pair[i] and result.difference[i, j] < 0
            sign = -1 if turned else 1
            limits = (result.high[i, j], result.low[i, j]) if turned else (result.low[i, j], result.high[i, j])
            first, second = (other[i], one[i]) if turned else (one[i], other[i])
            kind, _, region = measure.partition(":")
            yield RegionDifference(
                label=label,
                outcome=outcome,
                attribute=grouping,
                region=region,
                measure=kind,
                group=groups[first],
                reference=groups[second] if pair[i] else None,
                difference=sign * float(result.difference[i, j]),
                expected=sign * float(result.expected[i, j]),
                low=defined(sign * limits[0]),
                high=defined(sign * limits[1]),
                standardized=defined(sign * result.standardized[i, j]),
                p=p,
                significant=p < _LEVEL,
            )
