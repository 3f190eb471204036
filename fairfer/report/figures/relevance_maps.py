"""Relevance on the mean face: one panel per label and group, and the pixels at which a group differs from all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import Normalize

from fairfer.explanations.explanation_results import GRID
from fairfer.explanations.face_parts import REGIONS, oval
from fairfer.explanations.face_shape import template_shape
from fairfer.report.figures.canvas import Canvas, Picture, file_name
from fairfer.report.figures.grouping import file_part, largest_groups
from fairfer.report.figures.style import INK, MUTED
from fairfer.report.figures.text_layout import SMALL, shorten, text_width, truncate
from fairfer.report.tables.explanations import map_table, method_title
from fairfer.report.text.groups import group_words, with_source
from fairfer.report.text.numbers import many

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from fairfer.explanations.explanation_results import MapDifference, MeanMap, MethodResult
    from fairfer.report.view import View
    from fairfer.vocabulary import Group, Grouping

COLORS = "RdBu_r"
"""Red speaks for the label, blue against it, as in the heat maps of paper 001; distinguishable without red-green vision."""

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
    for column, (head, group, is_difference) in enumerate(columns):
        x = left + column * (_PANEL + _GAP)
        canvas.text(x, 0.3, truncate(head, _PANEL + _GAP), weight="bold")
        for row, label in enumerate(labels):
            y = _HEAD + row * (_PANEL + _ROW_GAP)
            if not column:
                canvas.text(x - 0.1, y + _PANEL / 2 + 0.03, shorten(label), ha="right")
            shown_map = changes.get((label, group)) if is_difference else found.get((label, group))
            limit = _limit([m for m in maps if m.label == label])
            _panel(canvas.axes(x, y, _PANEL, _PANEL), shown_map, limit)
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


def _panel(ax: Axes, row: MeanMap | MapDifference | None, limit: float) -> None:
    ax.set_xlim(0, GRID)
    ax.set_ylim(GRID, 0)
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_visible(True)
        spine.set_color("#c4c4c4")
    if row is None or row.map is None:
        text = "no pixel\ndiffers" if row is None else "too few\nfaces"
        ax.text(GRID / 2, GRID / 2, text, ha="center", va="center", color=MUTED, size=6)
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
    return f"{where}, by {by}: the maps of {pairs} differ significantly from all other faces"


def _caption(
    view: View, method: MethodResult, groups: list[Group], shown: list[Group], columns: list[tuple[str, Group, bool]]
) -> str:
    text = (
        f"Mean relevance of faces that have the {view.noun} and were recognized, laid on the canonical face; no single face "
        "is shown. Red: speaks for the label; blue: speaks against it. Each row has its own color scale. Lines: regions of the "
        "face."
    )
    if any(is_difference for _, _, is_difference in columns):
        text += (
            " Columns “vs. rest”: the group's mean minus that of all other faces, at significant pixels only (max-T "
            "permutation test over all pixels and comparisons of this attribute)."
        )
    if len(shown) < len(groups):
        text += f" Of {len(groups)} groups, the {len(shown)} largest are shown."
    return text + (f" {method.warning}" if method.warning else "")
