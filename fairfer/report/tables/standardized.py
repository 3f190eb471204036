"""Tables of directly standardized gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairfer.metrics.results import StandardizedGap
from fairfer.report.tables.gaps import extreme_groups, identity
from fairfer.report.tables.table import Table, as_csv, models_as_csv
from fairfer.report.text.numbers import DASH, p_value, rate, share, signed

if TYPE_CHECKING:
    from fairfer.report.view import View

_REASONS = {"too_few_groups": "too few groups", "no_common_strata": "no common strata"}
"""Why there is no standardized gap; one without variation exists but cannot be tested."""


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
    """Each gap: the share of faces that can be compared, the gap before and after direct standardization, and the change."""
    rows = [
        (
            *identity(view, g),
            share(g.covered_share) if g.difference is not None else _REASONS[g.status],
            *(signed(x) if x is not None and x < 0 else rate(x) for x in (g.unstandardized, g.standardized)),
            signed(g.change),
            f"{signed(g.change_low)} to {signed(g.change_high)}" if g.change is not None else DASH,
            rate(g.difference),
            *extreme_groups(g),
            rate(g.expected_by_chance),
            p_value(g.q),
            rate(g.low),
            rate(g.high),
        )
        for g in view.standardized
    ]
    columns = (
        "grouping", view.noun, "rate", "faces compared", "gap before", "gap after", "change",
        "confidence interval of the change", "largest standardized gap", "least favorable", "most favorable",
        "expected by chance", "q", "lower bound", "upper bound",
    )  # fmt: skip
    return Table(f"Gaps, directly standardized for {view.strata}", columns, tuple(rows), heads=3)
