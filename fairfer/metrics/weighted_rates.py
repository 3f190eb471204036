"""The row of a rate over weighted samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairfer.metrics.results import RateStatus, WeightedRate

if TYPE_CHECKING:
    from fairfer.metrics.metric_settings import MetricSettings
    from fairfer.metrics.subjects import RateKey
    from fairfer.stats import Estimates


def weighted_rate(
    key: RateKey,
    weight: float,
    estimate: Estimates,
    settings: MetricSettings,
    faces: float | None = None,
    subjects: int | None = None,
) -> WeightedRate:
    """The row of one rate of one group.

    Parameters
    ----------
    key
        Grouping, group, label and rate.
    weight
        Sum of the weights; the rate is not estimable when it is 0.
    estimate
        Of shape ().
    settings
        Minimum and confidence.
    faces
        Number of equally weighted samples that is compared with the minimum; the effective size when not given.
    subjects
        Number of subjects behind the rate, where several samples show one.
    """
    grouping, group, label, rate = key
    low, high = (float(x) for x in estimate.limits(settings.tail))
    estimable = weight > 0
    size = float(estimate.size) if faces is None else faces
    status: RateStatus = "not_estimable" if not estimable else "small" if size < settings.minimum else "ok"
    if status == "ok" and subjects is not None and subjects < settings.minimum_subjects:
        status = "few_subjects"
    return WeightedRate(
        label=label,
        attribute=grouping,
        group=group,
        rate=rate,
        value=float(estimate.rate) if estimable else None,
        weight=weight,
        effective_size=float(estimate.size) if estimable else 0.0,
        low=low if estimable else None,
        high=high if estimable else None,
        status=status,
    )
