"""Tables of where a model looked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairfer.report.tables.table import Table, as_csv
from fairfer.report.text.groups import group_words, with_source
from fairfer.report.text.numbers import DASH, p_value, ratio, share, signed, whole

if TYPE_CHECKING:
    from fairfer.explanations.explanation_results import Explanations, MethodResult
    from fairfer.report.view import View
    from fairfer.vocabulary import Grouping

TITLES = {
    "lrp": "layer-wise relevance propagation",
    "integrated-gradients": "integrated gradients",
    "grad-cam": "Grad-CAM",
    "occlusion": "occlusion",
    "rise": "RISE",
}
"""Methods in words."""

_PAIR = 2

OUTCOMES = {"TP": "recognized", "FN": "missed", "FP": "misclassified as"}

_RELEVANCE = (
    "method", "label", "outcome", "attribute", "group", "region", "faces", "subjects", "mass", "low", "high", "signed",
    "density", "rank_accuracy", "pointing", "status",
)  # fmt: skip
_DIFFERENCES = (
    "method", "label", "outcome", "attribute", "region", "measure", "group", "reference", "difference", "expected", "low",
    "high", "standardized", "p", "significant",
)  # fmt: skip


def method_title(method: MethodResult) -> str:
    """A method in words."""
    return TITLES.get(method.name, method.name)


def relevance_csv(explanations: Explanations) -> str:
    """``relevance.csv``: relevance of each region, by method, label, outcome and group."""
    rows = ({"method": m.name, **dict(row)} for m in explanations.methods for row in m.regions)
    return as_csv(_RELEVANCE, rows)


def differences_csv(explanations: Explanations) -> str:
    """``relevance_differences.csv``: the largest and all significant differences between groups."""
    rows = (
        {"method": m.name, **dict(row)} for m in explanations.methods for tested in m.comparisons for row in tested.differences
    )
    return as_csv(_DIFFERENCES, rows)


def region_table(view: View, method: MethodResult) -> Table:
    """Relevance of each region of recognized faces, for everyone and each group of the attributes."""
    columns = (view.noun, "grouping", "group", "region", "faces", "share of relevance", "interval", "relative to its area")
    rows = tuple(
        (
            row.label,
            with_source(view.audit, row.attribute) if row.attribute else "everyone",
            group_words(row.group),
            row.region if row.region != "own" else "own region",
            whole(row.faces),
            share(row.mass),
            DASH if row.low is None else f"{share(row.low)} to {share(row.high)}",
            ratio(row.density),
        )
        for row in method.regions
        if row.outcome == "TP" and row.status == "ok" and len(row.attribute) < _PAIR
    )
    return Table(f"Relevance by region of recognized faces, {method_title(method)}", columns, rows, heads=4)


def comparison_table(view: View, method: MethodResult) -> Table:
    """Differences between groups: the largest of each measure, and all that are significant."""
    columns = (
        "grouping", view.noun, "outcome", "region", "measure", "group", "compared with", "difference", "interval", "adjusted p",
    )  # fmt: skip
    rows = tuple(
        (
            with_source(view.audit, d.attribute),
            d.label,
            OUTCOMES[d.outcome],
            d.region,
            d.measure.replace("_", " "),
            group_words(d.group),
            "the rest" if d.reference is None else group_words(d.reference),
            signed(d.difference),
            DASH if d.low is None else f"{signed(d.low)} to {signed(d.high)}",
            p_value(d.p),
        )
        for tested in method.comparisons
        for d in sorted(tested.differences, key=lambda d: d.p)
        if d.significant or d.region == "own"
    )
    return Table(f"Differences between groups, {method_title(method)}", columns, rows, heads=7)


def map_table(view: View, method: MethodResult, grouping: Grouping) -> Table:
    """Faces behind each mean map, and where it differs."""
    changes = {(d.label, d.group): d for d in method.map_differences if d.attribute == grouping}
    rows = []
    for row in (m for m in method.mean_maps if m.attribute == grouping):
        change = changes.get((row.label, row.group))
        tested = change is not None and change.p is not None
        rows.append(
            (
                row.label,
                group_words(row.group),
                whole(row.faces),
                p_value(change.p) if change is not None and tested else DASH,
                share(change.significant) if change is not None and tested else DASH,
            )
        )
    columns = (view.noun, "group", "faces", "smallest adjusted p of a pixel", "significant pixels")
    return Table("Faces of each mean map, and the pixels that differ from all other faces", columns, tuple(rows), heads=2)
