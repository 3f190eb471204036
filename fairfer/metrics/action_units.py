"""Which action units accompany misclassifications: the share of faces that show a unit, by group, true label and prediction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fairfer.metrics.action_unit_counts import PRESENT, UNKNOWN, UnitFaces, UnitShares, unit_shares
from fairfer.metrics.action_unit_results import ActionUnitShare, ShareStatus
from fairfer.stats import benjamini_hochberg, estimate_ratio
from fairfer.stats.binomial import clopper_pearson
from fairfer.stats.conditional import conditional_p, least_conditional_p
from fairfer.stats.stratified_differences import LEAST_EXPECTED, StratifiedOutcomes, mean_score_test
from fairfer.vocabulary import ALL, is_annotated

if TYPE_CHECKING:
    from fairfer.metrics.action_unit_counts import Integers
    from fairfer.metrics.metric_settings import MetricSettings
    from fairfer.vocabulary import Group, Grouping

ALPHA = 0.05
"""Significance level; a test whose margins allow no smaller p-value is no part of the family (Tarone 1990, Biometrics 46)."""


def compute_unit_shares(faces: UnitFaces, settings: MetricSettings) -> list[ActionUnitShare]:
    """Shares of faces that show each unit, of all groupings.

    Parameters
    ----------
    faces
        Faces with their units.
    settings
        Confidence, and the fewest faces and subjects of a cell.

    Returns
    -------
    list of ActionUnitShare
        For each cell of a group, true label and prediction that occurs, one row per unit, or one row if it is small. Each
        misclassification is compared with the faces of the same group and label that were classified correctly: by Fisher's
        exact test (`fairfer.stats.conditional.conditional_p`), or, where faces share subjects, by the test of
        `fairfer.stats.stratified_differences.mean_score_test` over subjects. All p-values are one family
        (Benjamini and Hochberg 1995).
    """
    rows = [row for grouping in faces.groups for row in _rows(_Cells(faces, grouping, settings))]
    tested = [i for i, row in enumerate(rows) if row.p is not None]
    adjusted = benjamini_hochberg([row.p for row in rows if row.p is not None])
    for i, q in zip(tested, adjusted, strict=True):
        rows[i] = rows[i].model_copy(update={"q": float(q)})
    return rows


@dataclass
class _Cells:
    """The cells of one grouping, by group, truth and prediction."""

    faces: UnitFaces
    grouping: Grouping
    settings: MetricSettings

    def __post_init__(self) -> None:
        self.shares: UnitShares = unit_shares(self.faces, self.grouping)
        keys = zip(self.shares.group, self.shares.truth, self.shares.predicted, strict=True)
        self.number: Mapping[tuple[int, int, int], int] = {(int(g), int(t), int(p)): i for i, (g, t, p) in enumerate(keys)}

    def known(self, cell: int, unit: int) -> tuple[Integers, np.ndarray]:
        """Subjects of a cell whose unit is known, and whether it is present."""
        subject, codes = self.shares.subjects[cell]
        used = codes[:, unit] != UNKNOWN
        return subject[used], (codes[used, unit] == PRESENT).astype(np.int64)

    def enough(self, cell: int, unit: int) -> ShareStatus:
        """``ok`` where the unit is known for enough faces and subjects."""
        if self.shares.known[cell, unit] < self.settings.minimum:
            return "small"
        few = self.shares.subjects and len(np.unique(self.known(cell, unit)[0])) < self.settings.minimum_subjects
        return "few_subjects" if few else "ok"

    def limits(self, cell: int, unit: int) -> tuple[float, float]:
        """Confidence limits: exact, or by subjects."""
        present, known = (int(a[cell, unit]) for a in (self.shares.present, self.shares.known))
        if not self.shares.subjects:
            low, high = clopper_pearson(present, known, self.settings.tail)
        else:
            subject, hits = self.known(cell, unit)
            low, high = estimate_ratio(hits.astype(float), np.ones(len(hits)), subject, float(known)).limits(self.settings.tail)
        return float(low), float(high)

    def test(self, cell: int, reference: int, unit: int) -> float | None:
        """p-value of equal shares in two cells; ``None`` where it could not be significant."""
        counts = [(int(self.shares.present[c, unit]), int(self.shares.known[c, unit])) for c in (cell, reference)]
        (hits, trials), (other_hits, other_trials) = counts
        if not self.shares.subjects:
            if least_conditional_p(trials, other_trials, hits + other_hits) > ALPHA:
                return None
            return conditional_p(hits, trials, other_hits, other_trials)
        parts = [self.known(c, unit) for c in (cell, reference)]
        subject, outcome = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
        side = np.repeat(np.arange(2), [len(part[0]) for part in parts])
        ones = np.ones(len(side), np.int64)
        result = mean_score_test(StratifiedOutcomes(0 * ones, side, outcome, ones, subject))
        return None if result is None or result.least_expected < LEAST_EXPECTED else result.p


def _rows(cells: _Cells) -> Iterator[ActionUnitShare]:
    for (group, truth, predicted), cell in cells.number.items():
        reference = cells.number.get((group, truth, truth)) if truth != predicted else None
        named = cells.faces.groups[cells.grouping][group]
        if cells.shares.faces[cell] < cells.settings.minimum:
            yield _row(cells, cell, named, None, None)
            continue
        for unit in range(len(cells.faces.units)):
            yield _row(cells, cell, named, unit, reference)


def _row(cells: _Cells, cell: int, group: Group, unit: int | None, reference: int | None) -> ActionUnitShare:
    shares, faces = cells.shares, cells.faces
    row = ActionUnitShare(
        attribute=cells.grouping,
        group=group,
        truth=faces.labels[shares.truth[cell]],
        predicted=faces.labels[shares.predicted[cell]],
        unit=ALL if unit is None else faces.units[unit],
        faces=int(shares.faces[cell]),
        present=None if unit is None else int(shares.present[cell, unit]),
        known=None if unit is None else int(shares.known[cell, unit]),
        value=None,
        low=None,
        high=None,
        correct_present=None,
        correct_known=None,
        correct_value=None,
        p=None,
        q=None,
        status="small",
    )
    if unit is None:
        return row
    status = cells.enough(cell, unit)
    update: dict[str, object] = {"status": status}
    if status == "ok":
        low, high = cells.limits(cell, unit)
        update |= {"value": float(shares.present[cell, unit] / shares.known[cell, unit]), "low": low, "high": high}
        update |= {"status": "correct"} if row.truth == row.predicted else _compared(cells, cell, group, unit, reference)
    return row.model_copy(update=update)


def _compared(cells: _Cells, cell: int, group: Group, unit: int, reference: int | None) -> dict[str, object]:
    """Fields of the comparison with the faces that were classified correctly."""
    if not is_annotated(group):
        return {"status": "unannotated"}
    if reference is None or cells.enough(reference, unit) != "ok":
        return {"status": "no_reference"}
    present, known = (int(a[reference, unit]) for a in (cells.shares.present, cells.shares.known))
    p = cells.test(cell, reference, unit)
    return {
        "correct_present": present,
        "correct_known": known,
        "correct_value": present / known,
        "p": p,
        "status": "cannot_reject" if p is None else "ok",
    }
