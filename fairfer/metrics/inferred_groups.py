"""Sensitivity of gaps to errors in attributes that a model inferred.

Two analyses. *Probabilistic group membership*: where the inferring model gave probabilities, each sample counts for every group
with its probability of belonging to it. *Correction for annotation error*: if a share of the annotations were wrong, regardless
of what the image shows and of the prediction, the annotated groups would be mixtures of the true ones; inverting the mixture
removes the dilution.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairfer.errors import DataError
from fairfer.metrics.gaps import FAVORABLE
from fairfer.metrics.results import AnnotationSensitivity, CorrectedGap, Gap, ProbabilisticGap, Rate, WeightedRate
from fairfer.metrics.weighted_rates import weighted_rate
from fairfer.stats import Estimates, estimate_ratio, resampled_sums
from fairfer.vocabulary import UNANNOTATED, Group, Grouping, is_annotated

if TYPE_CHECKING:
    from fairfer.datasets.attributes import Attribute
    from fairfer.metrics.counts import Counts
    from fairfer.metrics.metric_settings import MetricSettings
    from fairfer.metrics.subjects import RateKey

ERROR_RATES = (0.0, 0.01, 0.05, 0.1, 0.2)
"""Assumed rates of annotation error."""

RESAMPLES = 1000
_LOST = 0.05
"""When more resamples than this lose a group entirely, the correction is not estimable."""

_ROUNDED = 0.02
"""Probabilities of one sample must sum to 1 within this; they are often stored with few decimals."""

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
    """

    levels: Mapping[str, tuple[str, ...]]
    inferred: frozenset[str]
    probabilistic: frozenset[str]
    without_probabilities: int

    def groups(self, grouping: Grouping) -> list[Group]:
        """The annotated groups of a grouping."""
        return list(itertools.product(*(self.levels[name] for name in grouping)))


def annotation_sensitivity(
    attributes: InferredAttributes,
    rates: Sequence[Rate],
    gaps: Sequence[Gap],
    weighted: Mapping[Grouping, tuple[Counts, Counts]],
    settings: MetricSettings,
    subjects: Mapping[Grouping, Counts] | None = None,
) -> AnnotationSensitivity | None:
    """Both analyses for every gap of a grouping with an inferred attribute; ``None`` when there is no such attribute.

    Parameters
    ----------
    attributes
        Of the audit.
    rates, gaps
        Of the audit.
    weighted
        For each grouping with probabilities, sums of weights and of squared weights (see
        `fairfer.metrics.counts.count_weighted`), by subject where several samples show one.
    settings
        Minimum, confidence, seed.
    subjects
        Counts by subject of each grouping, where several samples show one.
    """
    if not attributes.inferred:
        return None
    affected = [g for g in gaps if g.status == "ok" and attributes.inferred & set(g.attribute)]
    corrected = [row for g in affected for row in _corrected(g, rates, attributes, settings, subjects)]
    by_subject = subjects is not None
    keys = list(dict.fromkeys((r.rate, r.label) for r in rates if r.rate in FAVORABLE))
    probabilistic = [
        r for g, sums in weighted.items() for r in _weighted_rates(g, *sums, keys, settings, by_subject=by_subject)
    ]
    values = {(r.attribute, r.group, r.label, r.rate): r.value for r in probabilistic}
    beside = [_probabilistic_gap(g, rates, values) for g in affected if attributes.probabilistic & set(g.attribute)]
    return AnnotationSensitivity(
        rates=probabilistic, gaps=beside, corrected=corrected, without_probabilities=attributes.without_probabilities
    )


def membership(samples: pd.DataFrame, attribute: Attribute) -> tuple[Floats, NDArray[np.bool_]]:
    """Probability of each sample for each level of an attribute, and which samples lack probabilities.

    Parameters
    ----------
    samples
        With the attribute's column and those of its probabilities.
    attribute
        One with probabilities. One level may lack a column: it has the remainder to 1.

    Returns
    -------
    weights, without
        (samples, levels), rows summing to 1 (0 where unannotated); (samples,) those that count for their annotated level alone.

    Raises
    ------
    DataError
        When a probability is outside 0 to 1, or those of a sample do not sum to 1.
    """
    levels = [n for n in attribute.levels if n != UNANNOTATED]
    lacking = [n for n in levels if n not in attribute.probabilities]
    columns = samples[[attribute.probabilities[n] for n in levels if n in attribute.probabilities]]
    numbers = columns.apply(pd.to_numeric, errors="coerce")
    sums = numbers.sum(axis=1)
    _check_probabilities(attribute, columns, numbers, sums, lacking)
    weights = np.zeros((len(samples), len(levels)))
    for i, level in enumerate(levels):
        weights[:, i] = np.clip(1 - sums, 0, 1) if level in lacking else numbers[attribute.probabilities[level]].to_numpy()
    annotated = samples[attribute.name]
    without = numbers.isna().any(axis=1).to_numpy() & (annotated != UNANNOTATED).to_numpy()
    weights[without] = 0
    weights[without, pd.Index(levels).get_indexer(pd.Index(annotated[without]))] = 1
    weights[(annotated == UNANNOTATED).to_numpy()] = 0
    total = weights.sum(axis=1, keepdims=True)
    return np.divide(weights, total, out=np.zeros_like(weights), where=total > 0), without


def _check_probabilities(
    attribute: Attribute, columns: pd.DataFrame, numbers: pd.DataFrame, sums: pd.Series, lacking: Sequence[str]
) -> None:
    where = f"probabilities of {attribute.name}"
    invalid = numbers.isna() & columns.notna() | (numbers < 0) | (numbers > 1)
    if invalid.any(axis=None):
        first = columns.index[invalid.any(axis=1).to_numpy()][0]
        message = f"{where}, sample {first!r}: not a number from 0 to 1; correct {', '.join(columns.columns)}"
        raise DataError(message)
    if len(lacking) > 1:
        message = f"{where}: no column for {' and '.join(map(repr, lacking))}; at most one level may be the remainder"
        raise DataError(message)
    wrong = numbers.notna().all(axis=1) & ((sums > 1 + _ROUNDED) if lacking else ((sums - 1).abs() > _ROUNDED))
    if wrong.any():
        first = wrong.index[wrong][0]
        message = f"{where}, sample {first!r}: they sum to {sums[wrong].iloc[0]:g}, not 1; correct the table"
        raise DataError(message)


def membership_products(
    grouping: Grouping, memberships: Mapping[str, Floats], levels: Mapping[str, Sequence[str]]
) -> dict[Group, Floats]:
    """(samples,) probability of each group of a grouping; attributes are taken as independent given the sample."""
    weights = {}
    for chosen in itertools.product(*(range(len(levels[n])) for n in grouping)):
        share = np.ones(len(next(iter(memberships.values()))))
        for name, i in zip(grouping, chosen, strict=True):
            share = share * memberships[name][:, i]
        weights[tuple(levels[n][i] for n, i in zip(grouping, chosen, strict=True))] = share
    return weights


def _weighted_rates(
    grouping: Grouping,
    weights: Counts,
    squares: Counts,
    keys: Sequence[tuple[str, str]],
    settings: MetricSettings,
    *,
    by_subject: bool,
) -> list[WeightedRate]:
    """Rates of probabilistic groups; `keys` are rate and label."""
    rows = []
    for i, group in enumerate(weights.groups):
        members = weights.group == i
        for rate, label in keys:
            hits, trials = (np.asarray(x[members], float) for x in weights.fraction(rate, label))
            square = float(squares.fraction(rate, label)[1][members].sum())
            estimate = Estimates.of_weights(float(hits.sum()), float(trials.sum()), square)
            if by_subject:
                estimate = estimate_ratio(hits, trials, weights.unit[members], float(estimate.size))
            rows.append(weighted_rate((grouping, group, label, rate), float(trials.sum()), estimate, settings))
    return rows


def _probabilistic_gap(gap: Gap, rates: Sequence[Rate], values: Mapping[RateKey, float | None]) -> ProbabilisticGap:
    worst, best = _extremes(gap)
    most_likely = {
        r.group: r.value or 0.0 for r in rates if (r.label, r.attribute, r.rate) == (gap.label, gap.attribute, gap.rate)
    }
    low, high = (values.get((gap.attribute, g, gap.label, gap.rate)) for g in (worst, best))
    return ProbabilisticGap(
        label=gap.label,
        attribute=gap.attribute,
        rate=gap.rate,
        worst=worst,
        best=best,
        most_likely=most_likely[best] - most_likely[worst],
        probabilistic=None if low is None or high is None else high - low,
        worst_value=low,
        best_value=high,
    )


def error_matrix(error: float, levels: int) -> Floats:
    """(true, annotated) probability of each annotation: correct with 1 - `error`, else each other level equally likely."""
    if levels == 1:
        return np.ones((1, 1))
    matrix: Floats = np.where(np.eye(levels, dtype=bool), 1 - error, error / (levels - 1)).astype(np.float64)
    return matrix


def correct_counts(counts: Floats, matrix: Floats) -> Floats:
    """(..., groups) counts by true group, from counts by annotated group: the error matrix inverted."""
    solved: Floats = np.linalg.solve(matrix.T, counts[..., None])[..., 0].astype(np.float64)
    return solved


def _corrected(
    gap: Gap,
    rates: Sequence[Rate],
    attributes: InferredAttributes,
    settings: MetricSettings,
    subjects: Mapping[Grouping, Counts] | None,
) -> list[CorrectedGap]:
    by_group = {
        r.group: r
        for r in rates
        if (r.label, r.attribute, r.rate) == (gap.label, gap.attribute, gap.rate) and is_annotated(r.group)
    }
    groups = attributes.groups(gap.attribute)
    hits = np.array([by_group[g].numerator or 0 for g in groups], float)
    trials = np.array([by_group[g].denominator or 0 for g in groups], float)
    extremes = _extremes(gap)
    worst, best = (groups.index(g) for g in extremes)
    cells = np.concatenate([hits, trials - hits])
    generator = settings.stream(gap.attribute, gap.label, gap.rate, "corrected")
    of_subjects = None if subjects is None else _subject_cells(gap, subjects[gap.attribute], groups)
    resampled = _resampled(cells, of_subjects, generator)
    rows = []
    for error in ERROR_RATES:
        matrix: Floats = np.ones((1, 1))
        for name in gap.attribute:
            own = error_matrix(error if name in attributes.inferred else 0.0, len(attributes.levels[name]))
            matrix = np.kron(matrix, own).astype(np.float64)
        difference = _difference(cells, matrix, worst, best)
        again = _difference(resampled, matrix, worst, best)
        estimable = again[np.isfinite(again)]
        ok = bool(np.isfinite(difference)) and len(estimable) >= (1 - _LOST) * RESAMPLES
        low, high = np.quantile(estimable, [settings.tail, 1 - settings.tail]) if ok else (np.nan, np.nan)
        rows.append(
            CorrectedGap(
                label=gap.label,
                attribute=gap.attribute,
                rate=gap.rate,
                worst=extremes[0],
                best=extremes[1],
                error=error,
                difference=float(difference) if ok else None,
                low=float(low) if ok else None,
                high=float(high) if ok else None,
                status="ok" if ok else "not_estimable",
            )
        )
    return rows


def _extremes(gap: Gap) -> tuple[Group, Group]:
    """The worst and the best group; the first two where all rates are equal."""
    if gap.worst is None or gap.best is None or gap.worst == gap.best:
        return gap.groups[0], gap.groups[1]
    return gap.worst, gap.best


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
