"""Tables of directly standardized gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairfer.metrics.results import StandardizedGap
from fairfer.report.tables.gaps import extreme_groups, identity
from fairfer.report.tables.table import Table, as_csv, models_as_csv
from fairfer.report.text.numbers import p_value, rate, share

if TYPE_CHECKING:
    from fairfer.report.view import View

_REASONS = {"too_few_groups": "too few groups", "no_common_strata": "no common strata"}


def standardized_gaps_csv(view: View) -> str:
    """``standardized_gaps.csv``: every standardized gap."""
    return models_as_csv(StandardizedGap, view.audit.standardized, without=("groups",))


def standardized_rates_csv(view: View) -> str:
    """``standardized_rates.csv``: the standardized rate of each group."""
    columns = ("label", "attribute", "rate", "group", "value", "low", "high")
    rows = (
        {"label": gap.label, "attribute": gap.attribute, "rate": gap.rate, **dict(value)}
        for gap in view.audit.standardized
        for value in gap.groups
    )
    return as_csv(columns, rows)


def standardized_table(view: View) -> Table:
    """Each gap before and after direct standardization."""
    rows = [
        (
            *identity(view, g),
            rate(g.unstandardized),
            rate(g.difference),
            rate(g.expected_by_chance),
            p_value(g.q),
            rate(g.low),
            rate(g.high),
            *extreme_groups(g),
            share(g.covered_share) if g.status == "ok" else _REASONS[g.status],
        )
        for g in view.standardized
    ]
    columns = (
        "grouping", view.noun, "rate", "gap before", "standardized gap", "expected by chance", "q", "lower bound",
        "upper bound", "least favorable", "most favorable", "faces compared",
    )  # fmt: skip
    return Table(f"Gaps, directly standardized for {view.strata}", columns, tuple(rows), heads=3)
