"""Confusions per group: one heat map of true by predicted label for each group of a grouping."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib import colormaps
from matplotlib.patches import Rectangle

from fairfer.report.figures.canvas import Canvas, Picture, file_name
from fairfer.report.figures.grouping import file_part, groupings_in, groups_in, is_everyone, largest_groups, selection_note
from fairfer.report.figures.rate_heatmaps import draw_color_scale, text_color
from fairfer.report.figures.style import HATCH, HEATMAP_COLORS, INK, MUTED, SEPARATOR
from fairfer.report.figures.text_layout import SMALL, shorten, text_width, truncate
from fairfer.report.figures.titles import COMPARED
from fairfer.report.tables.table import Table
from fairfer.report.text.extremes import largest
from fairfer.report.text.groups import group_words, with_source
from fairfer.report.text.numbers import DASH, many, rate, whole
from fairfer.vocabulary import NO_ANSWER, is_annotated

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fairfer.metrics.results import Confusion
    from fairfer.report.view import View
    from fairfer.vocabulary import Group, Grouping

_MAX_GROUPS, _MAX_COLUMNS = 6, 3
_CELL_WIDTH, _CELL_HEIGHT = 0.42, 0.3
_PANEL_GAP, _ROW_GAP = 0.3, 0.6
_RATE_SIZE, _COUNT_SIZE = 6.5, 5.0
_MIN_PANEL_WIDTH = 1.3


@dataclass(frozen=True)
class _Matrix:
    """Confusions of one group, by true and predicted label, with the number of faces of each true label."""

    cells: dict[tuple[str, str], Confusion]
    totals: dict[str, int]


@dataclass(frozen=True)
class _Labels:
    """True labels in the order of rows, and predicted labels in the order of columns."""

    truth: tuple[str, ...]
    predicted: tuple[str, ...]

    @classmethod
    def of(cls, view: View, confusions: Sequence[Confusion]) -> _Labels:
        """The audited labels, then those that only the rows have, such as no answer."""
        truth, predicted = sorted({c.truth for c in confusions}), sorted({c.predicted for c in confusions})
        return cls(tuple(dict.fromkeys([*view.labels, *truth])), tuple(dict.fromkeys([*view.labels, *predicted])))


def draw_confusions(view: View, confusions: Sequence[Confusion]) -> list[Picture]:
    """One figure per grouping, with a heat map per group.

    Parameters
    ----------
    view
        The audit.
    confusions
        Rows of any number of groupings. A pair of labels that is absent has no faces.
    """
    return [
        _figure(view, grouping, [c for c in confusions if c.attribute == grouping])
        for grouping in groupings_in(view, (c.attribute for c in confusions))
    ]


def _figure(view: View, grouping: Grouping, confusions: Sequence[Confusion]) -> Picture:
    groups = groups_in(view, grouping, (c.group for c in confusions))
    displayed = largest_groups(view, grouping, groups, _MAX_GROUPS)
    title = _title(view, grouping, [c for c in confusions if c.group in displayed], some=len(displayed) < len(groups))
    caption = (
        "Row: true label; column: predicted label. Cell: share of the faces with the true label, and number of faces; the "
        f"shares of a row sum to 1. Hatched row: fewer than {many(view.audit.plan.minimum, 'face')}. {DASH}: no face with the "
        f"true label. {COMPARED}"
    )
    caption += selection_note(groups, displayed)
    matrices = {g: _matrix([c for c in confusions if c.group == levels]) for levels, g in displayed.items()}
    canvas = _draw_matrices(matrices, _Labels.of(view, confusions), view.audit.plan.minimum, title)
    name = file_name("confusions", file_part(grouping))
    return canvas.finish(name, "confusions", caption, _table(view, grouping, confusions), title)


def _matrix(confusions: Sequence[Confusion]) -> _Matrix:
    totals: dict[str, int] = {}
    for row in confusions:
        totals[row.truth] = totals.get(row.truth, 0) + row.count
    return _Matrix({(c.truth, c.predicted): c for c in confusions}, totals)


def _title(view: View, grouping: Grouping, confusions: Sequence[Confusion], *, some: bool) -> str:
    """The most frequent confusion among annotated groups and true labels with enough faces; `some` are not drawn."""
    totals = {levels: _matrix([c for c in confusions if c.group == levels]).totals for levels in {c.group for c in confusions}}
    errors = [
        c
        for c in confusions
        if c.truth != c.predicted
        and c.rate is not None
        and totals[c.group][c.truth] >= view.audit.plan.minimum
        and is_annotated(c.group)
    ]
    heading = "Confusions" if is_everyone(grouping) else f"Confusions by {with_source(view.audit, grouping)}"
    if some:
        heading += ", of the groups shown"
    if not errors:
        return f"{heading}: too few faces"
    worst = largest(errors, lambda c: c.rate or 0.0)
    if not worst[0].rate:
        return f"{heading}: none among true labels with enough faces"
    if len(worst) > 1:
        return f"{heading}: {len(worst)} are equally frequent ({rate(worst[0].rate)}) and none is more frequent"
    [first] = worst
    group = "" if is_everyone(grouping) else f"{', '.join(first.group)}, "
    error = "without a prediction" if first.predicted == NO_ANSWER else f"classified as {first.predicted}"
    return f"{heading}: the most frequent is {first.truth} {error} ({group}{rate(first.rate)})"


def _draw_matrices(matrices: dict[Group, _Matrix], labels: _Labels, minimum: int, title: str) -> Canvas:
    left = 0.25 + max(text_width(shorten(n), SMALL) for n in labels.truth)
    # Rotated labels of the columns stand above the first row of panels and above every other.
    head_height = 0.75 * max(text_width(shorten(n), SMALL) for n in labels.predicted) + 0.32
    panel_width, panel_height = _CELL_WIDTH * len(labels.predicted), _CELL_HEIGHT * len(labels.truth)
    step = max(panel_width, _MIN_PANEL_WIDTH) + _PANEL_GAP
    column_count = min(len(matrices), _MAX_COLUMNS)
    row_count = -(-len(matrices) // _MAX_COLUMNS)
    row_height = head_height + panel_height + 0.15
    canvas = Canvas(max(left + step * column_count + 0.3, 3.6), row_count * row_height + 0.5, title)
    for k, (group, matrix) in enumerate(matrices.items()):
        x, y = left + step * (k % _MAX_COLUMNS), row_height * (k // _MAX_COLUMNS)
        canvas.text(x, y + 0.16, truncate(group_words(group), step), weight="bold")
        top = y + head_height
        ax = canvas.axes(x, top, panel_width, panel_height)
        ax.set_xlim(0, len(labels.predicted))
        ax.set_ylim(len(labels.truth), 0)
        ax.set_axis_off()
        for column, name in enumerate(labels.predicted):
            canvas.column_head(x + _CELL_WIDTH * (column + 0.5), top - 0.05, shorten(name), size=7, angle=45.0)
        for row, truth in enumerate(labels.truth):
            if k % _MAX_COLUMNS == 0:
                canvas.text(x - 0.08, top + _CELL_HEIGHT * (row + 0.5) + 0.035, shorten(truth), ha="right")
            _draw_row(ax, row, truth, labels.predicted, matrix, minimum)
    draw_color_scale(canvas, max(left, 1.3), row_count * row_height + 0.08, "share of true label")
    return canvas


def _draw_row(ax: Axes, y: int, truth: str, columns: Sequence[str], matrix: _Matrix, minimum: int) -> None:
    """The cells of one true label, hatched where it has too few faces."""
    total = matrix.totals.get(truth, 0)
    for x, predicted in enumerate(columns):
        cell = matrix.cells.get((truth, predicted))
        share = 0.0 if cell is None else cell.rate
        if not total or share is None:
            ax.add_patch(Rectangle((x + 0.03, y + 0.04), 0.94, 0.92, facecolor="white", edgecolor=SEPARATOR, linewidth=0.6))
            ax.text(x + 0.5, y + 0.5, DASH, ha="center", va="center", color=MUTED, size=_RATE_SIZE)
            continue
        color = INK
        if total < minimum:
            ax.add_patch(
                Rectangle((x + 0.03, y + 0.04), 0.94, 0.92, facecolor="white", edgecolor=HATCH, hatch="////", linewidth=0)
            )
            ax.add_patch(Rectangle((x + 0.15, y + 0.12), 0.7, 0.76, facecolor="white", edgecolor="none"))
        else:
            fill = colormaps[HEATMAP_COLORS](share)
            ax.add_patch(Rectangle((x + 0.02, y + 0.03), 0.96, 0.94, facecolor=fill, edgecolor="none"))
            color = text_color(share, HEATMAP_COLORS)
        ax.text(x + 0.5, y + 0.36, rate(share), ha="center", va="center", color=color, size=_RATE_SIZE)
        ax.text(x + 0.5, y + 0.74, whole(cell.count if cell else 0), ha="center", va="center", color=color, size=_COUNT_SIZE)


def _table(view: View, grouping: Grouping, confusions: Sequence[Confusion]) -> Table:
    groups = groups_in(view, grouping, (c.group for c in confusions))
    labels = _Labels.of(view, confusions)
    rows = []
    for levels, group in groups.items():
        matrix = _matrix([c for c in confusions if c.group == levels])
        for truth in labels.truth:
            cells = [matrix.cells.get((truth, predicted)) for predicted in labels.predicted]
            total = matrix.totals.get(truth, 0)
            texts = [f"{rate(c.rate if c else 0.0)} ({whole(c.count if c else 0)})" if total else DASH for c in cells]
            rows.append((group_words(group), truth, *texts))
    caption = f"Confusions: {with_source(view.audit, grouping)}"
    return Table(caption, ("group", "true label", *labels.predicted), tuple(rows), heads=2)
