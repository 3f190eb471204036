"""Score-based metrics and reliability curves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairfer.metrics.results import ReliabilityBin, ScoreMetricName
from fairfer.report.tables.table import Table, as_csv, models_as_csv
from fairfer.report.text.groups import EVERYONE, group_words, with_source
from fairfer.report.text.numbers import DASH, interval, rate

if TYPE_CHECKING:
    from fairfer.metrics.results import ScoreMetric
    from fairfer.report.view import View

SCORE_COLUMNS = ("label", "attribute", "group", "metric", "value", "positives", "negatives", "low", "high", "status")
METRICS: dict[ScoreMetricName, str] = {
    "auroc": "AUROC",
    "average_precision": "average precision",
    "brier_score": "Brier score",
    "expected_calibration_error": "expected calibration error",
}
"""Score-based metrics in words, in the order of tables."""


def scores_csv(view: View) -> str:
    """``scores.csv``: every score-based metric of every label and group."""
    return as_csv(SCORE_COLUMNS, (dict(m) for m in view.audit.scores))


def reliability_csv(view: View) -> str:
    """``reliability.csv``: per label, group and bin of scores, the mean score and the share of positives."""
    return models_as_csv(ReliabilityBin, view.audit.reliability)


def scores_table(view: View) -> Table:
    """Every metric over all faces, one row per label; below, AUROC per group."""
    by_key = {(m.metric, m.label, m.attribute, m.group): m for m in view.audit.scores}
    labels = list(dict.fromkeys(m.label for m in view.audit.scores))
    rows = []
    for grouping in (EVERYONE, *view.groupings):
        for group in view.groups(grouping):
            for label in labels:
                cells = (by_key.get((metric, label, grouping, group)) for metric in METRICS)
                name = "everyone" if grouping == EVERYONE else with_source(view.audit, grouping)
                rows.append((name, group_words(group), label, *(_cell(m) for m in cells)))
    columns = ("grouping", "group", view.noun, *METRICS.values())
    return Table("Score-based metrics, each label vs. the rest, with intervals", columns, tuple(rows), heads=3)


def _cell(metric: ScoreMetric | None) -> str:
    if metric is None or metric.value is None:
        return DASH
    text = f"{rate(metric.value)} [{interval(metric.low, metric.high)}]"
    return text + (" too few" if metric.status == "small" else "")
