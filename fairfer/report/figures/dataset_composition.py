"""Composition of the dataset: how many faces of each group show each label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fairfer.report.figures.canvas import Canvas, Picture, file_name
from fairfer.report.figures.group_rows import MAX_COLUMNS
from fairfer.report.figures.group_selection import (
    Block,
    grouping_list,
    legend_title,
    omission_note,
    pages,
    table_blocks,
)
from fairfer.report.figures.grouping import is_everyone
from fairfer.report.figures.style import INK, MUTED, group_styles
from fairfer.report.figures.text_layout import SMALL, shorten, text_width, truncate
from fairfer.report.figures.titles import composition_title
from fairfer.report.tables.composition import composition_table
from fairfer.report.text.groups import group_words
from fairfer.report.text.numbers import whole

if TYPE_CHECKING:
    from fairfer.report.view import View

_COLUMN_WIDTH, _ROW_HEIGHT = 1.0, 0.19
_AXIS_COLOR = "#8a8a8a"
_COUNT_SIZE = 6.5


def draw_composition(view: View) -> list[Picture]:
    """How many faces of each group show each label."""
    page_blocks = [[b for b in page if not is_everyone(b[0]) or not view.groupings] for page in pages(view)]
    pictures = []
    for blocks in filter(None, page_blocks):
        title = composition_title(view, blocks) + ("" if len(page_blocks) == 1 else f" ({grouping_list(blocks)})")
        caption = f"Number of faces by group and {view.noun}; in parentheses: faces of the group.{omission_note(view, blocks)}"
        table = composition_table(view, table_blocks(view, blocks))
        canvas = _draw_counts(view, blocks, title)
        pictures.append(canvas.finish(file_name("composition"), "composition", caption, table, title))
    return pictures


def _draw_counts(view: View, blocks: Sequence[Block], title: str) -> Canvas:
    """Bars of counts: a row per group, a column per label; one scale per grouping."""
    names = [f"{shorten(group_words(g))} ({view.size(a, g):,})" for a, groups in blocks for g in groups]
    left = 0.25 + max(text_width(n, SMALL) for n in names)
    label_rows = [view.labels[i : i + MAX_COLUMNS] for i in range(0, len(view.labels), MAX_COLUMNS)]
    heights = [_ROW_HEIGHT * len(groups) + 0.5 for _, groups in blocks]
    width = left + _COLUMN_WIDTH * min(len(view.labels), MAX_COLUMNS) + 0.2
    canvas = Canvas(width, 0.1 + sum(heights) * len(label_rows), title)
    top = 0.1
    for labels in label_rows:
        for block, height in zip(blocks, heights, strict=True):
            _draw_block(canvas, view, block, labels, left, top)
            top += height
    return canvas


def _draw_block(canvas: Canvas, view: View, block: Block, labels: Sequence[str], left: float, top: float) -> None:
    """The groups of one grouping, for the labels that fit side by side."""
    grouping, groups = block
    styles = group_styles(view, grouping)
    colors = [styles[g].color for g in groups]
    maximum = max((view.support(n, grouping, g) for n in view.labels for g in groups), default=0) or 1
    canvas.text(0.1, top + 0.2, legend_title(view, grouping), color=MUTED)
    for k, label in enumerate(labels):
        ax = canvas.axes(left + _COLUMN_WIDTH * k, top + 0.38, _COLUMN_WIDTH - 0.12, _ROW_HEIGHT * len(groups))
        ax.set_xlim(0, maximum * 1.45)  # room for the number at the end of the longest bar
        ax.set_ylim(len(groups), 0)
        ax.set_axis_off()
        canvas.text(left + _COLUMN_WIDTH * k, top + 0.33, truncate(label, _COLUMN_WIDTH - 0.1), weight="bold")
        counts = [view.support(label, grouping, g) for g in groups]
        ax.barh(np.arange(len(groups)) + 0.5, counts, height=0.74, color=colors)
        ax.axvline(0, color=_AXIS_COLOR, linewidth=0.6)
        for i, count in enumerate(counts):
            color = INK if count else MUTED
            ax.text(count + maximum * 0.04, i + 0.5, whole(count), va="center", size=_COUNT_SIZE, color=color)
    for i, group in enumerate(groups):
        name = f"{shorten(group_words(group))} ({view.size(grouping, group):,})"
        canvas.text(left - 0.1, top + 0.38 + _ROW_HEIGHT * (i + 0.5) + 0.035, name, ha="right")
