"""Flip rates of changed pictures: against the level of a change, by group, with bands of their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairfer.explanations.probes.perturbations import ON, PERTURBATIONS
from fairfer.report.figures.canvas import Canvas, Picture, file_name
from fairfer.report.figures.group_selection import MAX_GROUPS_BY_COLOR
from fairfer.report.figures.grouping import file_part, groups_in, is_everyone, largest_groups, selection_note
from fairfer.report.figures.rate_axes import axis_ticks, draw_legend, layout_legend, round_axis_end
from fairfer.report.figures.style import GRID, MUTED, GroupStyle, group_styles
from fairfer.report.tables.probes import flips_table
from fairfer.report.text.groups import EVERYONE
from fairfer.report.text.probes import figure_title
from fairfer.report.view import TOO_FEW
from fairfer.vocabulary import ALL

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fairfer.explanations.probes.results import FlipRate, ProbeResult, Probes
    from fairfer.report.view import View
    from fairfer.vocabulary import Group, Grouping

_WIDTH, _HEIGHT = 1.95, 1.25
_LEFT, _COLUMN_GAP, _ROW_GAP = 0.45, 0.32, 0.75
_COLUMNS = 3
_SPREAD = 0.6
"""Width over which the groups of one level are spread, where levels are names."""
_STRAIGHT = 4
"""Up to this many names of levels fit below a panel without turning."""


@dataclass(frozen=True)
class _Panel:
    """The levels of one change, or several changes without levels."""

    title: str
    results: list[ProbeResult]

    @property
    def is_ordered(self) -> bool:
        return self.results[0].position is not None

    @property
    def has_zero(self) -> bool:
        known = PERTURBATIONS.get(self.results[0].perturbation)
        return known is not None and known.has_zero and "0" not in [r.level for r in self.results]

    @property
    def texts(self) -> list[str]:
        """Levels, as they are written below the panel."""
        if self.is_ordered:
            return [r.level.replace("-", "\N{MINUS SIGN}") for r in self.results]
        return [r.perturbation if r.level == ON else r.level for r in self.results]


def draw_probes(view: View) -> list[Picture]:
    """One figure per grouping, with a panel per change; of everyone where there are no groups."""
    probes = view.attachments.probes
    if probes is None or not probes.results:
        return []
    return [_figure(view, probes, grouping) for grouping in view.groupings or [EVERYONE]]


def _figure(view: View, probes: Probes, grouping: Grouping) -> Picture:
    groups = groups_in(view, grouping, (f.group for r in probes.results for f in r.flips if f.attribute == grouping))
    displayed = largest_groups(view, grouping, groups, MAX_GROUPS_BY_COLOR)
    title = figure_title(view, grouping, probes)
    flips = f"predicted {view.noun}" if view.single_label else f"set of predicted {view.noun}s"
    caption = (
        f"Vertical: flip rate, the share of faces whose {flips} changes with the picture. Band or line: {view.confidence} "
        "confidence interval. Level 0 is the original picture. Open symbol: too few faces to compare."
    )
    caption += selection_note(groups, displayed)
    canvas = _draw(view, probes, grouping, list(displayed.values()), title)
    return canvas.finish(
        file_name("probes", file_part(grouping)), "probes", caption, flips_table(view, probes, grouping), title
    )


def _panels(probes: Probes) -> list[_Panel]:
    """A panel per change with several levels, and one for all changes that are only on or off."""
    by_name: dict[str, list[ProbeResult]] = {}
    for result in probes.results:
        name = "other" if result.position is None and result.level == ON else result.perturbation
        by_name.setdefault(name, []).append(result)
    panels = [_Panel(name, results) for name, results in by_name.items() if name != "other"]
    if "other" in by_name:
        panels.append(_Panel(" and ".join(r.perturbation for r in by_name["other"]), by_name["other"]))
    return panels


def _draw(view: View, probes: Probes, grouping: Grouping, groups: Sequence[Group], title: str) -> Canvas:
    panels = _panels(probes)
    columns = min(len(panels), _COLUMNS)
    rows = -(-len(panels) // _COLUMNS)
    # Two panels at least, so that title and legend have room.
    width = _LEFT + (_WIDTH + _COLUMN_GAP) * max(columns, 2)
    legend = layout_legend(view, grouping, groups, width)
    top = 0.3 if is_everyone(grouping) else legend.height + 0.3
    canvas = Canvas(width, top + rows * (_HEIGHT + _ROW_GAP) + 0.1, title)
    if not is_everyone(grouping):
        draw_legend(canvas, view, grouping, legend, bars=False)
    styles = group_styles(view, grouping)
    flips = {(r.name, f.group): f for r in probes.results for f in r.flips if f.attribute == grouping and f.label == ALL}
    drawn = [f for (_, group), f in flips.items() if group in groups and f.rate is not None]
    end = round_axis_end(max([0.05, *(f.rate or 0.0 for f in drawn), *(f.high or 0.0 for f in drawn if f.status == "ok")]))
    for k, panel in enumerate(panels):
        x = _LEFT + (_WIDTH + _COLUMN_GAP) * (k % _COLUMNS)
        y = top + (_HEIGHT + _ROW_GAP) * (k // _COLUMNS)
        ax = canvas.axes(x, y, _WIDTH, _HEIGHT)
        canvas.text(x, y - 0.08, panel.title, weight="bold")
        unit = PERTURBATIONS[panel.results[0].perturbation].unit if panel.results[0].perturbation in PERTURBATIONS else ""
        if unit:
            canvas.text(x + _WIDTH, y - 0.08, unit, color=MUTED, ha="right")
        _draw_axes(ax, panel, end)
        for i, group in enumerate(groups):
            shift = 0.0 if panel.is_ordered else _SPREAD * ((i + 0.5) / len(groups) - 0.5)
            points = [
                (_position(panel, j) + shift, flip)
                for j, result in enumerate(panel.results)
                if (flip := flips.get((result.name, group))) and flip.rate is not None
            ]
            _draw_points(ax, points, styles[group], panel)
    canvas.text(
        _LEFT, top + rows * (_HEIGHT + _ROW_GAP) - 0.02, "horizontal: level of the change; vertical: flip rate", color=MUTED
    )
    return canvas


def _position(panel: _Panel, index: int) -> float:
    position = panel.results[index].position
    return float(index) if position is None else position


def _draw_axes(ax: Axes, panel: _Panel, end: float) -> None:
    ticks, texts = axis_ticks(end, 5)
    ax.set_ylim(-0.02 * end, end * 1.02)
    ax.set_yticks(ticks, texts)
    ax.grid(axis="y", color=GRID, linewidth=0.6)
    ax.set_axisbelow(True)
    positions = [_position(panel, i) for i in range(len(panel.results))]
    labels = panel.texts
    if panel.is_ordered and panel.has_zero:
        positions, labels = [*positions, 0.0], [*labels, "0"]
    turned = not panel.is_ordered and len(labels) > _STRAIGHT
    ax.set_xticks(positions, labels, rotation=45 if turned else 0, ha="right" if turned else "center", rotation_mode="anchor")
    low, high = min(positions), max(positions)
    margin = 0.5 if not panel.is_ordered else 0.04 * ((high - low) or 1.0)
    ax.set_xlim(low - margin, high + margin)


def _draw_points(ax: Axes, points: Sequence[tuple[float, FlipRate]], style: GroupStyle, panel: _Panel) -> None:
    if panel.is_ordered:
        curve = [(x, f.rate or 0.0, f.low or 0.0, f.high or 0.0) for x, f in points]
        if panel.has_zero and curve:
            curve = sorted([*curve, (0.0, 0.0, 0.0, 0.0)])
        if curve:
            levels, values, low, high = zip(*curve, strict=True)
            ax.fill_between(levels, low, high, color=style.color, alpha=0.18, linewidth=0)
            ax.plot(levels, values, color=style.color, linewidth=1.1, zorder=2)
    else:
        for x, flip in points:
            if flip.low is not None and flip.high is not None:
                ax.vlines(x, flip.low, flip.high, color=style.color, linewidth=1.2, alpha=0.9)
    for is_small in (False, True):
        some = [(x, f.rate or 0.0) for x, f in points if (f.status in TOO_FEW) == is_small]
        ax.plot(
            [x for x, _ in some],
            [y for _, y in some],
            style.marker,
            markersize=3.8,
            markerfacecolor="white" if is_small else style.color,
            markeredgecolor=style.color if is_small else "white",
            markeredgewidth=0.8 if is_small else 0.4,
            clip_on=False,
            zorder=3,
        )
