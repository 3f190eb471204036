"""Counts of true and predicted labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairfer.metrics.results import Count
from fairfer.report.tables.table import Table, models_as_csv
from fairfer.report.text.groups import EVERYONE, Group, Grouping, group_words, with_source
from fairfer.report.text.numbers import whole

if TYPE_CHECKING:
    from fairfer.report.view import View


def counts_csv(view: View) -> str:
    """``counts.csv``: faces per group, true label and prediction."""
    return models_as_csv(Count, view.audit.counts)


def counts_table(view: View, grouping: Grouping = EVERYONE, group: Group = EVERYONE) -> Table:
    """Faces of a group by true label (rows) and prediction (columns)."""
    counts = [c for c in view.audit.counts if (c.attribute, c.group) == (grouping, group)]
    predictions = [*view.labels, *sorted({c.predicted for c in counts} - set(view.labels))]
    numbers = {(c.truth, c.predicted): c.n for c in counts}
    rows = [
        (label, *(whole(numbers.get((label, p), 0)) for p in predictions), whole(view.support(label, grouping, group)))
        for label in view.labels
    ]
    name = "everyone" if grouping == EVERYONE else f"{group_words(group)} ({with_source(view.audit, grouping)})"
    caption = f"True {view.noun} (rows) and prediction (columns): {name}"
    return Table(caption, ("true \N{RIGHTWARDS ARROW} predicted", *predictions, "all"), tuple(rows))
