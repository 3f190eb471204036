"""Tables of confusion gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairfer.report.tables.table import Table, as_csv
from fairfer.report.text.groups import csv_group, group_words, with_source
from fairfer.report.text.numbers import DASH, rate, ratio

if TYPE_CHECKING:
    from fairfer.metrics.index_results import ConfusionGap
    from fairfer.report.view import View

COLUMNS = (
    "attribute", "truth", "predicted", "worst", "best", "worst_rate", "best_rate", "difference", "ratio", "group",
    "group_rate", "rest_rate", "ratio_to_rest", "low", "high", "p", "q", "status",
)  # fmt: skip

MOST_ROWS = 20
"""The page shows this many; the CSV file has all."""


def confusion_gaps_csv(view: View) -> str:
    """``confusion_gaps.csv``: every confusion of every grouping."""
    return as_csv(COLUMNS, (dict(g) for g in view.audit.confusion_gaps))


def confusion_gaps_table(view: View) -> Table:
    """The confusions with the smallest q."""
    tested = sorted((g for g in view.audit.confusion_gaps if g.q is not None), key=lambda g: (g.q or 0.0, g.p or 0.0))
    columns = (
        "grouping", f"true {view.noun}", "predicted", "group", "rate", "rate of the rest", "ratio", "lower limit",
        "upper limit", "q", "highest", "lowest",
    )  # fmt: skip
    caption = "Confusions per group vs. all other groups compared"
    if len(tested) > MOST_ROWS:
        caption += f": the {MOST_ROWS} with the smallest q of {len(tested)}"
    return Table(caption, columns, tuple(_cells(view, g) for g in tested[:MOST_ROWS]), heads=4)


def _cells(view: View, gap: ConfusionGap) -> tuple[str, ...]:
    return (
        with_source(view.audit, gap.attribute),
        gap.truth,
        gap.predicted,
        group_words(gap.group or ()),
        rate(gap.group_rate, 3),
        rate(gap.rest_rate, 3),
        ratio(gap.ratio_to_rest),
        ratio(gap.low),
        ratio(gap.high),
        rate(gap.q, 3),
        _extreme(gap.worst, gap.worst_rate),
        _extreme(gap.best, gap.best_rate),
    )


def _extreme(group: tuple[str, ...] | None, value: float | None) -> str:
    return DASH if group is None else f"{csv_group(group)}: {rate(value, 3)}"
