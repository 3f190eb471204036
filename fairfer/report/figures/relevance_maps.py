"""Relevance on the mean face: one panel per label and group, and the pixels at which a group differs from all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import Normalize

from fairfer.explanations.explanation_results import GRID
from fairfer.explanations.face_parts import ACTION_UNITS, REGIONS, oval
from fairfer.explanations.face_shape import template_shape
from fairfer.explanations.own_units import own_units
from fairfer.report.figures.canvas import Canvas, Picture, file_name
from fairfer.report.figures.grouping import file_part, largest_groups
from fairfer.report.figures.style import HATCH, INK, MUTED
from fairfer.report.figures.text_layout import SMALL, shorten, text_width, truncate
from fairfer.report.tables.explanations import map_table, method_title
from fairfer.report.tables.table import Table
from fairfer.report.text.groups import group_words, with_source
from fairfer.report.text.numbers import many, whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from fairfer.explanations.explanation_results import Example, MapDifference, MeanMap, MethodResult
    from fairfer.report.view import View
    from fairfer.vocabulary import Group, Grouping

COLORS = "RdBu_r"
"""Red: evidence for the label, blue: against it; distinguishable without red-green vision."""

_MAX_GROUPS = 6
_PANEL, _GAP, _ROW_GAP, _HEAD = 0.95, 0.12, 0.12, 0.42


def draw_relevance_maps(view: View) -> list[Picture]:
    """One figure per method and grouping of one attribute, with the mean maps of correctly recognized faces."""
    explanations = view.attachments.explanations
    if explanations is None:
        return []
    pictures = []
    for method in explanations.methods:
        for grouping in [(), *(g for g in view.groupings if len(g) == 1)]:
            maps = [m for m in method.mean_maps if m.attribute == grouping and m.map is not None]
            if maps:
                pictures.append(_figure(view, method, grouping, maps))
    return pictures


def draw_relevance_faces(view: View) -> list[Picture]:
    """Single faces with their maps, where they were asked for: one figure per method and attribute."""
    explanations = view.attachments.explanations
    if explanations is None:
        return []
    return [
        _faces(view, method, grouping, examples)
        for method in explanations.methods
        for grouping in view.groupings
        if (examples := [e for e in method.examples if e.attribute == grouping])
    ]


def _faces(view: View, method: MethodResult, grouping: Grouping, examples: list[Example]) -> Picture:
    shown = list(largest_groups(view, grouping, {g: g for g in view.groups(grouping)}, _MAX_GROUPS))
    labels = [n for n in view.labels if any(e.label == n and e.group in shown for e in examples)]
    cells = {(n, g): [e for e in examples if (e.label, e.group) == (n, g)] for n in labels for g in shown}
    width = max(len(row) for row in cells.values())
    left = 0.25 + max(text_width(shorten(n), SMALL) for n in labels)
    step = width * (_PANEL + _GAP / 2) + _GAP
    title = f"Single faces with their maps, {method_title(method)}, by {with_source(view.audit, grouping)}"
    canvas = Canvas(max(left + len(shown) * step + 0.1, 4.2), _HEAD + len(labels) * (_PANEL + _ROW_GAP) + 0.1, title)
    for column, group in enumerate(shown):
        canvas.text(left + column * step, 0.3, truncate(group_words(group), step), weight="bold")
    for row, label in enumerate(labels):
        y = _HEAD + row * (_PANEL + _ROW_GAP)
        canvas.text(left - 0.1, y + _PANEL / 2 + 0.03, shorten(label), ha="right")
        for column, group in enumerate(shown):
            for i, example in enumerate(cells[label, group]):
                x = left + column * step + i * (_PANEL + _GAP / 2)
                _face(canvas.axes(x, y, _PANEL, _PANEL), example)
    caption = (
        f"The recognized faces of each {view.noun} and group with the highest output, aligned to the average face. Red: "
        f"evidence for the label; blue: evidence against it. Black line: where the {view.noun} is expected to show. These "
        "faces are not typical, and a few faces show no difference between groups."
    )
    rows = tuple((n, group_words(g), whole(len(cells[n, g]))) for n in labels for g in shown)
    table = Table("Single faces shown", (view.noun, "group", "faces"), rows, heads=2)
    return canvas.finish(
        file_name("relevance-faces", method.name, file_part(grouping)), "relevance_faces", caption, table, title
    )


def _face(ax: Axes, example: Example) -> None:
    _frame(ax)
    values = example.map.unpack()
    limit = float(np.quantile(np.abs(values), 0.995)) or 1.0
    extent = (0, GRID, GRID, 0)
    ax.imshow(example.levels(), cmap="gray", vmin=0, vmax=255, extent=extent, interpolation="nearest")
    colors = colormaps[COLORS](Normalize(-limit, limit, clip=True)(values))
    colors[..., 3] = 0.75 * np.minimum(np.abs(values) / limit, 1)
    ax.imshow(colors, extent=extent, interpolation="nearest")
    shape = template_shape(0, 0, GRID, GRID)
    for outline in (o for unit in sorted(own_units(example.label)) for o in ACTION_UNITS[unit](shape)):
        ax.fill(outline[:, 0], outline[:, 1], facecolor="none", edgecolor=INK, linewidth=0.6)


def _figure(view: View, method: MethodResult, grouping: Grouping, maps: list[MeanMap]) -> Picture:
    groups: list[Group] = [g for g in view.groups(grouping) if any(m.group == g for m in maps)] if grouping else [()]
    shown = list(largest_groups(view, grouping, {g: g for g in groups}, _MAX_GROUPS)) if grouping else groups
    labels = [n for n in view.labels if any(m.label == n and m.group in shown for m in maps)]
    differing = [
        d
        for d in method.map_differences
        if d.attribute == grouping and d.group in shown and d.significant and d.label in labels
    ]
    columns: list[tuple[str, Group, bool]] = [(group_words(g) if g else "everyone", g, False) for g in shown]
    columns += [(f"{group_words(g)} vs. rest", g, True) for g in shown if any(d.group == g for d in differing)]
    title = _title(view, method, grouping, differing)
    left = 0.25 + max(text_width(shorten(n), SMALL) for n in labels)
    canvas = Canvas(
        max(left + len(columns) * (_PANEL + _GAP) + 0.1, 4.2), _HEAD + len(labels) * (_PANEL + _ROW_GAP) + 0.1, title
    )
    found = {(m.label, m.group): m for m in maps}
    changes = {(d.label, d.group): d for d in differing}
    tested = {(d.label, d.group) for d in method.map_differences if d.attribute == grouping and d.p is not None}
    for column, (head, group, is_difference) in enumerate(columns):
        x = left + column * (_PANEL + _GAP)
        canvas.text(x, 0.3, truncate(head, _PANEL + _GAP), weight="bold")
        for row, label in enumerate(labels):
            y = _HEAD + row * (_PANEL + _ROW_GAP)
            if not column:
                canvas.text(x - 0.1, y + _PANEL / 2 + 0.03, shorten(label), ha="right")
            shown_map = changes.get((label, group)) if is_difference else found.get((label, group))
            limit = _limit([m for m in maps if m.label == label])
            if is_difference:
                limit = _largest([d for d in differing if d.label == label])
            untested = is_difference and (label, group) not in tested
            empty = "no significant\npixel" if is_difference and not untested else "too few\nfaces"
            _panel(canvas.axes(x, y, _PANEL, _PANEL), shown_map, limit, empty)
    return canvas.finish(
        file_name("relevance-map", method.name, file_part(grouping)),
        "relevance_map",
        _caption(view, method, groups, shown, columns),
        map_table(view, method, grouping),
        title,
    )


def _limit(maps: list[MeanMap]) -> float:
    """The end of a row's color scale: the 99.5th percentile of the magnitudes, so that one pixel does not set it."""
    magnitudes = np.abs(np.stack([m.map.unpack() for m in maps if m.map is not None]))
    return float(np.quantile(magnitudes, 0.995)) or 1.0


def _largest(differences: list[MapDifference]) -> float:
    """The end of the color scale of a row's differences, which are much smaller than the maps."""
    return max((np.abs(d.map.unpack()).max() for d in differences if d.map is not None), default=1.0) or 1.0


def _frame(ax: Axes) -> None:
    ax.set_xlim(0, GRID)
    ax.set_ylim(GRID, 0)
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_visible(True)
        spine.set_color(HATCH)


def _panel(ax: Axes, row: MeanMap | MapDifference | None, limit: float, empty: str) -> None:
    _frame(ax)
    if row is None or row.map is None:
        ax.text(GRID / 2, GRID / 2, empty, ha="center", va="center", color=MUTED, size=6)
        return
    values: NDArray[np.float64] = row.map.unpack()
    ax.imshow(values, cmap=COLORS, norm=Normalize(-limit, limit), extent=(0, GRID, GRID, 0), interpolation="nearest")
    shape = template_shape(0, 0, GRID, GRID)
    for outline in [*oval(shape), *(outline for part in REGIONS.values() for outline in part(shape))]:
        ax.fill(outline[:, 0], outline[:, 1], facecolor="none", edgecolor=INK, linewidth=0.35, alpha=0.6)


def _title(view: View, method: MethodResult, grouping: Grouping, differing: list[MapDifference]) -> str:
    where = f"Where the model looked, {method_title(method)}"
    if not grouping:
        return f"{where}: mean relevance by {view.noun}"
    by = with_source(view.audit, grouping)
    tested = [d for d in method.map_differences if d.attribute == grouping and d.p is not None]
    if not tested:
        return f"{where}, by {by}: too few faces to compare groups"
    if not differing:
        return f"{where}, by {by}: no pixel differs significantly between groups"
    pairs = many(len(differing), f"combination of {view.noun} and group", f"combinations of {view.noun} and group")
    return f"{where}, by {by}: the maps of {pairs} differ significantly from those of all other faces"


def _caption(
    view: View, method: MethodResult, groups: list[Group], shown: list[Group], columns: list[tuple[str, Group, bool]]
) -> str:
    text = (
        f"Mean relevance of faces that have the {view.noun} and were recognized, aligned to the average face. Each face's map "
        "is scaled to a sum of absolute relevance of 1. Red: evidence for the label; blue: evidence against it. Each row has "
        "its own color scale. Lines: regions of the face."
    )
    if any(is_difference for _, _, is_difference in columns):
        text += (
            " Columns “vs. rest”: the group's mean minus that of all other faces, at significant pixels only; red: more than "
            "in all other faces, blue: less, on a color scale of their own (max-T permutation test over all pixels; p "
            "multiplied by the number of comparisons of this attribute, Bonferroni)."
        )
    if len(shown) < len(groups):
        text += f" Of {len(groups)} groups, the {len(shown)} largest are shown."
    return text + (f" {method.warning}" if method.warning else "")
