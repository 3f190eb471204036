"""Sensitivity of gaps to errors in attributes that a model inferred.

Two analyses. *Correction for annotation error*: see `fairfer.metrics.annotation_error`. *Probabilistic group membership*: where
the inferring model gave probabilities, each sample counts for every group with its probability of belonging to it. That dilutes
a gap by itself: with calibrated probabilities a true gap of 0.20 may be 0.12 between most likely groups and 0.09 between
probabilistic ones, so a smaller value is no evidence against a gap (Chen et al. 2019, FAT*).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairfer.errors import DataError
from fairfer.metrics.annotation_error import Correction, InferredAttributes, extremes
from fairfer.metrics.gaps import FAVORABLE
from fairfer.metrics.results import AnnotationSensitivity, Gap, ProbabilisticGap, Rate, WeightedRate
from fairfer.metrics.weighted_rates import weighted_rate
from fairfer.stats import Estimates, estimate_ratio
from fairfer.vocabulary import UNANNOTATED, Group, Grouping

if TYPE_CHECKING:
    from fairfer.datasets.attributes import Attribute
    from fairfer.metrics.counts import Counts
    from fairfer.metrics.metric_settings import MetricSettings
    from fairfer.metrics.subjects import RateKey

_ROUNDED = 0.02
"""Probabilities of one sample must sum to 1 within this; they are often stored with few decimals."""

Floats = NDArray[np.float64]


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
    affected = [g for g in gaps if g.difference is not None and attributes.inferred & set(g.attribute)]
    correction = Correction(attributes, settings, subjects)
    corrected = [row for g in affected for row in correction.of(g, rates)]
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
            subjects = len(np.unique(weights.unit[members][trials > 0])) if by_subject else None
            key = (grouping, group, label, rate)
            rows.append(weighted_rate(key, float(trials.sum()), estimate, settings, subjects=subjects))
    return rows


def _probabilistic_gap(gap: Gap, rates: Sequence[Rate], values: Mapping[RateKey, float | None]) -> ProbabilisticGap:
    worst, best = extremes(gap)
    most_likely = {
        r.group: r.value or 0.0 for r in rates if (r.label, r.attribute, r.rate) == (gap.label, gap.attribute, gap.rate)
    }
    worst_value, best_value = (values.get((gap.attribute, g, gap.label, gap.rate)) for g in (worst, best))
    sign = FAVORABLE[gap.rate]
    return ProbabilisticGap(
        label=gap.label,
        attribute=gap.attribute,
        rate=gap.rate,
        worst=worst,
        best=best,
        most_likely=sign * (most_likely[best] - most_likely[worst]) + 0.0,
        probabilistic=None if worst_value is None or best_value is None else sign * (best_value - worst_value) + 0.0,
        worst_value=worst_value,
        best_value=best_value,
    )
