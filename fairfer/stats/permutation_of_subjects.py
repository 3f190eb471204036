"""Permutation test of groups of samples that share subjects: the subject, not the sample, is reassigned."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from fairfer.stats.comparisons import Comparisons, differences, with_rests
from fairfer.stats.permutation import Counts, PermutationResult, PermutationTest, chunks, run_test

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fairfer.stats.intervals import Floats

_DIRECT_SUBJECTS = 300
"""Subjects with samples in several groups, up to this many, are permuted one by one; more of them as normal sums."""

_POWERS = 5


class Units(NamedTuple):
    """The units of a test: group, hits and trials of each, and whether any subject has units in several groups."""

    group: Counts
    hits: Counts
    trials: Counts
    shared: bool


class SubjectTest(PermutationTest):
    """Test of groups of samples that share subjects.

    Parameters
    ----------
    group
        (units,) number of the group of each unit. A unit is the samples of one subject in one group.
    subject
        (units,) number of the subject of each unit.
    hits, trials
        (units,) counts of each unit, with at least one trial each.
    generator
        Source of randomness.

    Notes
    -----
    A subject with samples in one group only is reassigned with all of its samples. A subject with samples in several groups
    keeps them, and its samples are permuted among its groups.

    Subjects of one group may have more samples each than those of another; after reassignment the variance of a group's rate
    is then larger or smaller than before. Studentized differences have the same distribution in either case (Chung and Romano
    2013, Ann. Stat. 41). So each permutation gives two statistics for each comparison: the difference divided by its standard
    error in the permutation, and divided by that of the observed groups. The larger of the two counts. (In simulations the
    second alone rejected a true null hypothesis in up to 42 % of cases, the first alone in 20 % with ten subjects, both
    together in at most 7 %.)

    Units with equal hits and trials are interchangeable, so the number of each kind in each group is a random table with fixed
    margins, drawn kind by kind as nested hypergeometric counts. The cost grows with the number of kinds, not of subjects.
    """

    effort: ClassVar[int] = 5

    def __init__(
        self, group: ArrayLike, subject: ArrayLike, hits: ArrayLike, trials: ArrayLike, generator: np.random.Generator
    ) -> None:
        self._group, self._subject, self._hits, self._trials = (np.asarray(a, np.int64) for a in (group, subject, hits, trials))
        self._generator = generator
        self._groups = int(self._group.max()) + 1
        self.comparisons = Comparisons.of(self._groups)
        _, number, units_of_subject = np.unique(self._subject, return_inverse=True, return_counts=True)
        self._varies = units_of_subject[number] > 1
        self._units = np.bincount(self._group, minlength=self._groups).astype(np.int64)
        self.degrees_of_freedom = float(max(self._units.min() - 1, 1))
        self._pooled, self._correlation = _pooled_rate(self._hits, self._trials)
        sums = np.array([np.bincount(self._group, power, self._groups) for power in _powers(self._hits, self._trials)])
        rates, errors = self._rates_and_errors(sums[:, None, :])
        self.difference = differences(rates[0], self.comparisons)
        self.scale = np.hypot(errors[0, self.comparisons.one], errors[0, self.comparisons.other])
        self.observed = np.divide(np.abs(self.difference), self.scale, out=np.zeros_like(self.scale), where=self.scale > 0)

    def draw(self, permutations: int) -> tuple[Floats, Floats]:
        """Largest studentized difference, and gap, of further permutations."""
        largest, gaps = np.empty(permutations), np.empty(permutations)
        for part in chunks(permutations, 4 * len(self.comparisons)):
            count = part.stop - part.start
            sums = self._between_subjects(count) + self._within_subjects(count)
            rates, errors = self._rates_and_errors(sums)
            size = np.abs(differences(rates, self.comparisons))
            scale = np.hypot(errors[:, self.comparisons.one], errors[:, self.comparisons.other])
            # Nothing varies where the pooled rate is 0 or 1. Then no permutation has a difference.
            least = np.where((scale > 0) & (self.scale > 0), np.minimum(scale, self.scale), np.inf)
            largest[part] = (size / least).max(axis=1)
            gaps[part] = np.ptp(rates[:, : self._groups], axis=1)
        return largest, gaps

    @property
    def units(self) -> Units:
        """What was tested."""
        return Units(self._group, self._hits, self._trials, shared=bool(self._varies.any()))

    def single(self, comparison: int) -> PermutationTest | None:
        """The test of one comparison with only its own subjects."""
        if len(self.comparisons) == 1:
            return None
        one, other = self.comparisons.members(comparison)
        side = np.where(np.isin(self._group, one), 0, np.where(np.isin(self._group, other), 1, -1))
        # Units of one subject on one side are one unit.
        used = side >= 0
        _, first, number = np.unique(
            np.stack([self._subject[used], side[used]]), axis=1, return_index=True, return_inverse=True
        )
        hits, trials = (np.bincount(number.ravel(), a[used]).astype(np.int64) for a in (self._hits, self._trials))
        return SubjectTest(side[used][first], self._subject[used][first], hits, trials, self._generator)

    def _between_subjects(self, permutations: int) -> Floats:
        """(5, permutations, groups) sums over the reassigned units of subjects with samples in one group only."""
        sums = np.zeros((_POWERS, permutations, self._groups))
        fixed = ~self._varies
        if not fixed.any():
            return sums
        units = np.bincount(self._group[fixed], minlength=self._groups).astype(np.int64)
        k, n = self._hits[fixed], self._trials[fixed]
        kinds, number = np.unique(np.stack([k, n], axis=1), axis=0, return_counts=True)
        room = np.broadcast_to(units, (permutations, self._groups)).copy()
        for (hits, trials), count in zip(kinds, number, strict=True):
            assigned = assign_units(room, int(count), self._generator)
            room -= assigned
            sums += np.array(_powers(hits, trials), float)[:, None, None] * assigned
        return sums

    def _within_subjects(self, permutations: int) -> Floats:
        """(5, permutations, groups) sums over subjects whose samples are permuted among their own groups."""
        sums = np.zeros((_POWERS, permutations, self._groups))
        if not self._varies.any():
            return sums
        trials, hits = self._table(self._trials), self._table(self._hits).sum(axis=1)
        if len(trials) > _DIRECT_SUBJECTS:
            return self._normal_sums(trials, hits, permutations)
        for n, k in zip(trials, hits, strict=True):
            drawn = self._generator.multivariate_hypergeometric(n, int(k), size=permutations, method="marginals")
            sums += np.array(_powers(drawn, np.broadcast_to(n, drawn.shape)), float)
        return sums

    def _normal_sums(self, trials: Counts, hits: Counts, permutations: int) -> Floats:
        """The same for many subjects: the sum of their hits is normal, and its squares hardly vary."""
        n, size = trials.astype(float), trials.sum(axis=1).astype(float)
        rate = hits / size
        mean = rate[:, None] * n
        factor = rate * (1 - rate) / np.maximum(size - 1, 1)
        covariance = np.diag((factor * size) @ n) - np.einsum("s,sg,sh->gh", factor, n, n)
        variance = factor[:, None] * n * (size[:, None] - n)
        drawn = mean.sum(axis=0) + self._generator.multivariate_normal(
            np.zeros(self._groups), covariance, size=permutations, method="eigh"
        )
        powers = (mean, n, mean**2 + variance, mean * n, n**2)
        sums = np.broadcast_to(
            np.stack([p.sum(axis=0) for p in powers])[:, None, :], (_POWERS, permutations, self._groups)
        ).copy()
        sums[0] = drawn
        return sums

    def _table(self, counts: Counts) -> Counts:
        """(subjects, groups) counts of the subjects with samples in several groups."""
        subjects = np.unique(self._subject[self._varies], return_inverse=True)[1]
        table = np.zeros((int(subjects.max()) + 1, self._groups), np.int64)
        np.add.at(table, (subjects, self._group[self._varies]), counts[self._varies])
        return table

    def _rates_and_errors(self, sums: Floats) -> tuple[Floats, Floats]:
        """(permutations, 2 groups) rates of groups and rests, and their standard errors, from (5, permutations, groups) sums.

        The error is that of a ratio of sums (Cochran 1977, Sampling Techniques, 2.11), and at least that of units with the
        pooled rate and the pooled correlation within units: a few units that happen to be equal do not have a variance of 0.
        """
        hits, trials, hits2, both, trials2 = with_rests(sums)
        units = with_rests(self._units)
        rate = np.clip(hits / trials, 0, 1)
        squares = np.maximum(hits2 - 2 * rate * both + rate * rate * trials2, 0)
        least = self._pooled * (1 - self._pooled) * (trials + self._correlation * (trials2 - trials))
        error: Floats = np.sqrt(np.maximum(squares * units / np.maximum(units - 1, 1), least)) / trials
        return rate, error


def permutation_test_of_subjects(
    group: ArrayLike,
    hits: ArrayLike,
    trials: ArrayLike,
    *,
    permutations: int,
    generator: np.random.Generator,
    confidence: float = 0.95,
    subject: ArrayLike | None = None,
) -> PermutationResult:
    """Permutation test of the differences between groups of samples that share subjects (see `SubjectTest`).

    Parameters
    ----------
    group, hits, trials
        (units,) group and counts of each unit.
    permutations, generator, confidence
        As for `fairfer.stats.permutation_test`.
    subject
        (units,) subject of each unit; one of its own for each when omitted.
    """
    number = np.arange(len(np.asarray(group))) if subject is None else subject
    return run_test(SubjectTest(group, number, hits, trials, generator), permutations, confidence)


def _powers(hits: Counts, trials: Counts) -> tuple[Counts, Counts, Counts, Counts, Counts]:
    return hits, trials, hits * hits, hits * trials, trials * trials


def _pooled_rate(hits: Counts, trials: Counts) -> tuple[float, float]:
    """Pooled rate, and the correlation of samples of one unit by moments; 0 where it would be negative."""
    pooled = float(hits.sum() / trials.sum())
    squares = float(((hits - pooled * trials) ** 2).sum())
    pairs = float((trials * (trials - 1)).sum())
    spread = pooled * (1 - pooled)
    return pooled, min(max((squares / spread - float(trials.sum())) / pairs, 0.0), 1.0) if spread and pairs else 0.0


def assign_units(room: Counts, units: int, generator: np.random.Generator) -> Counts:
    """(permutations, groups) number of `units` units assigned to each group; `room` is the number of units each can take."""
    assigned = np.empty_like(room)
    remaining = np.full(len(room), units, np.int64)
    room_after = room.sum(axis=1)
    last = room.shape[1] - 1
    for g in range(room.shape[1]):
        room_after = room_after - room[:, g]
        assigned[:, g] = remaining if g == last else generator.hypergeometric(room[:, g], room_after, remaining)
        remaining = remaining - assigned[:, g]
    return assigned
