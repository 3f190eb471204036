"""Correction of gaps for errors of the model that inferred the groups.

The annotated groups are mixtures of the true ones. If errors depend on the true group only, and not on what else the image
shows or on the prediction, the mixture can be inverted (Rogan and Gladen 1978, Am. J. Epidemiol. 107, for one group and one
rate). How often each true group is annotated as each other follows from a *validation sample* of the annotator, whose own
sampling error belongs in the interval (Lyles et al. 2011, Epidemiology 22). Without one, *scenarios* assume a share of errors:
in all groups alike, or in one of the two compared groups only, which moves a gap in another way.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fairfer.metrics.gaps import FAVORABLE
from fairfer.metrics.results import CorrectedGap, CorrectionScenario, Gap, Rate
from fairfer.stats import resampled_sums
from fairfer.vocabulary import Group, Grouping, is_annotated

if TYPE_CHECKING:
    from fairfer.metrics.counts import Counts
    from fairfer.metrics.metric_settings import MetricSettings

ERROR_RATES = (0.01, 0.05, 0.1, 0.2)
"""Assumed shares of wrong annotations."""

RESAMPLES = 1000
_LOST = 0.05
"""When more resamples than this lose a group entirely, the correction is not estimable."""

_PRIOR = 0.5
"""Added to every count of a resampled validation sample: an error that did not occur in it is not impossible."""

_MATRIX = 2
"""Dimensions of one matrix; more are a stack of them."""

_SCENARIOS: tuple[CorrectionScenario, ...] = ("all_groups", "worst_only", "best_only")

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class InferredAttributes:
    """Attributes of an audit, and how their annotations were made.

    Attributes
    ----------
    levels
        Annotated levels of each attribute.
    inferred
        Names of the inferred ones.
    probabilistic
        Names of those with probabilities.
    without_probabilities
        Samples that count for their annotated level alone.
    confusion
        (true, inferred) counts of a validation sample, of inferred attributes that have one; levels in the order of `levels`.
    """

    levels: Mapping[str, tuple[str, ...]]
    inferred: frozenset[str]
    probabilistic: frozenset[str]
    without_probabilities: int
    confusion: Mapping[str, Floats] = field(default_factory=dict)

    def groups(self, grouping: Grouping) -> list[Group]:
        """The annotated groups of a grouping."""
        return list(itertools.product(*(self.levels[name] for name in grouping)))


def extremes(gap: Gap) -> tuple[Group, Group]:
    """The worst and the best group; the first two where all rates are equal."""
    if gap.worst is None or gap.best is None or gap.worst == gap.best:
        return gap.groups[0], gap.groups[1]
    return gap.worst, gap.best


def error_matrix(error: float, levels: int) -> Floats:
    """(true, annotated) probability of each annotation: correct with 1 - `error`, else each other level equally likely."""
    if levels == 1:
        return np.ones((1, 1))
    matrix: Floats = np.where(np.eye(levels, dtype=bool), 1 - error, error / (levels - 1)).astype(np.float64)
    return matrix


def correct_counts(counts: Floats, matrix: Floats) -> Floats:
    """(..., groups) counts by true group, from counts by annotated group: the error matrix inverted.

    `matrix` is (true, annotated), or one such matrix for each row of counts. NaN where it has no inverse.
    """
    try:
        inverse = np.linalg.inv(matrix)
    except np.linalg.LinAlgError:
        return np.full(counts.shape, np.nan)
    if inverse.ndim > _MATRIX:
        return np.asarray((counts[..., None, :] @ inverse)[..., 0, :], np.float64)
    return np.asarray(counts @ inverse, np.float64)


@dataclass(frozen=True)
class Correction:
    """Corrects the gaps of one audit.

    Attributes
    ----------
    attributes
        Of the audit.
    settings
        Confidence and seed.
    subjects
        Counts by subject of each grouping, where several samples show one.
    """

    attributes: InferredAttributes
    settings: MetricSettings
    subjects: Mapping[Grouping, Counts] | None = None

    def of(self, gap: Gap, rates: Sequence[Rate]) -> list[CorrectedGap]:
        """A gap as annotated and corrected: by the validation sample where all inferred attributes have one, else scenarios.

        Where only some have one, the scenarios are about the others.
        """
        by_group = {
            r.group: r
            for r in rates
            if (r.label, r.attribute, r.rate) == (gap.label, gap.attribute, gap.rate) and is_annotated(r.group)
        }
        groups = self.attributes.groups(gap.attribute)
        hits = np.array([by_group[g].numerator or 0 for g in groups], float)
        trials = np.array([by_group[g].denominator or 0 for g in groups], float)
        cells = np.concatenate([hits, trials - hits])
        generator = self.settings.stream(gap.attribute, gap.label, gap.rate, "corrected")
        of_subjects = None if self.subjects is None else _subject_cells(gap, self.subjects[gap.attribute], groups)
        resampled = _resampled(cells, of_subjects, generator)
        validated = {n: self.attributes.confusion[n] for n in gap.attribute if n in self.attributes.confusion}
        drawn = {n: _drawn(counts, generator) for n, counts in validated.items()}
        means = {n: counts / counts.sum(axis=1, keepdims=True) for n, counts in validated.items()}
        pair = tuple(groups.index(g) for g in extremes(gap))
        rows = [self._row(gap, "as_annotated", 0.0, _difference(cells, np.eye(len(groups)), *pair), resampled, None)]
        if validated:
            name: CorrectionScenario = "validation"
            matrix, matrices = (self._matrix(gap.attribute, name, 0.0, pair, m) for m in (means, drawn))
            rows.append(self._row(gap, name, None, _difference(cells, matrix, *pair), resampled, matrices))
        if not self.attributes.inferred & set(gap.attribute) <= validated.keys():
            for error in ERROR_RATES:
                for scenario in _SCENARIOS:
                    matrix, matrices = (self._matrix(gap.attribute, scenario, error, pair, m) for m in (means, drawn))
                    rows.append(self._row(gap, scenario, error, _difference(cells, matrix, *pair), resampled, matrices))
        return rows

    def _matrix(
        self,
        grouping: Grouping,
        scenario: CorrectionScenario,
        error: float,
        pair: tuple[int, ...],
        validated: Mapping[str, Floats],
    ) -> Floats:
        """(true, annotated) or (resamples, true, annotated) probabilities of the groups of a grouping."""
        wrong, right = np.ones((1, 1)), np.ones((1, 1))
        for name in grouping:
            levels = len(self.attributes.levels[name])
            known = validated.get(name)
            assumed = error if name in self.attributes.inferred else 0.0
            wrong = _product(wrong, error_matrix(assumed, levels) if known is None else known)
            right = _product(right, np.eye(levels) if known is None else known)
        if scenario == "all_groups":
            return wrong
        matrix = right.copy()
        if scenario != "validation":
            row = pair[0] if scenario == "worst_only" else pair[1]
            matrix[..., row, :] = wrong[..., row, :]
        return matrix

    def _row(
        self,
        gap: Gap,
        scenario: CorrectionScenario,
        error: float | None,
        difference: Floats,
        resampled: Floats,
        matrix: Floats | None,
    ) -> CorrectedGap:
        groups, sign = self.attributes.groups(gap.attribute), FAVORABLE[gap.rate]
        worst, best = extremes(gap)
        pair = (groups.index(worst), groups.index(best))
        again = sign * _difference(resampled, np.eye(len(groups)) if matrix is None else matrix, *pair)
        estimable = again[np.isfinite(again)]
        ok = bool(np.isfinite(difference)) and len(estimable) >= (1 - _LOST) * RESAMPLES
        tail = self.settings.tail
        low, high = np.quantile(estimable, [tail, 1 - tail]) if ok else (np.nan, np.nan)
        return CorrectedGap(
            label=gap.label,
            attribute=gap.attribute,
            rate=gap.rate,
            worst=worst,
            best=best,
            scenario=scenario,
            error=error,
            difference=float(sign * difference) + 0.0 if ok else None,
            low=float(low) if ok else None,
            high=float(high) if ok else None,
            status="ok" if ok else "not_estimable",
        )


def _product(one: Floats, other: Floats) -> Floats:
    """Kronecker product of matrices, or of stacks of them."""
    product = one[..., :, None, :, None] * other[..., None, :, None, :]
    rows, columns = (one.shape[-1] * other.shape[-1],) * 2
    matrix: Floats = product.reshape(*product.shape[:-4], rows, columns)
    return matrix


def _drawn(counts: Floats, generator: np.random.Generator) -> Floats:
    """(resamples, true, inferred) error matrices of resampled validation samples: each row is a Dirichlet distribution."""
    weights = generator.standard_gamma(counts + _PRIOR, size=(RESAMPLES, *counts.shape))
    matrices: Floats = weights / weights.sum(axis=2, keepdims=True)
    return matrices


def _subject_cells(gap: Gap, counts: Counts, groups: Sequence[Group]) -> Floats:
    """(subjects, 2 groups) hits, then misses, of each subject in each group."""
    hits, trials = counts.fraction(gap.rate, gap.label)
    where = np.array([groups.index(g) if g in groups else -1 for g in counts.groups])[counts.group]
    used = (where >= 0) & (trials > 0)
    subject = np.unique(counts.unit[used], return_inverse=True)[1]
    table = np.zeros((int(subject.max()) + 1, 2 * len(groups)))
    np.add.at(table, (subject, where[used]), hits[used])
    np.add.at(table, (subject, len(groups) + where[used]), (trials - hits)[used])
    return table


def _resampled(cells: Floats, subjects: Floats | None, generator: np.random.Generator) -> Floats:
    """(resamples, 2 groups) hits and misses of resampled samples, or subjects.

    Each group gets half a sample (or subject of the usual size) of hits and half a one of misses in addition: a group without
    a miss is not certain to have none.
    """
    if subjects is None:
        return resampled_sums(np.eye(len(cells)), RESAMPLES, generator, cells + 0.5, int(cells.sum()))
    groups = len(cells) // 2
    size = np.maximum(subjects[:, :groups] + subjects[:, groups:], 0)
    usual = size.sum(axis=0) / np.maximum((size > 0).sum(axis=0), 1)
    rows = np.concatenate([subjects, np.diag(np.concatenate([usual, usual]))])
    weights = np.concatenate([np.ones(len(subjects)), np.full(len(cells), 0.5)])
    return resampled_sums(rows, RESAMPLES, generator, weights, len(subjects))


def _difference(cells: Floats, matrix: Floats, worst: int, best: int) -> Floats:
    """Best minus worst of the groups' corrected rates; NaN where either group would be empty."""
    split = cells.shape[-1] // 2
    hits, misses = correct_counts(cells[..., :split], matrix), correct_counts(cells[..., split:], matrix)
    # A negative count is noise and is set to 0, but a group that would be empty cannot be estimated.
    hits, misses = np.maximum(hits, 0), np.maximum(misses, 0)
    total = hits + misses
    rate = np.divide(hits, total, out=np.full(hits.shape, np.nan), where=total >= 1)
    difference: Floats = rate[..., best] - rate[..., worst]
    return difference
