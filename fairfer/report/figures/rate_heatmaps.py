"""Heatmaps of error rates: by rate and by label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import colormaps
from matplotlib.patches import Rectangle

from fairfer.report.figures.canvas import Canvas, Picture, file_name
from fairfer.report.figures.group_selection import Block, omission_note, pages, table_blocks
from fairfer.report.figures.grouping import is_everyone
from fairfer.report.figures.style import HATCH, HEATMAP_COLORS, INK, MUTED, SEPARATOR
from fairfer.report.figures.text_layout import NORMAL, column_label, column_label_layout, shorten, text_width
from fairfer.report.figures.titles import COMPARED, label_title, rate_title
from fairfer.report.tables import rates as tables
from fairfer.report.text.groups import group_words, with_source
from fairfer.report.text.numbers import DASH, listed, rate, whole
from fairfer.report.view import RATE_DESCRIPTIONS, RATES, TOO_FEW, View

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fairfer.metrics.results import Rate
    from fairfer.vocabulary import Group, Grouping

_ROW_HEIGHT = 0.33
_COUNT_SIZE = 5.5
_BLACK_TEXT_LUMINANCE = 0.179
"""Above this relative luminance black text has the higher contrast, below it white; 4.6:1 at the least (WCAG 2.2)."""
_SRGB_LINEAR = 0.04045
_SCALE_STEPS = 25


@dataclass(frozen=True)
class _Grid:
    """Columns of a heatmap and the rates of each row, by grouping and group."""

    columns: tuple[str, ...]
    cells: dict[tuple[Grouping, Group], list[Rate]]
    scale: str


def draw_rate_heatmaps(view: View) -> list[Picture]:
    """Each of the four rates, of every label and group."""
    return [_rate_heatmap(view, name, blocks) for name in RATES for blocks in pages(view)]


def _rate_heatmap(view: View, name: str, blocks: list[Block]) -> Picture:
    title = rate_title(view, name, blocks)
    caption = f"{name}, the {RATES[name]}: {RATE_DESCRIPTIONS[name]}. {_cell_note(view)}{omission_note(view, blocks)}"
    cells = {(a, g): [view.rate(name, label, a, g) for label in view.labels] for a, groups in blocks for g in groups}
    canvas = _heatmap(view, blocks, _Grid(tuple(view.labels), cells, RATES[name]), title)
    table = tables.rate_table(view, name, table_blocks(view, blocks))
    return canvas.finish(file_name("rate", name), "rate", caption, table, title)


def draw_label_heatmaps(view: View) -> list[Picture]:
    """The four rates of each label, per group."""
    return [_label_heatmap(view, label, blocks) for label in view.labels for blocks in pages(view)]


def _label_heatmap(view: View, label: str, blocks: list[Block]) -> Picture:
    title = label_title(view, label, blocks)
    caption = f"{listed(tuple(RATES))} of {label}, one-vs-rest. {_cell_note(view)}{omission_note(view, blocks)}"
    cells = {(a, g): [view.rate(name, label, a, g) for name in RATES] for a, groups in blocks for g in groups}
    canvas = _heatmap(view, blocks, _Grid(tuple(RATES), cells, "rate"), title)
    table = tables.label_table(view, label, table_blocks(view, blocks))
    return canvas.finish(file_name(view.noun, label), "label", caption, table, title)


def _cell_note(view: View) -> str:
    return f"Below each rate: numerator and denominator. Hatched: fewer than {view.minimum}. {DASH}: not estimable. {COMPARED}"


def _heatmap(view: View, blocks: Sequence[Block], grid: _Grid, title: str) -> Canvas:
    """Groups by columns, one block of rows per grouping; the color scale is 0 to 1 in every heatmap of the report."""
    rows: list[tuple[Grouping, Group] | None] = []
    heads: list[tuple[int, str]] = []
    for grouping, groups in blocks:
        if not is_everyone(grouping):
            heads.append((len(rows), with_source(view.audit, grouping)))
            rows.append(None)  # a line for the name of the grouping
        rows += [(grouping, g) for g in groups]
    texts = [shorten(group_words(row[1])) if row else "" for row in rows]
    # The name of the color scale stands at the left of the scale and needs 1.15 inches.
    left = max(0.25 + max(text_width(t, NORMAL) for t in texts), 1.15)
    column_width = 0.78 if len(grid.columns) > len(RATES) else 0.95
    columns = [shorten(c) for c in grid.columns]
    head_height, angle = column_label_layout(columns, column_width)
    top, height = head_height + 0.12, _ROW_HEIGHT * len(rows)
    width = max(left + column_width * len(columns) + 0.2 + (0.4 if angle else 0), 4.4)
    canvas = Canvas(width, top + height + 0.62, title)
    ax = canvas.axes(left, top, column_width * len(columns), height)
    ax.set_xticks([])
    ax.set_yticks([])
    shades = np.array([[_shade(r) for r in grid.cells[row]] if row else [np.nan] * len(columns) for row in rows], float)
    sns.heatmap(
        pd.DataFrame(shades), ax=ax, cmap=HEATMAP_COLORS, vmin=0, vmax=1, cbar=False, linewidths=1.2, linecolor="white",
        xticklabels=False, yticklabels=False,
    )  # fmt: skip
    ax.set(xlabel="", ylabel="")
    for y, row in enumerate(rows):
        if row is None:
            continue
        canvas.text(left - 0.1, top + _ROW_HEIGHT * (y + 0.5) + 0.04, texts[y], size=NORMAL, ha="right")
        for x, cell in enumerate(grid.cells[row]):
            _draw_cell(ax, x, y, cell)
    for y, text in heads:
        canvas.text(left, top + _ROW_HEIGHT * (y + 1) - 0.07, text, color=MUTED)
    for x, column in enumerate(columns):
        text, center = column_label(column, column_width, angle), left + column_width * (x + 0.5)
        canvas.column_head(center, head_height + 0.04, text, size=NORMAL, angle=angle)
    _draw_scale(canvas, left, top + height + 0.16, grid.scale)
    return canvas


def _shade(cell: Rate) -> float:
    """The value that is colored: a rate from enough faces; not a number otherwise."""
    return cell.value if cell.status == "ok" and cell.value is not None else np.nan


def text_color(value: float, colors: str) -> str:
    """Black or white, whichever has the higher contrast on a value's color."""
    srgb = np.array(colormaps[colors](value)[:3])
    linear = np.where(srgb > _SRGB_LINEAR, ((srgb + 0.055) / 1.055) ** 2.4, srgb / 12.92)
    return "black" if linear @ [0.2126, 0.7152, 0.0722] > _BLACK_TEXT_LUMINANCE else "white"


def _draw_cell(ax: Axes, x: int, y: int, cell: Rate) -> None:
    if cell.value is None:
        ax.add_patch(Rectangle((x + 0.03, y + 0.06), 0.94, 0.88, facecolor="white", edgecolor=SEPARATOR, linewidth=0.6))
        ax.text(x + 0.5, y + 0.5, DASH, ha="center", va="center", color=MUTED, size=NORMAL)
        return
    color = INK
    if cell.status in TOO_FEW:
        ax.add_patch(Rectangle((x + 0.03, y + 0.06), 0.94, 0.88, facecolor="white", edgecolor=HATCH, hatch="////", linewidth=0))
        ax.add_patch(Rectangle((x + 0.2, y + 0.14), 0.6, 0.72, facecolor="white", edgecolor="none"))
    else:
        color = text_color(cell.value, HEATMAP_COLORS)
    ax.text(x + 0.5, y + 0.36, rate(cell.value), ha="center", va="center", color=color, size=NORMAL)
    if cell.denominator is not None:
        counts = f"{whole(cell.numerator)}/{whole(cell.denominator)}"
        ax.text(x + 0.5, y + 0.75, counts, ha="center", va="center", color=color, size=_COUNT_SIZE)


def draw_color_scale(canvas: Canvas, left: float, top: float, name: str) -> None:
    """The colors from 0 to 1."""
    ax = canvas.axes(left, top, 1.6, 0.1)
    edges, values = np.linspace(0, 1, _SCALE_STEPS + 1), np.linspace(0, 1, _SCALE_STEPS)[None, :]
    ax.pcolormesh(edges, [0, 1], values, cmap=HEATMAP_COLORS, vmin=0, vmax=1)
    ax.set_yticks([])
    ax.set_xticks([0, 0.5, 1], ["0", ".5", "1"])
    ax.tick_params(labelsize=7, pad=1.5)
    for side in ax.spines.values():
        side.set_visible(False)
    canvas.text(left - 0.08, top + 0.1, name, size=7, ha="right", color=MUTED)


def _draw_scale(canvas: Canvas, left: float, top: float, name: str) -> None:
    """The colors from 0 to 1, and the meaning of hatched and blank cells."""
    draw_color_scale(canvas, left, top, name)
    box = Rectangle(
        canvas.position(left + 1.8, top + 0.13), 0.22 / canvas.width, 0.15 / canvas.height,
        facecolor="white", edgecolor=HATCH, hatch="//////", linewidth=0.4, transform=canvas.figure.transFigure,
    )  # fmt: skip
    canvas.figure.add_artist(box)
    canvas.text(left + 2.07, top + 0.1, "too few", size=7, color=MUTED)
    canvas.text(left + 2.07, top + 0.28, f"{DASH}: not estimable", size=7, color=MUTED)
