"""A row of a rate over weighted samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairfer.metrics.results import RateStatus, WeightedRate

if TYPE_CHECKING:
    from fairfer.audits.result import AuditPlan
    from fairfer.stats import Estimates


def weighted_rate(
    about: tuple[str, str, str, str], weight: float, known: Estimates, plan: AuditPlan, enough: float | None = None
) -> WeightedRate:
    """The row of one rate of one group.

    Parameters
    ----------
    about
        Label, attribute, group and rate.
    weight
        The sum behind it: nothing can be estimated from 0.
    known
        Of shape ().
    plan
        Minimum and confidence.
    enough
        Equally weighted faces behind it, held against the minimum; the effective size when not given.
    """
    label, attribute, group, rate = about
    low, high = (float(x) for x in known.limits((1 - plan.confidence) / 2))
    there = weight > 0
    faces = float(known.size) if enough is None else enough
    status: RateStatus = "not_estimable" if not there else "small" if faces < plan.minimum else "ok"
    return WeightedRate(
        label=label,
        attribute=attribute,
        group=group,
        rate=rate,
        value=float(known.rate) if there else None,
        weight=weight,
        effective_size=float(known.size) if there else 0.0,
        low=low if there else None,
        high=high if there else None,
        status=status,
    )
