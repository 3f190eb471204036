"""Differences between the means of groups for many measures at once, with one max-T permutation test over all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from fairfer.stats.comparisons import Comparisons, with_rests
from fairfer.stats.permutation import TIE, Counts, chunks
from fairfer.stats.permuted_units import Units, means_of, permuted_groups, totals, units_of
from fairfer.stats.unit_sums import NO_SPREAD, Sums, as_student, statistic

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from fairfer.stats.intervals import Floats
    from fairfer.stats.permuted_units import Indices, Labels

PERMUTATIONS = 10_000
_CELLS = 4_000_000
"""Numbers in one working array, so that memory grows neither with the permutations nor with the measures."""

_PAIR = 2


@dataclass(frozen=True)
class MeanDifferences:
    """Differences between groups for many measures.

    A value that is not defined is NaN: one side has too few samples or units, or the measure does not vary.

    Attributes
    ----------
    comparisons
        What is compared: all pairs of groups and, with three or more, each group with the rest.
    samples, units
        (groups, measures): samples with a value of the measure, and independent units (subjects, where given).
    mean
        (groups, measures).
    raw
        (comparisons, measures): difference of the means.
    expected
        (comparisons, measures): the difference that the strata alone would make: that of groups whose samples all have the mean
        of their stratum. 0 without strata.
    difference
        (comparisons, measures): ``raw - expected``, which is tested.
    error
        (comparisons, measures): its standard error.
    standardized
        (comparisons, measures): the difference divided by the standard deviation of samples within the two sides and strata.
    low, high
        (comparisons, measures): simultaneous confidence limits of the difference: all of them hold together with the stated
        confidence.
    p
        (comparisons, measures): p-value, adjusted for all comparisons of all measures.
    critical
        Critical value of the studentized differences, as a normal quantile: the confidence's quantile of the largest one under
        permutation.
    permutations
        How many were drawn.
    """

    comparisons: Comparisons
    samples: Counts
    units: Counts
    mean: Floats
    raw: Floats
    expected: Floats
    difference: Floats
    error: Floats
    standardized: Floats
    low: Floats
    high: Floats
    p: Floats
    critical: float
    permutations: int

    @property
    def p_of_any(self) -> float:
        """p-value of the hypothesis that no measure differs between groups: the smallest adjusted one, 1 if there is none."""
        defined = self.p[np.isfinite(self.p)]
        return float(defined.min()) if len(defined) else 1.0


def mean_differences(
    values: ArrayLike,
    group: ArrayLike,
    *,
    generator: np.random.Generator,
    subject: ArrayLike | None = None,
    stratum: ArrayLike | None = None,
    permutations: int = PERMUTATIONS,
    confidence: float = 0.95,
    minimum: int = 2,
    minimum_units: int = 2,
) -> MeanDifferences:
    """Compare the means of groups for many measures, with p-values and intervals adjusted for all of them.

    Parameters
    ----------
    values
        (samples, measures) numbers; NaN where a sample has no value of a measure.
    group
        (samples,) number of each sample's group: 0, 1, …, each with at least one sample.
    generator
        Source of randomness.
    subject
        (samples,) number of the subject that each sample shows. Samples are independent when omitted.
    stratum
        (samples,) number of the stratum of each sample, such as its combination of true and predicted label: differences
        between strata are not differences between groups.
    permutations
        Number of permutations.
    confidence
        Of the simultaneous limits.
    minimum, minimum_units
        Samples and units (subjects) with a value of a measure that each side of a comparison needs to be tested. Samples of
        smaller groups count in the rest of other groups and in the means of strata.

    Returns
    -------
    MeanDifferences

    Raises
    ------
    ValueError
        When the arrays do not fit, or there are fewer than two groups.

    Notes
    -----
    The test is the single-step max-T procedure (Westfall and Young 1993, Resampling-Based Multiple Testing, 2.3). Groups are
    permuted jointly for all measures, and an adjusted p-value is (1 + permutations in which the largest statistic of any
    measure and comparison is at least as large) / (1 + permutations). Dependence between measures is thus taken into
    account.

    The statistic is the difference divided by its standard error, which is computed anew in each permutation: so the test
    remains valid, in large samples, for groups that differ in variance but not in mean (Chung and Romano 2013, Ann. Stat. 41).
    It is converted to the normal quantile with the same tail probability as Student's t with Satterthwaite's degrees of
    freedom, so that statistics of small and large groups are comparable. The standard error is that with separate variances
    (Welch), and at least half of that with a pooled variance: a small group in which a measure happens not to vary would
    otherwise have enormous statistics, in permutations too.

    Without subjects, groups are permuted among the samples of each stratum, and the test is exact if these are exchangeable.
    With subjects, they are permuted among the subjects, each with all of its samples, and standard errors are those of subjects
    (ratio of sums: Cochran 1977, Sampling Techniques, 2.11). If any subject has samples in several strata, permutation is not
    restricted to strata, which then are accounted for by their means only. A subject with samples in several groups is a
    stratum of its own, and its samples are permuted.
    """
    table, units = _checked(values, group, subject, stratum)
    comparisons = Comparisons.of(int(units.group.max()) + 1)
    entropy = int(generator.integers(2**63))
    largest = np.zeros(permutations)
    described = []
    least = minimum, max(minimum_units, 2)
    for batch in _batches(table):
        blocks = []
        for columns, rows in batch:
            part_of_table = np.asarray(table[np.ix_(rows, columns)], float)
            block = _Block.of(part_of_table, rows, units, comparisons, least)
            described.append((columns, _describe(block, part_of_table, units, rows)))
            blocks.append(block)
        for part, labels in permuted_groups(units, permutations, entropy):
            largest[part] = np.max([largest[part], *(block.largest(labels) for block in blocks)], axis=0)
    return _result(described, table.shape[1], largest, comparisons, confidence)


@dataclass(frozen=True)
class _Described:
    """The results of one block of measures that do not depend on the others; as the fields of `MeanDifferences`."""

    samples: Counts
    units: Counts
    mean: Floats
    raw: Floats
    expected: Floats
    difference: Floats
    error: Floats
    standardized: Floats
    freedom: Floats
    statistic: Floats


@dataclass(frozen=True)
class _Block:
    """Measures that are defined for the same samples.

    Attributes
    ----------
    present
        (present units,) units with a sample in the block.
    numbers
        (present units, 3): 1, n and n², with n the unit's number of samples.
    features
        (present units, 2 or 3 times measures): T, T² and, unless each unit has one sample (`single`), T n, with T the sum of
        the unit's values.
    centered
        (samples, measures): values without the mean of their stratum, divided by the scale.
    scale
        (measures,): standard deviation of the values; NaN for a measure that does not vary.
    tested
        (comparisons,) whether both sides have enough samples and units.
    """

    present: Indices
    numbers: Floats
    features: Floats
    single: bool
    centered: Floats
    scale: Floats
    comparisons: Comparisons
    tested: NDArray[np.bool_]

    @classmethod
    def of(cls, values: Floats, rows: Indices, units: Units, comparisons: Comparisons, least: tuple[int, int]) -> _Block:
        """Prepare a block: values (samples, measures) of the samples `rows`."""
        spread = values.std(axis=0)
        scale = np.where(spread > NO_SPREAD * np.abs(values).max(axis=0), spread, np.nan)
        centered = np.nan_to_num((values - means_of(values, units.stratum[rows])) / scale)
        present, unit = np.unique(units.of[rows], return_inverse=True)
        single = len(present) == len(rows)
        total = centered[np.argsort(unit)] if single else totals(centered, unit)
        n = np.bincount(unit).astype(float)
        numbers = np.stack([np.ones(len(n)), n, n * n], axis=1)
        features = np.concatenate([total, total * total] if single else [total, total * total, total * n[:, None]], axis=1)
        group = units.group[present]
        sides = with_rests([np.bincount(group, w, comparisons.groups) for w in (n, np.ones(len(n)))])
        enough: NDArray[np.bool_] = np.logical_and.reduce(sides >= np.array(least)[:, None], axis=0)
        tested = enough[comparisons.one] & enough[comparisons.other]
        return cls(present, numbers, features, single, centered, scale, comparisons, tested)

    def sums(self, labels: Labels) -> Sums:
        """Sums by group for (permutations, units) groups of the units."""
        member = [(labels[:, self.present] == g).astype(float) for g in range(self.comparisons.groups)]
        counts = np.stack([m @ self.numbers for m in member], axis=1)
        parts = np.split(np.stack([m @ self.features for m in member], axis=1), 2 if self.single else 3, axis=2)
        number, n, n2 = (counts[:, :, i, None] for i in range(3))
        return Sums(number, n, n2, parts[0], parts[1], parts[0] if self.single else parts[2])

    def largest(self, labels: Labels) -> Floats:
        """(permutations,) largest statistic of any measure and comparison."""
        largest = np.zeros(len(labels))
        width = len(self.scale) * 4 * max(len(self.comparisons), 2 * self.comparisons.groups) + len(self.present)
        for part in chunks(len(labels), width):
            difference, error, freedom = self.sums(labels[part]).compare(self.comparisons)
            observed = np.nan_to_num(statistic(difference, error, freedom), nan=0, posinf=np.inf)
            largest[part] = observed[:, self.tested].max(axis=(1, 2), initial=0)
        return largest


def _describe(block: _Block, values: Floats, units: Units, rows: Indices) -> _Described:
    """Describe a block with these values of the samples `rows`."""
    comparisons, scale = block.comparisons, block.scale
    difference, error, freedom = (a[0] for a in block.sums(units.group[None, :].astype(np.int16)).compare(comparisons))
    difference = np.where(block.tested[:, None], difference, np.nan)
    error = np.where(np.isfinite(difference), error, np.nan)
    group = units.group[units.of[rows]]
    measures = values.shape[1]
    number = np.bincount(group, minlength=comparisons.groups)
    of_unit = units.group[np.unique(units.of[rows])]
    samples, subjects = (
        np.repeat(c[:, None], measures, axis=1) for c in (number, np.bincount(of_unit, minlength=comparisons.groups))
    )
    summed = (Sums(*_by_sample(v, group, comparisons.groups)).with_rests(comparisons) for v in (values, block.centered))
    sums, centered = summed
    mean = np.where(sums.n[0] > 0, sums.mean()[0], np.nan)
    one, other = comparisons.one, comparisons.other
    squares, n = centered.squares()[0], centered.n[0]
    deviation = np.sqrt((squares[one] + squares[other]) / np.maximum(n[one] + n[other] - _PAIR, 1))
    raw = np.where(np.isfinite(difference), mean[one] - mean[other], np.nan)
    expected = raw - difference * scale
    return _Described(
        samples,
        subjects,
        mean[: comparisons.groups],
        raw,
        np.where(np.abs(expected) <= NO_SPREAD * scale, 0, expected),
        difference * scale,
        error * scale,
        np.divide(difference, deviation, out=np.full_like(difference, np.nan), where=deviation > NO_SPREAD),
        freedom,
        np.where(np.isfinite(error * scale), statistic(difference, error, freedom), np.nan),
    )


def _by_sample(values: Floats, group: Indices, groups: int) -> tuple[Floats, ...]:
    """The arrays of `Sums` for samples that are their own units."""
    member = (group == np.arange(groups)[:, None]).astype(float)
    n = member.sum(axis=1)[None, :, None]
    t = (member @ values)[None]
    return n, n, n, t, (member @ (values * values))[None], t


def _result(
    blocks: list[tuple[Indices, _Described]], measures: int, largest: Floats, comparisons: Comparisons, confidence: float
) -> MeanDifferences:
    joined = {f.name: np.full((len(comparisons), measures), np.nan) for f in fields(_Described)}
    joined["mean"] = np.full((comparisons.groups, measures), np.nan)
    joined |= {name: np.zeros((comparisons.groups, measures), np.int64) for name in ("samples", "units")}
    for columns, described in blocks:
        for name, values in joined.items():
            values[:, columns] = getattr(described, name)
    observed, freedom = joined.pop("statistic"), joined.pop("freedom")
    difference, error = joined["difference"], joined["error"]
    critical = float(np.quantile(largest, confidence, method="higher"))
    fewer = np.searchsorted(np.sort(largest), observed - TIE)
    p = np.where(np.isfinite(error), (1 + len(largest) - fewer) / (1 + len(largest)), np.nan)
    reach = np.where(error > NO_SPREAD * np.abs(difference), as_student(critical, freedom) * error, np.nan)
    return MeanDifferences(
        comparisons,
        **joined,
        low=difference - reach,
        high=difference + reach,
        p=p,
        critical=critical,
        permutations=len(largest),
    )


def _batches(values: NDArray[np.generic]) -> Iterator[list[tuple[Indices, Indices]]]:
    """Blocks of measures that fit into memory together, so that permutations are drawn once for all of them."""
    batch: list[tuple[Indices, Indices]] = []
    size = 0
    for columns, rows in _column_blocks(values):
        if size + len(columns) * len(rows) > _CELLS and batch:
            yield batch
            batch, size = [], 0
        batch.append((columns, rows))
        size += len(columns) * len(rows)
    if batch:
        yield batch


def _column_blocks(values: NDArray[np.generic]) -> Iterator[tuple[Indices, Indices]]:
    """Measures that are defined for the same samples, at most so many that they fit into memory; and these samples."""
    present = np.isfinite(values)
    patterns: dict[bytes, list[int]] = {}
    for column, key in enumerate(np.packbits(present, axis=0).T):
        patterns.setdefault(key.tobytes(), []).append(column)
    for columns in patterns.values():
        rows = np.flatnonzero(present[:, columns[0]])
        step = max(1, _CELLS // max(len(rows), 1))
        for start in range(0, len(columns) if len(rows) else 0, step):
            yield np.array(columns[start : start + step]), rows


def _checked(
    values: ArrayLike, group: ArrayLike, subject: ArrayLike | None, stratum: ArrayLike | None
) -> tuple[NDArray[np.generic], Units]:
    table, groups = np.asarray(values), np.asarray(group, np.intp)
    none = np.zeros(len(table), np.intp)
    strata = none if stratum is None else np.unique(np.asarray(stratum), return_inverse=True)[1]
    subjects = np.arange(len(table)) if subject is None else np.unique(np.asarray(subject), return_inverse=True)[1]
    if table.ndim != _PAIR or not groups.shape == strata.shape == subjects.shape == (len(table),):
        message = (
            f"values have the shape {table.shape}, groups {groups.shape}; values need (samples, measures), each sample a group"
        )
        raise ValueError(message)
    if np.isinf(table).any():
        message = "a value is infinite"
        raise ValueError(message)
    if len(np.unique(groups)) < _PAIR or set(np.unique(groups)) != set(range(int(groups.max()) + 1)):
        message = f"groups are {sorted(set(groups.tolist()))}; they need the numbers 0, 1, … of at least two groups"
        raise ValueError(message)
    return table, units_of(groups, strata, None if subject is None else subjects)
