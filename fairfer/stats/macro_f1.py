"""F1 averaged over labels: its standard error, interval, and permutation test between groups.

Macro-F1 is not a mean over samples, but a function of the sums of true positives, false positives and false negatives of each
label. A unit (a sample, or all samples of one subject in one group) contributes to these sums. The standard error is that of
the linear approximation of the function (delta method; Binder 1983, Int. Stat. Rev. 51, for subjects), and the test
recomputes the function from the sums after random reassignment of the units.

Arrays of sums have the shape (..., 3, labels), in the order TP, FP, FN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from fairfer.stats.comparisons import Comparisons, differences
from fairfer.stats.permutation import PermutationTest, chunks
from fairfer.stats.permutation_of_subjects import assign_units

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from fairfer.stats.intervals import Floats

_PAIR = 2
_DIRECT_KINDS = 500
"""Kinds of units up to which units are reassigned kind by kind; with more, the sums are drawn as normal."""


def average_f1(sums: ArrayLike, *, weighted: bool = False) -> Floats:
    """F1 averaged over the labels that have positives.

    Parameters
    ----------
    sums
        (..., 3, labels).
    weighted
        Whether each label has the weight of its positives.

    Returns
    -------
    ndarray
        (...); NaN where no label has positives.
    """
    score, weight, _ = _parts(np.asarray(sums, float), weighted=weighted)
    total = weight.sum(axis=-1)
    average: Floats = np.divide((score * weight).sum(axis=-1), total, out=np.full(total.shape, np.nan), where=total > 0)
    return average


def _gradient(sums: Floats, *, weighted: bool) -> Floats:
    """Derivatives of `average_f1` by the sums, of their shape; 0 where it is undefined."""
    score, weight, below = _parts(sums, weighted=weighted)
    total = weight.sum(axis=-1, keepdims=True)
    share = np.divide(weight, total, out=np.zeros_like(weight), where=total > 0)
    inverse = np.divide(1.0, below, out=np.zeros_like(below), where=below > 0)
    gradient: Floats = np.stack([2 * (1 - score), -score, -score], axis=-2) * (inverse * share)[..., None, :]
    if weighted:
        mean = (score * share).sum(axis=-1, keepdims=True)
        own = np.divide(score - mean, total, out=np.zeros_like(score), where=total > 0)
        gradient[..., (0, 2), :] += own[..., None, :]
    return gradient


def _parts(sums: Floats, *, weighted: bool) -> tuple[Floats, Floats, Floats]:
    """F1, weight and denominator of each label."""
    hits, false, missed = (sums[..., i, :] for i in range(3))
    below = 2 * hits + false + missed
    positives = hits + missed
    score = np.divide(2 * hits, below, out=np.zeros_like(below), where=below > 0)
    return score, positives if weighted else (positives > 0).astype(float), below


@dataclass(frozen=True)
class UnitTable:
    """Units by kind and group; units with the same counts are of one kind.

    Attributes
    ----------
    kinds
        (kinds, 3, labels) counts of one unit of each kind.
    table
        (kinds, groups) number of units.
    """

    kinds: Floats
    table: NDArray[np.int64]

    @classmethod
    def of(cls, counts: ArrayLike, group: ArrayLike, groups: int, number: ArrayLike | None = None) -> Self:
        """Collect units.

        Parameters
        ----------
        counts
            (units, 3, labels).
        group
            (units,) number of the group.
        groups
            Number of groups.
        number
            (units,) how many equal units each stands for; 1 by default.
        """
        values = np.asarray(counts, np.int64)
        flat, kind = np.unique(values.reshape(len(values), -1), axis=0, return_inverse=True)
        table = np.zeros((len(flat), groups), np.int64)
        np.add.at(table, (kind.ravel(), np.asarray(group)), 1 if number is None else np.asarray(number, np.int64))
        return cls(flat.reshape(-1, *values.shape[1:]).astype(float), table)

    @property
    def units(self) -> NDArray[np.int64]:
        """(groups,) number of units."""
        total: NDArray[np.int64] = self.table.sum(axis=0)
        return total

    def only(self, sides: list[list[int]]) -> UnitTable:
        """The units of some groups, each side of them as one group."""
        return UnitTable(self.kinds, np.stack([self.table[:, side].sum(axis=1) for side in sides], axis=1))

    def errors(self, *, weighted: bool = False) -> Floats:
        """(groups,) standard errors of `average_f1`; NaN with fewer than two units."""
        return _errors(self.kinds, self.table.T.astype(float), weighted=weighted)

    def values(self, *, weighted: bool = False) -> Floats:
        """(groups,) `average_f1`."""
        return average_f1(np.tensordot(self.table.T, self.kinds, 1), weighted=weighted)


def _errors(kinds: Floats, units: Floats, *, weighted: bool) -> Floats:
    """(...) standard errors from (..., kinds) numbers of units."""
    gradient = _gradient(np.tensordot(units, kinds, 1), weighted=weighted)
    influence = gradient.reshape(*gradient.shape[:-2], -1) @ kinds.reshape(len(kinds), -1).T
    return _scaled((units * influence**2).sum(axis=-1), units.sum(axis=-1))


def _scaled(squares: Floats, units: Floats) -> Floats:
    """Standard errors from sums of squared influences, which have the mean 0."""
    factor = np.divide(units, units - 1, out=np.full(units.shape, np.nan), where=units > 1)
    errors: Floats = np.sqrt(squares * factor)
    return errors


def score_limits(value: ArrayLike, error: ArrayLike, units: ArrayLike, confidence: float) -> tuple[Floats, Floats]:
    """Confidence limits of an averaged F1: symmetric on the logit scale, so that they lie between 0 and 1.

    Parameters
    ----------
    value, error
        Estimates and their standard errors.
    units
        Numbers of independent units; Student's quantile has one degree of freedom less.
    confidence
        Of the interval.

    Returns
    -------
    low, high
        NaN where there is no error, or the value is 0 or 1.
    """
    from scipy import special

    v, e, n = (np.asarray(a, float) for a in (value, error, units))
    usable = (e > 0) & (v > 0) & (v < 1) & (n > 1)
    safe, freedom = np.where(usable, v, 0.5), np.where(usable, n - 1, 1.0)
    reach = special.stdtrit(freedom, (1 + confidence) / 2) * np.where(usable, e, np.nan) / (safe * (1 - safe))
    center = special.logit(safe)
    return special.expit(center - reach), special.expit(center + reach)


class F1Test(PermutationTest):
    """Test of whether groups of independent units have the same averaged F1.

    Parameters
    ----------
    units
        Units by kind and group.
    generator
        Source of randomness.
    weighted
        Whether F1 is weighted by positives.
    subjects
        Whether units are subjects: then the number of them decides how heavy the tail of the statistic is.

    Notes
    -----
    Whole units are reassigned, with all of their labels. As in `fairfer.stats.SubjectTest`, each permutation gives a difference
    divided by its standard error in the permutation, and by that of the observed groups; the larger of the two counts. With
    more than 500 kinds of units, the sums of each group are drawn from the normal distribution that they have for many units.
    """

    effort: ClassVar[int] = 5

    def __init__(
        self, units: UnitTable, generator: np.random.Generator, *, weighted: bool = False, subjects: bool = False
    ) -> None:
        self._units, self._generator, self._weighted, self._subjects = units, generator, weighted, subjects
        self._groups = units.table.shape[1]
        self.comparisons = Comparisons.of(self._groups)
        if subjects:
            self.degrees_of_freedom = float(max(units.units.min() - 1, 1))
        sides = self._with_rests(units.table.T[None].astype(float))
        values = average_f1(np.tensordot(sides, units.kinds, 1), weighted=weighted)
        errors = _errors(units.kinds, sides, weighted=weighted)
        self.difference = differences(values[0], self.comparisons)
        self.scale = np.hypot(errors[0, self.comparisons.one], errors[0, self.comparisons.other])
        self.observed = np.divide(np.abs(self.difference), self.scale, out=np.zeros_like(self.scale), where=self.scale > 0)

    def draw(self, permutations: int) -> tuple[Floats, Floats]:
        """Largest studentized difference, and gap, of further permutations."""
        largest, gaps = np.empty(permutations), np.empty(permutations)
        direct = len(self._units.kinds) <= _DIRECT_KINDS
        width = len(self._units.kinds) if direct else self._units.kinds[0].size ** 2
        for part in chunks(permutations, 2 * self._groups * width):
            values, errors = (self._reassigned if direct else self._normal)(part.stop - part.start)
            size = np.abs(differences(values, self.comparisons))
            scale = np.hypot(errors[:, self.comparisons.one], errors[:, self.comparisons.other])
            least = np.where((scale > 0) & (self.scale > 0), np.minimum(scale, self.scale), np.inf)
            # A group without any positive has no F1: such a permutation counts as more extreme than any other.
            largest[part] = np.where(np.isnan(size), np.inf, size / least).max(axis=1)
            gaps[part] = np.nan_to_num(np.ptp(values[:, : self._groups], axis=1), nan=1.0)
        return largest, gaps

    def single(self, comparison: int) -> PermutationTest | None:
        """The test of one comparison with only its own units."""
        if len(self.comparisons) == 1:
            return None
        units = self._units.only(list(self.comparisons.members(comparison)))
        return F1Test(units, self._generator, weighted=self._weighted, subjects=self._subjects)

    def _with_rests(self, values: Floats) -> Floats:
        """(permutations, groups, ...) followed by the rest of each group, where groups are compared with the rest."""
        if self._groups == _PAIR:
            return values
        return np.concatenate([values, values.sum(axis=1, keepdims=True) - values], axis=1)

    def _reassigned(self, permutations: int) -> tuple[Floats, Floats]:
        """(permutations, sides) averages and errors after units of each kind were reassigned."""
        room = np.broadcast_to(self._units.units, (permutations, self._groups)).copy()
        assigned = np.empty((permutations, self._groups, len(self._units.kinds)))
        for kind, number in enumerate(self._units.table.sum(axis=1)):
            placed = assign_units(room, int(number), self._generator)
            room -= placed
            assigned[..., kind] = placed
        sides = self._with_rests(assigned)
        values = average_f1(np.tensordot(sides, self._units.kinds, 1), weighted=self._weighted)
        return values, _errors(self._units.kinds, sides, weighted=self._weighted)

    def _normal(self, permutations: int) -> tuple[Floats, Floats]:
        """The same from normal sums, with the mean and covariance of sums of units drawn without replacement."""
        kinds, number = self._units.kinds.reshape(len(self._units.kinds), -1), self._units.table.sum(axis=1)
        sizes = self._units.units.astype(float)
        total = float(number.sum())
        mean, second = number @ kinds / total, (kinds.T * number) @ kinds / total
        root = _root(second - np.outer(mean, mean)) * total / np.sqrt(total - 1)
        share = sizes / total
        spread = np.diag(np.sqrt(share)) - np.outer(share, np.sqrt(share))
        noise = self._generator.standard_normal((permutations, self._groups, len(mean)))
        sums = np.maximum(np.outer(sizes, mean) + np.einsum("gh,phc,dc->pgd", spread, noise, root, optimize=True), 0)
        sides = self._with_rests(sums).reshape(permutations, -1, *self._units.kinds.shape[1:])
        gradient = _gradient(sides, weighted=self._weighted).reshape(permutations, sides.shape[1], -1)
        units = self._with_rests(sizes[None])[0]
        squares = units * np.einsum("pgc,cd,pgd->pg", gradient, second, gradient, optimize=True)
        return average_f1(sides, weighted=self._weighted), _scaled(squares, np.broadcast_to(units, squares.shape))


def _root(covariance: Floats) -> Floats:
    """A matrix whose product with its transpose is the covariance."""
    values, vectors = np.linalg.eigh(covariance)
    root: Floats = vectors * np.sqrt(np.maximum(values, 0))
    return root
