"""Sensitivity of gaps between inferred groups to annotation error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairfer.report.figures.canvas import Canvas, Picture, file_name
from fairfer.report.figures.style import COLORS, INK, MUTED
from fairfer.report.figures.text_layout import truncate
from fairfer.report.tables.annotation_error import annotation_error_table
from fairfer.report.text import statements
from fairfer.report.text.groups import with_source
from fairfer.vocabulary import ALL

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fairfer.metrics.results import CorrectedGap, Gap
    from fairfer.report.view import View

_MAX_PANELS, _MAX_COLUMNS = 6, 3
_PANEL_WIDTH, _PANEL_HEIGHT = 2.1, 1.25
_TICK_LABELS = 0.5
"""Space between panels in inches, for the tick labels of the right panel."""
_ROW_HEIGHT = _PANEL_HEIGHT + 0.75
_VALIDATED = 0.1
"""Position of the gap that a validation sample corrects."""
_STYLES = {"all_groups": "-", "worst_only": "--", "best_only": ":"}


def draw_annotation_error(view: View) -> list[Picture]:
    """The gaps that exceed the gap expected by chance most, corrected for assumed shares of annotation errors."""
    curves = [(g, c) for g, c in view.sensitivity if g.difference][:_MAX_PANELS]
    if not curves:
        return []
    title = statements.annotation_error_statement(view)
    caption = (
        "Gap between the groups with the most and the least favorable rate, as annotated (dot at the left) and corrected. "
        "Lines: the assumed share of wrong annotations is in all inferred groups (solid), or in the least (dashed) or the most "
        f"favorable group only (dotted). Band: {view.confidence} confidence intervals of all three. Dot with a line: "
        "corrected by the validation sample, with its interval. Below 0 the order of the two groups is reversed. A line ends "
        "where no correction is possible."
    )
    if any(view.probabilistic(g) for g, _ in curves):
        caption += " Diamond: gap with probabilistic group membership, from the probabilities of the inferring model."
    canvas = _draw_panels(view, curves, title)
    return [canvas.finish(file_name("annotation error"), "annotation_error", caption, annotation_error_table(view), title)]


def _draw_panels(view: View, curves: Sequence[tuple[Gap, list[CorrectedGap]]], title: str) -> Canvas:
    row_count = -(-len(curves) // _MAX_COLUMNS)
    canvas = Canvas(0.55 + _PANEL_WIDTH * min(len(curves), _MAX_COLUMNS), row_count * _ROW_HEIGHT + 0.1, title)
    limits = {
        name: _limits([c for g, curve in curves for c in curve if g.rate == name]) for name in {g.rate for g, _ in curves}
    }
    for k, (gap, curve) in enumerate(curves):
        left, top = 0.5 + _PANEL_WIDTH * (k % _MAX_COLUMNS), 0.3 + _ROW_HEIGHT * (k // _MAX_COLUMNS)
        ax = canvas.axes(left, top, _PANEL_WIDTH - _TICK_LABELS, _PANEL_HEIGHT)
        _draw_curve(ax, curve)
        probabilistic = view.probabilistic(gap)
        if probabilistic and probabilistic.probabilistic is not None:
            ax.plot(-0.02, probabilistic.probabilistic, "D", color=COLORS[1], markersize=4.5, clip_on=False)
        ax.axhline(0, color=INK, linewidth=0.7)
        ax.set_xlim(-0.03, 0.21)
        ax.set_ylim(*limits[gap.rate])
        validated = not any(c.error for c in curve)
        ticks = {0.0: "annotated", _VALIDATED: "corrected"} if validated else {0.0: "0", 0.05: "5", 0.1: "10", 0.2: "20 %"}
        ax.set_xticks(list(ticks), list(ticks.values()))
        label = "all" if gap.label == ALL else gap.label
        canvas.text(left, top - 0.18, truncate(f"{label} {gap.rate}", _PANEL_WIDTH - 0.3), weight="bold")
        heading = truncate(with_source(view.audit, gap.attribute), _PANEL_WIDTH - 0.3)
        canvas.text(left, top - 0.06, heading, color=MUTED, size=7)
    if any(c.error for _, curve in curves for c in curve):
        canvas.text(0.5, row_count * _ROW_HEIGHT + 0.02, "assumed share of wrong annotations", color=MUTED)
    return canvas


def _draw_curve(ax: Axes, curve: Sequence[CorrectedGap]) -> None:
    as_annotated = curve[0]
    if as_annotated.difference is not None:
        ax.plot(0, as_annotated.difference, "o", color=COLORS[0], markersize=3.5, clip_on=False)
    for row in curve:
        if row.scenario == "validation" and row.difference is not None:
            ax.vlines(_VALIDATED, row.low or 0.0, row.high or 0.0, color=COLORS[2], linewidth=1.2)
            ax.plot(_VALIDATED, row.difference, "o", color=COLORS[0], markersize=3.5)
    assumed = [c for c in curve if c.error and c.difference is not None]
    errors = sorted({c.error for c in assumed if c.error})
    if errors:
        low, high = (
            [_end([as_annotated], name), *(_end([c for c in assumed if c.error == e], name) for e in errors)]
            for name in ("low", "high")
        )
        ax.fill_between([0, *errors], low, high, color=COLORS[2], alpha=0.35, linewidth=0)
    for scenario, style in _STYLES.items():
        rows = [as_annotated, *(c for c in assumed if c.scenario == scenario)]
        if len(rows) > 1:
            ax.plot([c.error or 0.0 for c in rows], [c.difference or 0.0 for c in rows], style, color=COLORS[0], linewidth=1.1)


def _end(rows: Sequence[CorrectedGap], name: str) -> float:
    """The lowest lower or the highest upper limit."""
    values = [float(getattr(r, name) or 0.0) for r in rows]
    return min(values) if name == "low" else max(values)


def _limits(gaps: Sequence[CorrectedGap]) -> tuple[float, float]:
    """Ends of the axis that all gaps of one rate share."""
    low = min([0.0, *(c.low for c in gaps if c.low is not None)])
    high = max([0.0, *(c.high for c in gaps if c.high is not None)])
    margin = 0.05 * (high - low) or 0.05
    return low - margin, high + margin
