"""Heatmaps of error rates: by rate and by label."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.patches import Rectangle

from fairfer.report.figures.lettering import feet, folded, inches, short
from fairfer.report.figures.selection import Block, by_words, excluded, in_full, paged
from fairfer.report.figures.sheet import Names, Picture, Sheet, finish
from fairfer.report.figures.style import HATCH, INK, MAP, QUIET
from fairfer.report.figures.titles import extremes, spread
from fairfer.report.tables import rates as tables
from fairfer.report.text.groups import EVERYONE, capital, faces, group_words, with_source
from fairfer.report.text.numbers import DASH, many, rate, whole
from fairfer.report.view import RATES, SAYS, View

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fairfer.metrics.results import Rate


def draw_rate_heatmaps(view: View, name: str, names: Names) -> list[Picture]:
    """One rate of every label, per group."""
    pictures = []
    for blocks in paged(view):
        title = (
            f"{name}: {extremes(view, name)}"
            if len(paged(view)) == 1
            else f"{name}: {extremes(view, name)} ({by_words(blocks)})"
        )
        caption = f"{name}, the {RATES[name]}: {SAYS[name]}. {_cells(view)}{excluded(view, blocks)}"
        cells = {(a, g): [view.rate(name, label, a, g) for label in view.labels] for a, groups in blocks for g in groups}
        sheet = _heatmap(view, blocks, view.labels, cells, title, RATES[name])
        table = tables.rate_table(view, name, in_full(view, blocks))
        pictures.append(finish(sheet, names("rate", name), "rate", title, caption, table))
    return pictures


def draw_label_heatmaps(view: View, label: str, names: Names) -> list[Picture]:
    """The four error rates of one label, per group."""
    pictures = []
    for blocks in paged(view):
        title = f"{capital(label)}: {spread(view, label)}" + ("" if len(paged(view)) == 1 else f" ({by_words(blocks)})")
        caption = f"Error rates of {faces(label)}, one against the rest. {_cells(view)}{excluded(view, blocks)}"
        cells = {(a, g): [view.rate(name, label, a, g) for name in RATES] for a, groups in blocks for g in groups}
        sheet = _heatmap(view, blocks, list(RATES), cells, title, "rate")
        table = tables.label_table(view, label, in_full(view, blocks))
        pictures.append(
            finish(sheet, names("emotion" if view.noun == "emotion" else "label", label), "emotion", title, caption, table)
        )
    return pictures


def _cells(view: View) -> str:
    least = many(view.audit.plan.minimum, "face")
    return f"Below each rate: how many of how many faces. Hatched: fewer than {least}. {DASH}: no face to estimate it from."


def _heatmap(
    view: View,
    blocks: Sequence[Block],
    columns: Sequence[str],
    cells: dict[tuple[str, str], list[Rate]],
    title: str,
    scale: str,
) -> Sheet:
    """Groups by columns, blocks of groups below one another; colour from 0 to 1 in every heatmap of the report."""
    rows: list[tuple[str, str] | None] = []
    heads: list[tuple[int, str]] = []
    for attribute, groups in blocks:
        if attribute != EVERYONE:
            heads.append((len(rows), with_source(view.audit, attribute)))
            rows.append(None)  # a line for the name of the grouping
        rows += [(attribute, g) for g in groups]
    texts = [short(group_words(r[1])) if r else "" for r in rows]
    left = 0.25 + max(inches(t, 8) for t in texts)
    wide, high = (0.78 if len(columns) > len(RATES) else 0.95), 0.33
    top, angle = feet([short(c) for c in columns], wide)
    left = max(left, 1.15)  # the scale's name stands there
    width = max(left + wide * len(columns) + 0.2 + (0.4 if angle else 0), 4.4)
    sheet = Sheet(width, top + 0.12 + high * len(rows) + 0.62, title)
    ax = sheet.axes(left, top + 0.12, wide * len(columns), high * len(rows))
    value = np.array([[_shade(r) for r in cells[key]] if key else [np.nan] * len(columns) for key in rows], float)
    sns.heatmap(
        pd.DataFrame(value), ax=ax, cmap=MAP, vmin=0, vmax=1, cbar=False, linewidths=1.2, linecolor="white",
        xticklabels=False, yticklabels=False,
    )  # fmt: skip
    ax.set(xlabel="", ylabel="")
    colours = sns.color_palette(MAP, as_cmap=True)
    for y, key in enumerate(rows):
        for x, found in enumerate(cells[key] if key else ()):
            _cell(ax, x, y, found, colours)
        if key:
            sheet.text(left - 0.1, top + 0.12 + high * (y + 0.5) + 0.04, texts[y], size=8, ha="right")
    for y, text in heads:
        sheet.text(left, top + 0.12 + high * (y + 1) - 0.07, text, color=QUIET)
    for x, name in enumerate(columns):
        middle = left + wide * (x + 0.5)
        turned: dict[str, Any] = {"rotation": angle, "rotation_mode": "anchor", "ha": "left"} if angle else {"ha": "center"}
        sheet.text(middle, top + 0.04, folded(short(name), wide, angle), size=8, va="bottom", **turned)
    _scale(sheet, left, top + 0.12 + high * len(rows) + 0.16, scale)
    return sheet


def _shade(found: Rate) -> float:
    """What is coloured: a rate with enough faces behind it, and nothing else."""
    return found.value if found.status == "ok" and found.value is not None else np.nan


def _cell(ax: Axes, x: int, y: int, found: Rate, colours: Callable[[float], tuple[float, float, float, float]]) -> None:
    if found.value is None:
        ax.add_patch(Rectangle((x + 0.03, y + 0.06), 0.94, 0.88, facecolor="white", edgecolor="#e2e2e2", linewidth=0.6))
        ax.text(x + 0.5, y + 0.5, DASH, ha="center", va="center", color=QUIET, size=8)
        return
    ink = INK
    if found.status == "small":
        ax.add_patch(Rectangle((x + 0.03, y + 0.06), 0.94, 0.88, facecolor="white", edgecolor=HATCH, hatch="////", linewidth=0))
        ax.add_patch(Rectangle((x + 0.2, y + 0.14), 0.6, 0.72, facecolor="white", edgecolor="none"))
    else:
        red, green, blue, _ = colours(found.value)
        light = np.array([red, green, blue])
        luminance = np.where(light > 0.04045, ((light + 0.055) / 1.055) ** 2.4, light / 12.92) @ [0.2126, 0.7152, 0.0722]
        ink = "black" if luminance > 0.179 else "white"
    ax.text(x + 0.5, y + 0.36, rate(found.value), ha="center", va="center", color=ink, size=8)
    if found.denominator is not None:
        ax.text(
            x + 0.5,
            y + 0.75,
            f"{whole(found.numerator)}/{whole(found.denominator)}",
            ha="center",
            va="center",
            color=ink,
            size=5.5,
        )


def _scale(sheet: Sheet, left: float, top: float, name: str) -> None:
    """The colours from 0 to 1, and what is hatched or blank."""
    steps = 25
    ax = sheet.axes(left, top, 1.6, 0.1)
    ax.pcolormesh(np.linspace(0, 1, steps + 1), [0, 1], np.linspace(0, 1, steps)[None, :], cmap=MAP, vmin=0, vmax=1)
    ax.set_yticks([])
    ax.set_xticks([0, 0.5, 1], ["0", ".5", "1"])
    ax.tick_params(labelsize=7, pad=1.5)
    for side in ax.spines.values():
        side.set_visible(False)
    sheet.text(left - 0.08, top + 0.1, name, size=7, ha="right", color=QUIET)
    box = Rectangle(
        ((left + 1.8) / sheet.width, 1 - (sheet.head + top + 0.13) / sheet.height), 0.22 / sheet.width, 0.15 / sheet.height,
        facecolor="white", edgecolor=HATCH, hatch="//////", linewidth=0.4, transform=sheet.figure.transFigure,
    )  # fmt: skip
    sheet.figure.add_artist(box)
    sheet.text(left + 2.07, top + 0.1, "too few", size=7, color=QUIET)
    sheet.text(left + 2.07, top + 0.28, f"none: {DASH}", size=7, color=QUIET)
