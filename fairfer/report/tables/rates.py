"""Tables: the CSV files beside a report, and the text twin of every figure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairfer.metrics.results import Count, Rate
from fairfer.report.text.groups import EVERYONE, group_words, with_source
from fairfer.report.text.numbers import DASH, interval, rate, share, whole
from fairfer.report.view import RATES, View

if TYPE_CHECKING:
    from fairfer.audits.result import Audit

RATE_COLUMNS = ("label", "attribute", "group", "rate", "value", "numerator", "denominator", "low", "high", "status")
GAP_COLUMNS = (
    "label", "attribute", "rate", "worst", "best", "difference", "ratio", "expected_by_chance", "p", "q", "low", "high", "status",
)  # fmt: skip
FACE_COLUMNS = ("attribute", "group", "label", "faces", "share_of_group", "share_of_label")
GROUP_RATES = ("accuracy", "macro-F1", "weighted-F1", "coverage")


@dataclass(frozen=True)
class Table:
    """A table to be read.

    Attributes
    ----------
    caption
        What it shows.
    columns
        Heads.
    rows
        Cells as text, one per column.
    heads
        How many columns at the left name the row; the others hold numbers.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    heads: int = 1


def csv_files(audit: Audit) -> dict[str, str]:
    """Every CSV file of a report by its name.

    Numbers are written in full (the shortest decimal that reads back as the same number); what is not estimable is an empty
    cell.
    """
    rates = (r.model_dump() for r in audit.rates)
    gaps = (g.model_dump() for g in audit.gaps)
    counts = (c.model_dump() for c in audit.counts)
    return {
        "rates.csv": as_csv(RATE_COLUMNS, rates),
        "gaps.csv": as_csv(GAP_COLUMNS, gaps),
        "counts.csv": as_csv(tuple(Count.model_fields), counts),
        "faces.csv": as_csv(FACE_COLUMNS, _faces(View(audit))),
    }


def _faces(view: View) -> Iterable[dict[str, object]]:
    for attribute in (EVERYONE, *view.groupings):
        for group in view.groups(attribute):
            for label in view.labels:
                faces, size, all_of_it = view.support(label, attribute, group), view.size(attribute, group), view.support(label)
                yield {
                    "attribute": attribute,
                    "group": group,
                    "label": label,
                    "faces": faces,
                    "share_of_group": faces / size if size else None,
                    "share_of_label": faces / all_of_it if all_of_it else None,
                }


def as_csv(columns: Sequence[str], rows: Iterable[dict[str, object]]) -> str:
    """Rows as CSV: floats in full, ``None`` as an empty cell."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([row[c] for c in columns] for row in rows)
    return out.getvalue()


def cell(found: Rate, *, with_interval: bool = False) -> str:
    """A rate with what it was computed from: ``.84 (430/512)``; says when it is too few or not estimable."""
    if found.value is None:
        return "nobody" if found.status == "empty" else f"{DASH} (0 faces)" if found.denominator == 0 else DASH
    text = rate(found.value)
    if with_interval and (between := interval(found.low, found.high)):
        text += f" [{between}]"
    if found.denominator is not None:
        text += f" ({whole(found.numerator)}/{whole(found.denominator)})"
    return text + (" too few" if found.status == "small" else "")


def rate_table(view: View, name: str, blocks: Sequence[tuple[str, Sequence[str]]]) -> Table:
    """One rate, groups by labels."""
    rows = [
        (with_source(view.audit, a), group_words(g), *(cell(view.rate(name, label, a, g)) for label in view.labels))
        for a, groups in blocks
        for g in groups
    ]
    return Table(f"{name} ({RATES[name]}) by group and {view.noun}", ("grouping", "group", *view.labels), tuple(rows), heads=2)


def label_table(view: View, label: str, blocks: Sequence[tuple[str, Sequence[str]]]) -> Table:
    """One label, groups by its four rates, with intervals."""
    rows = [
        (with_source(view.audit, a), group_words(g), *(cell(view.rate(r, label, a, g), with_interval=True) for r in RATES))
        for a, groups in blocks
        for g in groups
    ]
    return Table(f"{label}: error rates by group, with intervals", ("grouping", "group", *RATES), tuple(rows), heads=2)


def comparison_table(view: View, attribute: str, groups: Sequence[str]) -> Table:
    """TPR and FPR of every label and group of one grouping, with intervals and what chance does to their gaps."""
    rows = []
    for label in view.labels:
        for name in ("TPR", "FPR"):
            gap = view.gap(name, label, attribute)
            expected_by_chance = (rate(gap.expected_by_chance), rate(gap.q, 3)) if gap else (DASH, DASH)
            found = [view.rate(name, label, attribute, g) for g in groups]
            rows.append((label, name, *(cell(f, with_interval=True) for f in found), *expected_by_chance))
    caption = f"TPR and FPR by {view.noun}: {with_source(view.audit, attribute)}"
    return Table(caption, (view.noun, "rate", *(group_words(g) for g in groups), "chance gap", "q"), tuple(rows), heads=2)


def faces_table(view: View, blocks: Sequence[tuple[str, Sequence[str]]]) -> Table:
    """How many faces of each group show each label."""
    rows = [
        (
            with_source(view.audit, a),
            group_words(g),
            *(whole(view.support(label, a, g)) for label in view.labels),
            whole(view.size(a, g)),
        )
        for a, groups in blocks
        for g in groups
    ]
    return Table(f"Faces by group and {view.noun}", ("grouping", "group", *view.labels, "all"), tuple(rows), heads=2)


def gaps_table(view: View) -> Table:
    """Every gap, the farthest beyond chance first, then those that could not be tested."""
    tested = [
        (
            with_source(view.audit, g.attribute),
            "all" if g.label == EVERYONE else g.label,
            g.rate,
            rate(g.difference),
            rate(g.expected_by_chance),
            rate(g.p, 3),
            rate(g.q, 3),
            rate(g.low),
            rate(g.high),
            group_words(g.worst or "") if g.difference else DASH,
            group_words(g.best or "") if g.difference else DASH,
        )
        for g in view.tested
    ]
    untested = [
        (with_source(view.audit, g.attribute), "all" if g.label == EVERYONE else g.label, g.rate, *([DASH] * 8))
        for g in view.audit.gaps
        if g.difference is None
    ]
    columns = (
        "grouping",
        view.noun,
        "rate",
        "gap",
        "chance gap",
        "p",
        "q",
        "surely at least",
        "surely at most",
        "fares worst",
        "fares best",
    )
    return Table("All gaps, the farthest beyond chance first", columns, (*tested, *untested), heads=3)


def overall_table(view: View) -> Table:
    """Accuracy, F1 and coverage per group."""
    rows = []
    for attribute in (EVERYONE, *view.groupings):
        for group in view.groups(attribute):
            found = {name: view.rate(name, attribute=attribute, group=group) for name in GROUP_RATES}
            accuracy = found["accuracy"]
            rows.append(
                (
                    with_source(view.audit, attribute),
                    group_words(group),
                    whole(view.size(attribute, group)),
                    rate(accuracy.value) + (" too few" if accuracy.status == "small" else ""),
                    interval(accuracy.low, accuracy.high) or DASH,
                    rate(found["macro-F1"].value),
                    rate(found["weighted-F1"].value),
                    share(found["coverage"].value),
                )
            )
    columns = ("grouping", "group", "faces", "accuracy", "interval", "macro-F1", "weighted F1", "answered")
    return Table("Over all labels, by group", columns, tuple(rows), heads=2)


def confusion_table(view: View, attribute: str = EVERYONE, group: str = EVERYONE) -> Table:
    """How often faces of one label were given each answer."""
    mine = [c for c in view.audit.counts if (c.attribute, c.group) == (attribute, group)]
    said = [*view.labels, *sorted({c.predicted for c in mine} - set(view.labels))]
    numbers = {(c.truth, c.predicted): c.n for c in mine}
    rows = [
        (label, *(whole(numbers.get((label, s), 0)) for s in said), whole(view.support(label, attribute, group)))
        for label in view.labels
    ]
    about = "everyone" if attribute == EVERYONE else f"{group_words(group)} ({with_source(view.audit, attribute)})"
    return Table(
        f"True {view.noun} (rows) and answer (columns): {about}", ("true \N{RIGHTWARDS ARROW} said", *said, "all"), tuple(rows)
    )
