"""Counts per label and group, confusions per group, and sizes of the groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairfer.metrics.results import LabelCount
from fairfer.report.tables.table import Table, as_csv, models_as_csv
from fairfer.report.text.groups import EVERYONE, Group, Grouping, group_words, with_source
from fairfer.report.text.numbers import whole
from fairfer.vocabulary import STATUSES

if TYPE_CHECKING:
    from fairfer.report.view import View

CONFUSION_COLUMNS = ("attribute", "group", "truth", "predicted", "count", "rate", "low", "high")
SIZE_COLUMNS = ("attribute", "group", "total", "judged", "correct", *STATUSES)


def counts_csv(view: View) -> str:
    """``counts.csv``: true positives, false negatives, false positives and true negatives per label and group."""
    return models_as_csv(LabelCount, view.audit.counts)


def sizes_csv(view: View) -> str:
    """``groups.csv``: samples per group, in all, with a known label, classified correctly, and by status of the answer."""
    return as_csv(SIZE_COLUMNS, (dict(g) | {str(status): n for status, n in g.statuses.items()} for g in view.audit.sizes))


def confusions_csv(view: View) -> str:
    """``confusions.csv``: how often each true label is predicted as each other label, per group."""
    return as_csv(CONFUSION_COLUMNS, (dict(c) for c in view.audit.confusions))


def confusion_table(view: View, grouping: Grouping = EVERYONE, group: Group = EVERYONE) -> Table:
    """Faces of a group by true label (rows) and prediction (columns)."""
    rows = [c for c in view.audit.confusions if (c.attribute, c.group) == (grouping, group)]
    predictions = list(dict.fromkeys(c.predicted for c in rows))
    numbers = {(c.truth, c.predicted): c.count for c in rows}
    body = [
        (label, *(whole(numbers.get((label, p), 0)) for p in predictions), whole(view.support(label, grouping, group)))
        for label in view.labels
    ]
    name = "everyone" if grouping == EVERYONE else f"{group_words(group)}, by {with_source(view.audit, grouping)}"
    caption = f"True {view.noun} (rows) and prediction (columns): {name}"
    return Table(caption, ("true \N{RIGHTWARDS ARROW} predicted", *predictions, "all"), tuple(body))
