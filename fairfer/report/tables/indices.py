"""Tables of summary indices and impact ratios."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairfer.report.tables.table import Table, as_csv
from fairfer.report.text.groups import csv_group, group_words, with_source
from fairfer.report.text.numbers import DASH, rate, share, whole
from fairfer.vocabulary import ALL

if TYPE_CHECKING:
    from fairfer.metrics.index_results import FairnessIndex, ImpactRatio
    from fairfer.report.view import View

INDEX_COLUMNS = (
    "label", "attribute", "index", "rate", "value", "low", "high", "chance_median", "expected_by_chance", "status", "labels",
    "groups", "excluded",
)  # fmt: skip
_REASONS = {"too_few_groups": "too few groups", "zero_rate": "undefined: a rate is 0"}
_IMPACT_REASONS = {
    "small": "too few",
    "not_estimable": "not estimable",
    "unannotated": "unannotated",
    "no_comparison": "not compared",
}


def indices_csv(view: View) -> str:
    """``indices.csv``: every index of every label and grouping."""
    return as_csv(INDEX_COLUMNS, map(_index, view.audit.indices))


def _index(index: FairnessIndex) -> dict[str, object]:
    excluded = [f"{csv_group(o.group)} ({o.reason}, {o.denominator})" for o in index.excluded]
    return {**dict(index), "groups": "; ".join(map(csv_group, index.groups)), "excluded": "; ".join(excluded)}


def impact_ratios_csv(view: View) -> str:
    """``impact_ratios.csv``: selection and scoring rate of every group, relative to the highest."""
    rows = view.audit.impact_ratios
    columns = tuple(type(rows[0]).model_fields) if rows else ()
    return as_csv(columns, map(dict, rows))


def indices_table(view: View) -> Table:
    """Every index that could be estimated, or why not."""
    rows = [
        (
            with_source(view.audit, i.attribute),
            "all" if i.label == ALL else i.label,
            i.index,
            i.rate,
            rate(i.value),
            rate(i.low) if i.status != "too_few_groups" else DASH,
            rate(i.high) if i.high is not None or i.status == "too_few_groups" else "no limit",
            rate(i.chance_median),
            rate(i.expected_by_chance),
            "" if i.status == "ok" else _REASONS[i.status],
        )
        for i in view.audit.indices
    ]
    columns = (
        "grouping", view.noun, "index", "of", "value", "lower limit", "upper limit", "chance: median",
        "chance: 95th percentile", "note",
    )  # fmt: skip
    return Table("Summary indices", columns, tuple(rows), heads=4)


def impact_table(view: View) -> Table:
    """Impact ratio of every group."""
    columns = ("grouping", view.noun, "rate", "group", "faces", "share", "value", "impact ratio", "lower limit", "upper limit",
               "note")  # fmt: skip
    rows = tuple(_impact(view, row) for row in view.audit.impact_ratios)
    return Table("Selection rates, scoring rates and impact ratios", columns, rows, heads=4)


def _impact(view: View, row: ImpactRatio) -> tuple[str, ...]:
    notes = [] if row.status == "ok" else [_IMPACT_REASONS[row.status]]
    notes += ["below 2 % of the data"] if row.below_2_percent else []
    return (
        with_source(view.audit, row.attribute),
        row.label,
        row.rate,
        group_words(row.group),
        whole(row.samples),
        share(row.share),
        rate(row.value),
        rate(row.impact_ratio),
        rate(row.ratio_low),
        rate(row.ratio_high),
        "; ".join(notes),
    )
