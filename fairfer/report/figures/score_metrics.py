"""Metrics of scores, such as AUROC, per label and group: dots with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairfer.report.figures.canvas import Canvas, Picture, file_name
from fairfer.report.figures.group_selection import MAX_GROUPS_BY_COLOR
from fairfer.report.figures.grouping import file_part, groupings_in, groups_in, is_everyone, largest_groups, selection_note
from fairfer.report.figures.rate_axes import (
    draw_estimates,
    draw_legend,
    draw_missing,
    draw_rate_axis,
    layout_legend,
    round_axis_end,
)
from fairfer.report.figures.style import SEPARATOR, group_styles
from fairfer.report.figures.text_layout import NORMAL, shorten, text_width
from fairfer.report.figures.titles import COMPARED
from fairfer.report.tables.scores import METRICS
from fairfer.report.tables.table import Table
from fairfer.report.text.extremes import largest, names, smallest
from fairfer.report.text.groups import group_words, with_source
from fairfer.report.text.numbers import DASH, distinct_rates, interval, rate
from fairfer.vocabulary import is_annotated

if TYPE_CHECKING:
    from fairfer.metrics.results import ScoreMetric
    from fairfer.report.view import View
    from fairfer.vocabulary import Group, Grouping

_AXIS_WIDTH, _SPACING = 4.6, 0.15
_RANDOM_AUROC = 0.5
"""An axis on which every value and interval is above this starts here instead of at 0."""


def draw_score_metrics(view: View, metrics: Sequence[ScoreMetric]) -> list[Picture]:
    """One figure per metric and grouping.

    Parameters
    ----------
    view
        The audit.
    metrics
        Rows of any number of metrics, labels and groups.
    """
    names = dict.fromkeys(m.metric for m in metrics)
    return [
        _figure(view, grouping, [m for m in metrics if m.metric == name and m.attribute == grouping])
        for name in names
        for grouping in groupings_in(view, (m.attribute for m in metrics if m.metric == name))
    ]


def _figure(view: View, grouping: Grouping, metrics: Sequence[ScoreMetric]) -> Picture:
    name = metrics[0].metric
    groups = groups_in(view, grouping, (m.group for m in metrics))
    displayed = largest_groups(view, grouping, groups, MAX_GROUPS_BY_COLOR)
    title = _title(view, grouping, [m for m in metrics if m.group in displayed], some=len(displayed) < len(groups))
    caption = (
        f"Symbol: {METRICS[name]} of a label in a group; line: {view.confidence} confidence interval. Open symbol: "
        f"too few faces to compare. {DASH}: not estimable. {COMPARED}"
    )
    caption += selection_note(groups, displayed)
    canvas = _draw_dots(view, grouping, displayed, metrics, title)
    parts = file_name("score metric", name, file_part(grouping))
    return canvas.finish(parts, "score_metric", caption, _table(view, grouping, metrics), title)


def _title(view: View, grouping: Grouping, metrics: Sequence[ScoreMetric], *, some: bool) -> str:
    """Labels and annotated groups with the highest and the lowest value; `some` are not drawn."""
    name = METRICS[metrics[0].metric]
    heading = name if is_everyone(grouping) else f"{name} by {with_source(view.audit, grouping)}"
    if some:
        heading += ", of the groups shown"
    estimable = [m for m in metrics if m.status == "ok" and m.value is not None and is_annotated(m.group)]
    if not estimable:
        return f"{heading}: too few faces of every {view.noun}"
    high, low = largest(estimable, _value), smallest(estimable, _value)
    if high[0].value == low[0].value:
        enough = "" if len(estimable) == len(metrics) else " with enough faces"
        return f"{heading}: {rate(high[0].value)} for every {view.noun}{'' if is_everyone(grouping) else ' and group'}{enough}"
    texts = distinct_rates([_value(high[0]), _value(low[0])])
    return f"{heading}: highest for {_subject(grouping, high, texts[0])}, lowest for {_subject(grouping, low, texts[1])}"


def _subject(grouping: Grouping, metrics: Sequence[ScoreMetric], text: str) -> str:
    if len(metrics) > 1 and is_everyone(grouping):
        return f"{names([m.label for m in metrics], 'label')} ({text})"
    if len(metrics) > 1:
        return f"{len(metrics)} pairs of label and group ({text})"
    group = "" if is_everyone(grouping) else f"{', '.join(metrics[0].group)}, "
    return f"{metrics[0].label} ({group}{text})"


def _value(metric: ScoreMetric) -> float:
    return metric.value or 0.0


def _draw_dots(
    view: View, grouping: Grouping, groups: dict[Group, Group], metrics: Sequence[ScoreMetric], title: str
) -> Canvas:
    """A row per label, the groups' dots below one another."""
    labels = [n for n in view.labels if any(m.label == n for m in metrics)]
    row_height = max(len(groups) * _SPACING + 0.17, 0.3)
    left = 0.3 + max(text_width(shorten(n), NORMAL, "bold") for n in labels)
    width, height = left + _AXIS_WIDTH + 0.2, row_height * len(labels)
    legend = layout_legend(view, grouping, list(groups.values()), width)
    top = 0.1 if is_everyone(grouping) else legend.height + 0.1
    canvas = Canvas(width, top + height + 0.3, title)
    if not is_everyone(grouping):
        draw_legend(canvas, view, grouping, legend, bars=False)
    ax = canvas.axes(left, top, _AXIS_WIDTH, height)
    ax.set_ylim(height, 0)
    ends = [v for m in metrics if m.status == "ok" for v in (m.low, m.value, m.high) if v is not None]
    points = [m.value for m in metrics if m.value is not None]
    start = _RANDOM_AUROC if points and min([*ends, *points]) >= _RANDOM_AUROC else 0.0
    draw_rate_axis(ax, round_axis_end(max([0.0, *ends, *points])), 5, start)
    styles = group_styles(view, grouping)
    for i, (levels, group) in enumerate(groups.items()):
        shift = (i - (len(groups) - 1) / 2) * _SPACING
        rows = [(m, row_height * (labels.index(m.label) + 0.5) + shift) for m in metrics if m.group == levels]
        draw_estimates(ax, rows, styles[group])
        draw_missing(ax, rows, start)
    for i, label in enumerate(labels):
        if i:
            ax.axhline(row_height * i, color=SEPARATOR, linewidth=0.6)
        canvas.text(left - 0.12, top + row_height * (i + 0.5) + 0.04, shorten(label), size=NORMAL, ha="right")
    return canvas


def _table(view: View, grouping: Grouping, metrics: Sequence[ScoreMetric]) -> Table:
    groups = groups_in(view, grouping, (m.group for m in metrics))
    rows = [
        (
            m.label,
            group_words(groups[m.group]),
            rate(m.value),
            interval(m.low, m.high),
            "too few faces" if m.status == "small" else "",
        )
        for label in view.labels
        for levels in groups
        for m in metrics
        if (m.label, m.group) == (label, levels)
    ]
    name = METRICS[metrics[0].metric]
    caption = f"{name} by {view.noun} and group: {with_source(view.audit, grouping)}"
    return Table(caption, (view.noun, "group", name, "interval", "remark"), tuple(rows), heads=2)
