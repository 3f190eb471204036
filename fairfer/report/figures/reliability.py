"""Reliability curves: mean score and share of positives per calibration bin, by label and group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairfer.report.figures.canvas import Canvas, Picture, file_name
from fairfer.report.figures.grouping import file_part, groupings_in, groups_in, is_everyone, largest_groups, selection_note
from fairfer.report.figures.rate_axes import draw_legend, layout_legend
from fairfer.report.figures.style import GRID, MUTED, GroupStyle, group_styles
from fairfer.report.figures.text_layout import truncate
from fairfer.report.tables.table import Table
from fairfer.report.text.extremes import largest, names
from fairfer.report.text.groups import group_words, with_source
from fairfer.report.text.numbers import interval, many, rate, whole
from fairfer.vocabulary import is_annotated

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fairfer.metrics.results import ReliabilityBin
    from fairfer.report.view import View
    from fairfer.vocabulary import Group, Grouping

_MAX_GROUPS, _MAX_COLUMNS = 4, 4
_PANEL, _COLUMN_GAP, _ROW_GAP = 1.7, 0.3, 0.55
_LEFT = 0.55


def draw_reliability(view: View, bins: Sequence[ReliabilityBin]) -> list[Picture]:
    """One figure per grouping, with a panel per label and a curve per group.

    Parameters
    ----------
    view
        The audit.
    bins
        Calibration bins of any number of labels and groups. Bins without faces are not drawn.
    """
    filled = [b for b in bins if b.total and b.mean_score is not None]
    return [
        _figure(view, grouping, [b for b in filled if b.attribute == grouping])
        for grouping in groupings_in(view, (b.attribute for b in filled))
    ]


def _figure(view: View, grouping: Grouping, bins: Sequence[ReliabilityBin]) -> Picture:
    groups = groups_in(view, grouping, (b.group for b in bins))
    displayed = largest_groups(view, grouping, groups, _MAX_GROUPS)
    title = _title(view, grouping, [b for b in bins if b.group in displayed])
    caption = (
        f"Dot: faces with similar scores, their mean score (horizontal) and the share that has the label (vertical); line: "
        f"{view.confidence} confidence interval. On the diagonal, scores are calibrated; below it, they are too "
        f"high. Open dot: fewer than {many(view.audit.plan.minimum, 'face')}. Expected calibration error (ECE): mean distance "
        "from the diagonal, weighted by number of faces."
    )
    caption += selection_note(groups, displayed)
    canvas = _draw_panels(view, grouping, displayed, bins, title)
    name = file_name("reliability", file_part(grouping))
    return canvas.finish(name, "reliability", caption, _table(view, grouping, groups, bins), title)


def _title(view: View, grouping: Grouping, bins: Sequence[ReliabilityBin]) -> str:
    minimum = view.audit.plan.minimum
    drawn: Counter[tuple[str, Group]] = Counter()
    for row in bins:
        drawn[row.label, row.group] += row.total
    errors = {
        (m.label, m.group): m.value
        for m in view.audit.scores
        if m.metric == "expected_calibration_error" and m.attribute == grouping and m.value is not None
    }
    errors = {key: error for key, error in errors.items() if drawn[key] >= minimum and is_annotated(key[1])}
    heading = "" if is_everyone(grouping) else f" by {with_source(view.audit, grouping)}"
    if not errors:
        return f"Calibration{heading}: too few faces"
    worst = largest(list(errors), lambda key: errors[key])
    if len(worst) > 1:
        labels = list(dict.fromkeys(label for label, _ in worst))
        return (
            f"Calibration{heading}: the expected calibration error is largest for {names(labels, view.noun)} "
            f"({rate(errors[worst[0]])})"
        )
    [(label, levels)] = worst
    group = "" if is_everyone(grouping) else f"{', '.join(levels)}, "
    return f"Calibration{heading}: the expected calibration error is largest for {label} ({group}{rate(errors[label, levels])})"


def _draw_panels(
    view: View, grouping: Grouping, groups: dict[Group, Group], bins: Sequence[ReliabilityBin], title: str
) -> Canvas:
    labels = [n for n in view.labels if any(b.label == n for b in bins)]
    column_count = min(len(labels), _MAX_COLUMNS)
    row_count = -(-len(labels) // _MAX_COLUMNS)
    # Two panels at least, so that the caption of the axes and the title have room.
    width = _LEFT + (_PANEL + _COLUMN_GAP) * max(column_count, 2)
    legend = layout_legend(view, grouping, list(groups.values()), width)
    top = 0.3 if is_everyone(grouping) else legend.height + 0.3
    canvas = Canvas(width, top + row_count * (_PANEL + _ROW_GAP) + 0.1, title)
    if not is_everyone(grouping):
        draw_legend(canvas, view, grouping, legend, bars=False)
    styles = group_styles(view, grouping)
    for k, label in enumerate(labels):
        x = _LEFT + (_PANEL + _COLUMN_GAP) * (k % _MAX_COLUMNS)
        y = top + (_PANEL + _ROW_GAP) * (k // _MAX_COLUMNS)
        ax = canvas.axes(x, y, _PANEL, _PANEL)
        canvas.text(x, y - 0.08, truncate(label, _PANEL), weight="bold")
        _draw_unit_square(ax)
        for levels, group in groups.items():
            curve = sorted((b for b in bins if (b.label, b.group) == (label, levels)), key=lambda b: b.bin_low)
            _draw_curve(ax, curve, styles[group], view.audit.plan.minimum)
    bottom = top + row_count * (_PANEL + _ROW_GAP)
    canvas.text(_LEFT, bottom - 0.13, "horizontal: mean score; vertical: share of faces with the label", color=MUTED)
    return canvas


def _draw_unit_square(ax: Axes) -> None:
    """Axes from 0 to 1 with the diagonal of calibrated scores."""
    ticks, texts = [0, 0.25, 0.5, 0.75, 1], ["0", "", ".5", "", "1"]
    ax.set_xlim(-0.02, 1.02)
    ax.set_ylim(-0.02, 1.02)
    ax.set_xticks(ticks, texts)
    ax.set_yticks(ticks, texts)
    ax.grid(color=GRID, linewidth=0.6)
    ax.set_axisbelow(True)
    ax.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1.5)


def _draw_curve(ax: Axes, curve: Sequence[ReliabilityBin], style: GroupStyle, minimum: int) -> None:
    scores, shares = [b.mean_score or 0.0 for b in curve], [b.positives / b.total for b in curve]
    ax.plot(scores, shares, color=style.color, linewidth=0.9, alpha=0.7, zorder=2)
    for is_small in (False, True):
        points = [(x, y, b) for x, y, b in zip(scores, shares, curve, strict=True) if (b.total < minimum) == is_small]
        bounded = [(x, b.low, b.high) for x, _, b in points if b.low is not None and b.high is not None]
        if bounded:
            positions, low, high = zip(*bounded, strict=True)
            ax.vlines(
                positions, low, high, color=style.color, linewidth=0.8 if is_small else 1.3, alpha=0.5 if is_small else 0.9
            )
        ax.plot(
            [x for x, _, _ in points],
            [y for _, y, _ in points],
            style.marker,
            markersize=3.6 if is_small else 4.4,
            markerfacecolor="white" if is_small else style.color,
            markeredgecolor=style.color if is_small else "white",
            markeredgewidth=0.8 if is_small else 0.4,
            clip_on=False,
            zorder=3,
        )


def _table(view: View, grouping: Grouping, groups: dict[Group, Group], bins: Sequence[ReliabilityBin]) -> Table:
    rows = [
        (
            b.label,
            group_words(groups[b.group]),
            f"{rate(b.bin_low)} to {rate(b.bin_high)}",
            rate(b.mean_score),
            rate(b.positives / b.total),
            interval(b.low, b.high),
            f"{whole(b.positives)}/{whole(b.total)}",
        )
        for label in view.labels
        for levels in groups
        for b in sorted(bins, key=lambda b: b.bin_low)
        if (b.label, b.group) == (label, levels)
    ]
    columns = (view.noun, "group", "scores", "mean score", "share of positives", "interval", "faces")
    return Table(f"Calibration by {view.noun}: {with_source(view.audit, grouping)}", columns, tuple(rows), heads=3)
