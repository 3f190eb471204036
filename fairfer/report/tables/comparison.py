"""Tables of a comparison of two models."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from fairfer.report.tables.table import Table
from fairfer.report.text.comparison import change_words, improvement, is_significant_change
from fairfer.report.text.groups import group_words, with_inferred
from fairfer.report.text.numbers import DASH, p_value, rate, whole
from fairfer.report.view import TOO_FEW
from fairfer.vocabulary import ALL

if TYPE_CHECKING:
    from fairfer.audits.comparison import Comparison


def changes_table(comparison: Comparison) -> Table:
    """Every change of a rate: significant changes for the worse first."""
    rows = [
        (
            with_inferred(c.attribute, comparison.inferred),
            group_words(c.group),
            "all" if c.label == ALL else c.label,
            c.rate,
            whole(c.trials),
            rate(c.base),
            rate(c.candidate),
            change_words(c),
            f"{whole(c.gained)} / {whole(c.lost)}",
            p_value(c.q) if c.q is not None else "too few" if c.status in TOO_FEW else DASH,
        )
        for c in sorted(comparison.changes, key=lambda c: (c.q is None, not is_significant_change(c), improvement(c)))
    ]
    columns = ("grouping", "group", "label", "rate", "faces", "base", "candidate", "change", "gained / lost", "q")
    return Table("Changes of rates on the same faces; significant changes for the worse first", columns, tuple(rows), heads=4)


def gap_changes_table(comparison: Comparison) -> Table:
    """Every gap of both models: the largest increases first."""
    rows = [
        (
            with_inferred(g.attribute, comparison.inferred),
            "all" if g.label == ALL else g.label,
            g.rate,
            rate(g.base),
            rate(g.candidate),
            change_words(g),
            group_words(g.worst_base) if g.worst_base and g.base else DASH,
            group_words(g.worst_candidate) if g.worst_candidate and g.candidate else DASH,
        )
        for g in sorted(comparison.gaps, key=lambda g: (g.change is None, -(g.change or 0.0)))
    ]
    columns = (
        "grouping", "label", "rate", "base", "candidate", "change", "least favorable: base", "least favorable: candidate",
    )  # fmt: skip
    return Table("Changes of gaps; the largest increases first", columns, tuple(rows), heads=3)


def missing_table(comparison: Comparison) -> Table:
    """Number of faces that were not compared, by reason."""
    counts = Counter((m.only_in, m.reason) for m in comparison.missing)
    rows = [(side, why, whole(n)) for (side, why), n in sorted(counts.items())]
    return Table("Faces that were not compared", ("only in", "reason", "faces"), tuple(rows), heads=2)
