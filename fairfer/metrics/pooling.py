"""Partial pooling: the rates of small intersections, drawn toward those of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from fairfer.metrics.option_results import PooledRate
from fairfer.metrics.rates import estimates as estimates_of
from fairfer.stats.beta_binomial import PooledRates, partial_pooling
from fairfer.vocabulary import Grouping, is_annotated

if TYPE_CHECKING:
    import numpy as np

    from fairfer.metrics.metric_settings import MetricSettings
    from fairfer.metrics.results import Rate

POOLED_RATES = ("TPR", "FPR", "accuracy", "subset accuracy")
_PAIR = 2


def pooled_rates(rates: Sequence[Rate], settings: MetricSettings) -> list[PooledRate]:
    """Partially pooled TPR, FPR and accuracy of every intersection.

    Parameters
    ----------
    rates
        All rates of an audit. Every annotated group with a denominator takes part, however small. With subjects, the effective
        sizes of the rates are used.
    settings
        Confidence.
    """
    members: dict[tuple[Grouping, str, str], list[Rate]] = {}
    for rate in rates:
        if len(rate.attribute) >= _PAIR and rate.rate in POOLED_RATES:
            members.setdefault((rate.attribute, rate.label, rate.rate), []).append(rate)
    return [row for of_key in members.values() for row in _pooled(of_key, settings)]


def _pooled(members: Sequence[Rate], settings: MetricSettings) -> list[PooledRate]:
    usable = [m for m in members if m.denominator and is_annotated(m.group)]
    if len(usable) < _PAIR:
        return [_row(m, None, None) for m in members]
    estimates = estimates_of(usable)
    pooled = partial_pooling(estimates.rate * estimates.size, estimates.size, settings.confidence)
    number = {m.group: i for i, m in enumerate(usable)}
    return [_row(m, pooled, number.get(m.group)) for m in members]


def _row(member: Rate, pooled: PooledRates | None, number: int | None) -> PooledRate:
    def of(values: np.ndarray | None) -> float | None:
        return None if values is None or number is None else float(values[number])

    status: Literal["ok", "not_estimable", "too_few_groups"] = (
        "ok" if number is not None else "too_few_groups" if pooled is None and member.denominator else "not_estimable"
    )
    return PooledRate(
        label=member.label,
        attribute=member.attribute,
        group=member.group,
        rate=member.rate,
        denominator=member.denominator or 0,
        value=member.value,
        low=member.low,
        high=member.high,
        pooled=of(None if pooled is None else pooled.rate),
        pooled_low=of(None if pooled is None else pooled.low),
        pooled_high=of(None if pooled is None else pooled.high),
        own_weight=of(None if pooled is None else pooled.own_weight),
        status=status if is_annotated(member.group) else "unannotated",
    )
