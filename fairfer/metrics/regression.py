"""Covariate-standardized differences from a logistic GEE model: a second opinion beside direct standardization."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fairfer.metrics.option_results import GeeDifference, GeeRowStatus
from fairfer.metrics.results import GroupValue, Rate, StandardizedGap
from fairfer.stats import benjamini_hochberg
from fairfer.stats.gee import MarginalRates, marginal_rates
from fairfer.vocabulary import ALL, Group, Grouping, is_annotated

if TYPE_CHECKING:
    from fairfer.metrics.counts import Integers
    from fairfer.metrics.metric_settings import MetricSettings

MODELED_RATES = ("TPR", "accuracy")
_PAIR = 2


@dataclass(frozen=True)
class Outcomes:
    """Samples of an audit as a regression takes them.

    Attributes
    ----------
    has, recognized
        (samples,) by label: whether a sample has it, and whether it was then predicted.
    truth, correct
        (samples,) number of the true label, and whether it was predicted; ``None`` for multi-label data.
    group
        (samples,) by grouping: number of the group in `groups`.
    groups
        Groups of each grouping.
    covariates
        (samples, columns) number of the level of each column.
    subject
        (samples,) number of the subject.
    """

    has: Mapping[str, np.ndarray]
    recognized: Mapping[str, np.ndarray]
    truth: Integers | None
    correct: np.ndarray | None
    group: Mapping[Grouping, Integers]
    groups: Mapping[Grouping, Sequence[Group]]
    covariates: Integers
    subject: Integers


def gee_differences(
    outcomes: Outcomes, rates: Sequence[Rate], standardized: Sequence[StandardizedGap], settings: MetricSettings
) -> list[GeeDifference]:
    """Differences between groups in TPR and accuracy at equal covariates.

    Parameters
    ----------
    outcomes
        Samples.
    rates
        All rates of the audit: a group takes part when its rate has a large enough denominator and it is annotated.
    standardized
        Directly standardized gaps, whose groups are compared.
    settings
        Confidence.

    Returns
    -------
    list of GeeDifference
        With p-values adjusted over all of them. The model of a TPR has the groups and the covariates, that of the accuracy the
        true label too.
    """
    members: dict[tuple[Grouping, str, str], list[Rate]] = {}
    for rate in rates:
        if rate.attribute and rate.rate in MODELED_RATES:
            members.setdefault((rate.attribute, rate.label, rate.rate), []).append(rate)
    gaps = {(g.attribute, g.label, g.rate): g for g in standardized if g.status == "ok"}
    rows = [_difference(outcomes, of_key, gaps.get(key), settings) for key, of_key in members.items()]
    tested = [i for i, r in enumerate(rows) if r.p is not None]
    adjusted = benjamini_hochberg([r.p for r in rows if r.p is not None])
    for i, q in zip(tested, adjusted, strict=True):
        rows[i] = rows[i].model_copy(update={"q": float(q)})
    return rows


def _difference(
    outcomes: Outcomes, members: Sequence[Rate], gap: StandardizedGap | None, settings: MetricSettings
) -> GeeDifference:
    first = members[0]
    usable = [m.group for m in members if m.status == "ok" and is_annotated(m.group)]
    number = np.full(len(outcomes.groups[first.attribute]), -1)
    number[[list(outcomes.groups[first.attribute]).index(g) for g in usable]] = np.arange(len(usable))
    member = number[outcomes.group[first.attribute]]
    used = member >= 0
    covariates = outcomes.covariates
    if first.label == ALL:
        if outcomes.truth is None or outcomes.correct is None:  # pragma: no cover - accuracy exists for one label per sample
            raise ValueError(first.rate)
        outcome, covariates = outcomes.correct, np.column_stack([outcomes.truth, covariates])
    else:
        used, outcome = used & outcomes.has[first.label], outcomes.recognized[first.label]
    samples, subjects = int(used.sum()), len(np.unique(outcomes.subject[used]))
    if len(usable) < _PAIR:
        return _row(first, None, "too_few_groups", (samples, subjects))
    model = marginal_rates(outcome[used], member[used], covariates[used], outcomes.subject[used])
    if model.status != "ok":
        return _row(first, None, model.status, (samples, subjects))
    return _row(first, _compared(model, usable, gap, settings), "ok", (samples, subjects), gap, model)


@dataclass(frozen=True)
class _Comparison:
    """The groups compared, their difference with its limits, and the rates of all groups."""

    worst: Group
    best: Group
    difference: float
    low: float
    high: float
    groups: list[GroupValue]


def _compared(
    model: MarginalRates, usable: Sequence[Group], gap: StandardizedGap | None, settings: MetricSettings
) -> _Comparison:
    from scipy import special  # slow to import

    student = float(special.stdtrit(model.degrees_of_freedom, 1 - settings.tail))
    worst, best = int(np.argmin(model.rate)), int(np.argmax(model.rate))
    if gap is not None and gap.worst in usable and gap.best in usable:
        worst, best = usable.index(gap.worst), usable.index(gap.best)
    contrast = np.zeros(len(usable))
    contrast[best] += 1
    contrast[worst] -= 1
    difference = float(contrast @ model.rate)
    half = student * math.sqrt(max(float(contrast @ model.covariance @ contrast), 0.0))
    errors = student * np.sqrt(np.diag(model.covariance))
    values = [
        GroupValue(group=g, value=float(v), low=float(max(v - e, 0)), high=float(min(v + e, 1)))
        for g, v, e in zip(usable, model.rate, errors, strict=True)
    ]
    return _Comparison(
        usable[worst], usable[best], difference, max(difference - half, -1.0), min(difference + half, 1.0), values
    )


def _row(
    first: Rate,
    compared: _Comparison | None,
    status: GeeRowStatus,
    sizes: tuple[int, int],
    gap: StandardizedGap | None = None,
    model: MarginalRates | None = None,
) -> GeeDifference:
    return GeeDifference(
        label=first.label,
        attribute=first.attribute,
        rate=first.rate,
        worst=compared.worst if compared else None,
        best=compared.best if compared else None,
        difference=compared.difference if compared else None,
        low=compared.low if compared else None,
        high=compared.high if compared else None,
        standardized=gap.difference if gap else None,
        p=model.p if model else None,
        q=None,
        correlation=model.correlation if model else None,
        samples=sizes[0],
        subjects=sizes[1],
        status=status,
        groups=compared.groups if compared else [],
    )
