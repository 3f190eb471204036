"""Tables of rates: per group and label, and over all labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairfer.report.tables.table import Table, as_csv
from fairfer.report.text.groups import EVERYONE, Group, Grouping, group_words, with_source
from fairfer.report.text.numbers import DASH, interval, listed, p_value, rate, share, whole
from fairfer.report.view import RATES, View

if TYPE_CHECKING:
    from fairfer.metrics.results import Rate

RATE_COLUMNS = ("label", "attribute", "group", "rate", "value", "numerator", "denominator", "low", "high", "status", "subjects")
_TOO_FEW = {"small": " (too few)", "few_subjects": " (too few subjects)"}

Block = tuple[Grouping, Sequence[Group]]
"""A grouping with some of its groups."""


def rates_csv(view: View) -> str:
    """``rates.csv``: every rate of the audit."""
    return as_csv(RATE_COLUMNS, (dict(r) for r in view.audit.rates))


def too_few(status: str) -> str:
    """What is added to a rate whose denominator has too few faces or subjects."""
    return _TOO_FEW.get(status, "")


def cell(row: Rate, *, with_interval: bool = False) -> str:
    """A rate with its numerator and denominator: ``0.84 (430/512)``; says when it is not estimable or has too few faces."""
    if row.value is None:
        return "no faces" if row.status == "empty" else f"{DASH} (0 faces)" if row.denominator == 0 else DASH
    text = rate(row.value)
    if with_interval and (bounds := interval(row.low, row.high)):
        text += f" [{bounds}]"
    if row.denominator is not None:
        text += f" ({whole(row.numerator)}/{whole(row.denominator)})"
    return text + too_few(row.status)


def rate_table(view: View, name: str, blocks: Sequence[Block]) -> Table:
    """One rate: groups by labels."""
    rows = [
        (with_source(view.audit, a), group_words(g), *(cell(view.rate(name, label, a, g)) for label in view.labels))
        for a, groups in blocks
        for g in groups
    ]
    return Table(f"{name} ({RATES[name]}) by group and {view.noun}", ("grouping", "group", *view.labels), tuple(rows), heads=2)


def label_table(view: View, label: str, blocks: Sequence[Block]) -> Table:
    """One label: groups by its four rates, with confidence intervals."""
    rows = [
        (with_source(view.audit, a), group_words(g), *(cell(view.rate(r, label, a, g), with_interval=True) for r in RATES))
        for a, groups in blocks
        for g in groups
    ]
    caption = f"{label}: {listed(tuple(RATES))} by group, with confidence intervals"
    return Table(caption, ("grouping", "group", *RATES), tuple(rows), heads=2)


def comparison_table(view: View, grouping: Grouping, groups: Sequence[Group]) -> Table:
    """TPR and FPR of every label and group of one grouping, with confidence intervals, and the test of their gap."""
    rows = []
    for label in view.labels:
        for name in ("TPR", "FPR"):
            gap = view.gap(name, label, grouping)
            test = (rate(gap.expected_by_chance), p_value(gap.q)) if gap else (DASH, DASH)
            rates = [view.rate(name, label, grouping, g) for g in groups]
            rows.append((label, name, *(cell(r, with_interval=True) for r in rates), *test))
    caption = f"TPR and FPR by {view.noun}: {with_source(view.audit, grouping)}"
    columns = (view.noun, "rate", *(group_words(g) for g in groups), "gap expected by chance", "q")
    return Table(caption, columns, tuple(rows), heads=2)


def overall_table(view: View) -> Table:
    """Rates over all labels, per group."""
    names = [n for n in view.overall_rates if n != "coverage"]
    rows = []
    for grouping in (EVERYONE, *view.groupings):
        for group in view.groups(grouping):
            cells = []
            for name in names:
                row = view.rate(name, grouping=grouping, group=group)
                cells.append(rate(row.value) + too_few(row.status))
                if name == view.accuracy:
                    cells.append(interval(row.low, row.high) or DASH)
            size, coverage = view.size(grouping, group), view.rate("coverage", grouping=grouping, group=group)
            rows.append((with_source(view.audit, grouping), group_words(group), whole(size), *cells, share(coverage.value)))
    columns = ["grouping", "group", "faces"]
    for name in names:
        columns += [name, "confidence interval"] if name == view.accuracy else [name]
    return Table("Rates over all labels, by group", (*columns, "coverage"), tuple(rows), heads=2)
