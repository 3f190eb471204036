"""Counts of faces by action units, truth, prediction and group.

The second place, beside `fairfer.metrics.counts`, at which rows are counted: a face shows any number of units, so that
the units are no grouping. Everything after this module works on counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from fairfer.vocabulary import Group, Grouping

Integers = NDArray[np.int64]

PRESENT, UNKNOWN = 1, -1
"""Codes of a unit of a face; 0 is absent."""


@dataclass(frozen=True)
class UnitFaces:
    """The faces of an audit with their action units, one entry each.

    Attributes
    ----------
    labels
        Audited labels, then others that were predicted.
    truth, predicted
        (faces,) number of the label; the prediction is -1 where there is no answer.
    groups
        Groups of each grouping.
    group
        (faces,) by grouping: number of the group.
    units
        Codes of the units.
    present
        (faces, units) 1, 0, or -1 for unknown.
    subject
        (faces,) number of the subject; ``None`` where every face shows another one.
    """

    labels: tuple[str, ...]
    truth: Integers
    predicted: Integers
    groups: Mapping[Grouping, Sequence[Group]]
    group: Mapping[Grouping, Integers]
    units: tuple[str, ...]
    present: NDArray[np.int8]
    subject: Integers | None = None


@dataclass(frozen=True)
class UnitShares:
    """Faces of one group, true label and prediction by unit; arrays of one length, one entry per cell that occurs.

    Attributes
    ----------
    group, truth, predicted
        Numbers.
    faces
        Faces of the cell.
    present, known
        (cells, units) faces that show the unit, and for which it is known.
    subjects
        For each cell, (faces,) subjects and (faces, units) codes; empty where every face shows another subject.
    """

    group: Integers
    truth: Integers
    predicted: Integers
    faces: Integers
    present: Integers
    known: Integers
    subjects: tuple[tuple[Integers, NDArray[np.int8]], ...] = ()


@dataclass(frozen=True)
class PatternCounts:
    """Faces by group, pattern of units, label and prediction; arrays of one length, one entry per combination that occurs.

    Only faces with an answer of which all units of the pattern are known.

    Attributes
    ----------
    group
        Number of the group.
    pattern
        Number of the pattern: the sum of 2 to the power of i over the units i that are present.
    labeled, predicted
        1 where the face has the label, and where it was predicted; else 0.
    count
        Faces.
    left_out
        (groups,) other faces.
    subject
        Number of the subject; ``None`` where every face shows another one.
    """

    group: Integers
    pattern: Integers
    labeled: Integers
    predicted: Integers
    count: Integers
    left_out: Integers
    subject: Integers | None = None


def unit_shares(faces: UnitFaces, grouping: Grouping) -> UnitShares:
    """Count faces with a prediction by group, truth, prediction and unit."""
    used = (faces.predicted >= 0) & (faces.group[grouping] >= 0)
    keys = np.stack([faces.group[grouping], faces.truth, faces.predicted])[:, used]
    cells, cell, size = np.unique(keys, axis=1, return_inverse=True, return_counts=True)
    cell = cell.ravel()
    codes = faces.present[used]
    present, known = (np.zeros((cells.shape[1], len(faces.units)), np.int64) for _ in range(2))
    np.add.at(present, cell, codes == PRESENT)
    np.add.at(known, cell, codes != UNKNOWN)
    subjects: tuple[tuple[Integers, NDArray[np.int8]], ...] = ()
    if faces.subject is not None:
        order = np.argsort(cell, kind="stable")
        parts = np.split(order, np.cumsum(size)[:-1])
        subject = faces.subject[used]
        subjects = tuple((subject[part], codes[part]) for part in parts)
    return UnitShares(cells[0], cells[1], cells[2], size.astype(np.int64), present, known, subjects)


def pattern_counts(faces: UnitFaces, grouping: Grouping, label: int, units: Sequence[str]) -> PatternCounts:
    """Count faces by group, pattern, and whether they have a label and were given it."""
    group = faces.group[grouping]
    codes = faces.present[:, [faces.units.index(u) for u in units]]
    member = group >= 0
    used = member & (faces.predicted >= 0) & (codes != UNKNOWN).all(axis=1)
    pattern = (codes == PRESENT) @ (1 << np.arange(len(units), dtype=np.int64))
    columns = [group, pattern, faces.truth == label, faces.predicted == label]
    columns += [] if faces.subject is None else [faces.subject]
    kinds, count = np.unique(np.stack([c[used].astype(np.int64) for c in columns]), axis=1, return_counts=True)
    left_out = np.bincount(group[member & ~used], minlength=len(faces.groups[grouping]))
    subject = None if faces.subject is None else kinds[4]
    return PatternCounts(kinds[0], kinds[1], kinds[2], kinds[3], count.astype(np.int64), left_out.astype(np.int64), subject)
