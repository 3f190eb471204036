"""Association of labels with groups in the data, beside the model's TPR in these groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib import colormaps
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle

from fairfer.report.figures.canvas import Canvas, Picture, file_name
from fairfer.report.figures.group_selection import Block, pages
from fairfer.report.figures.grouping import is_everyone
from fairfer.report.figures.rate_axes import round_axis_end
from fairfer.report.figures.style import INK, MUTED
from fairfer.report.figures.text_layout import SMALL, column_label, column_label_layout, shorten, text_width
from fairfer.report.tables.composition import label_group_association_table
from fairfer.report.text import statements
from fairfer.report.text.groups import group_words, with_source
from fairfer.report.text.numbers import DASH, many, signed
from fairfer.vocabulary import is_annotated

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fairfer.metrics.results import Pairing
    from fairfer.report.view import View
    from fairfer.vocabulary import Group, Grouping

_COLORS = "PuOr"
_CELL_WIDTH, _ROW_HEIGHT = 0.47, 0.24
_CELL_SIZE = 7.0
_TOP = 0.25
_MIN_EXPECTED = 5
"""With fewer expected faces in a cell the association is not reliable (Cochran 1954); the cell has no color."""
_WHITE_TEXT_SHARE = 0.72
"""Beyond this share of the scale the colors are so dark that white text has the higher contrast."""


@dataclass(frozen=True)
class _Cell:
    """A value of the map; `is_colored` is false where too few faces are expected."""

    value: float | None
    is_colored: bool = True


@dataclass(frozen=True)
class _Map:
    """One of the two maps: its heading, the end of its color scale, and its cells by row and label."""

    heading: str
    scale_end: float
    cells: dict[tuple[int, str], _Cell]


def draw_association(view: View) -> list[Picture]:
    """Ducher's Z of each label and group, and beside it the model's TPR there minus that of all others."""
    if view.audit.dataset_bias is None:
        return []
    title = statements.association_statement(view)
    caption = (
        f"Left: association of each {view.noun} with each group in these data (Ducher's Z: 1 maximal positive association, 0 "
        "independence, \N{MINUS SIGN}1 never together). Right: the model's TPR in the group minus its TPR for all other faces. "
        "Purple: above 0; orange: below 0. Where both are far from 0, the model's errors and the data's associations may be "
        f"related. Without color: fewer than {_MIN_EXPECTED} faces expected under independence. The title compares pairs of "
        f"{view.noun} and group with at least {many(view.audit.plan.minimum, 'face')}."
    )
    page_blocks = [[b for b in page if not is_everyone(b[0])] for page in pages(view)]
    return [
        _draw_maps(view, blocks, title).finish(
            file_name("association"), "association", caption, label_group_association_table(view), title
        )
        for blocks in page_blocks
        if blocks
    ]


def _draw_maps(view: View, blocks: list[Block], title: str) -> Canvas:
    composition = view.audit.dataset_bias
    pairings = {(p.attribute, p.group, p.label): p for p in (composition.pairing if composition else ())}
    rows: list[tuple[Grouping, Group] | str] = []
    for grouping, groups in blocks:
        rows.append(with_source(view.audit, grouping))
        rows += [(grouping, g) for g in groups if (grouping, g, view.labels[0]) in pairings]
    texts = ["" if isinstance(row, str) else shorten(group_words(row[1])) for row in rows]
    left = 0.25 + max(text_width(t, SMALL) for t in texts)
    labels = [shorten(n) for n in view.labels]
    map_width, height = _CELL_WIDTH * len(labels), _ROW_HEIGHT * len(rows)
    head_height, angle = column_label_layout(labels, _CELL_WIDTH)
    top = _TOP + head_height
    canvas = Canvas(left + 2 * map_width + 0.55 + (0.4 if angle else 0), head_height + 0.42 + height, title)
    for k, cell_map in enumerate(_maps(view, rows, pairings)):
        x = left + k * (map_width + 0.25)
        canvas.text(x, 0.16, cell_map.heading, weight="bold")
        ax = canvas.axes(x, top, map_width, height)
        ax.set_xlim(0, len(labels))
        ax.set_ylim(len(rows), 0)
        ax.set_axis_off()
        for column, (label, text) in enumerate(zip(view.labels, labels, strict=True)):
            center = x + _CELL_WIDTH * (column + 0.5)
            canvas.column_head(center, top - 0.06, column_label(text, _CELL_WIDTH, angle), size=_CELL_SIZE, angle=angle)
            for y in range(len(rows)):
                if (y, label) in cell_map.cells:
                    _draw_cell(ax, column, y, cell_map.cells[y, label], cell_map.scale_end)
    for y, row in enumerate(rows):
        baseline = top + _ROW_HEIGHT * (y + 0.5) + 0.035
        if isinstance(row, str):
            canvas.text(left, baseline + 0.04, row, color=MUTED, size=_CELL_SIZE)
        else:
            canvas.text(left - 0.1, baseline, texts[y], ha="right")
    return canvas


def _maps(
    view: View, rows: Sequence[tuple[Grouping, Group] | str], pairings: dict[tuple[Grouping, Group, str], Pairing]
) -> tuple[_Map, _Map]:
    """Ducher's Z, and the model's TPR compared with the others'."""
    association: dict[tuple[int, str], _Cell] = {}
    excess: dict[tuple[int, str], _Cell] = {}
    for y, row in enumerate(rows):
        if isinstance(row, str):
            continue
        for label in view.labels:
            pairing = pairings.get((*row, label))
            has_enough = _expected_faces(view, *row, label) >= _MIN_EXPECTED
            association[y, label] = _Cell(pairing.ducher_z if pairing else None, has_enough)
            excess[y, label] = _Cell(pairing.tpr_excess if pairing else None)
    maximum = max((abs(p.tpr_excess) for p in pairings.values() if p.tpr_excess is not None), default=0.0)
    return _Map("Ducher's Z", 1.0, association), _Map("TPR minus others' TPR", round_axis_end(maximum), excess)


def _expected_faces(view: View, grouping: Grouping, group: Group, label: str) -> float:
    """Number of faces of a label that a group would have if label and group were independent."""
    groups = [g for g in view.groups(grouping) if is_annotated(g)]
    total = sum(view.size(grouping, g) for g in groups)
    return view.size(grouping, group) * sum(view.support(label, grouping, g) for g in groups) / total if total else 0.0


def _draw_cell(ax: Axes, x: int, y: int, cell: _Cell, scale_end: float) -> None:
    color = MUTED
    if cell.value is not None and cell.is_colored:
        fill = colormaps[_COLORS](Normalize(-scale_end, scale_end)(cell.value))
        ax.add_patch(Rectangle((x + 0.02, y + 0.03), 0.96, 0.94, facecolor=fill, edgecolor="none"))
        color = "white" if abs(cell.value) / scale_end > _WHITE_TEXT_SHARE else INK
    text = DASH if cell.value is None else signed(cell.value)
    ax.text(x + 0.5, y + 0.5, text, ha="center", va="center", color=color, size=_CELL_SIZE)
