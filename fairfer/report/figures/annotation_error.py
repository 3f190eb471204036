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


def draw_annotation_error(view: View) -> list[Picture]:
    """The gaps that exceed the gap expected by chance most, corrected for assumed shares of annotation errors."""
    curves = [(g, c) for g, c in view.sensitivity if g.difference][:_MAX_PANELS]
    if not curves:
        return []
    title = statements.annotation_error_statement(view)
    caption = (
        "Line: gap between the groups with the most and the least favorable rate, corrected for the assumed share of wrong "
        f"annotations among inferred attributes; band: {view.confidence} confidence interval. Below 0 the order of the "
        "two groups is reversed. A line ends where no correction is possible."
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
        ax.set_xticks([0, 0.05, 0.1, 0.2], ["0", "5", "10", "20 %"])
        label = "all" if gap.label == ALL else gap.label
        canvas.text(left, top - 0.18, truncate(f"{label} {gap.rate}", _PANEL_WIDTH - 0.3), weight="bold")
        heading = truncate(with_source(view.audit, gap.attribute), _PANEL_WIDTH - 0.3)
        canvas.text(left, top - 0.06, heading, color=MUTED, size=7)
    canvas.text(0.5, row_count * _ROW_HEIGHT + 0.02, "assumed share of wrong annotations", color=MUTED)
    return canvas


def _draw_curve(ax: Axes, curve: Sequence[CorrectedGap]) -> None:
    estimable = [c for c in curve if c.difference is not None]
    errors = [c.error for c in estimable]
    low, high = [c.low or 0.0 for c in estimable], [c.high or 0.0 for c in estimable]
    ax.fill_between(errors, low, high, color=COLORS[2], alpha=0.35, linewidth=0)
    ax.plot(errors, [c.difference or 0.0 for c in estimable], "o-", color=COLORS[0], markersize=3.5, linewidth=1.2)


def _limits(gaps: Sequence[CorrectedGap]) -> tuple[float, float]:
    """Ends of the axis that all gaps of one rate share."""
    low = min([0.0, *(c.low for c in gaps if c.low is not None)])
    high = max([0.0, *(c.high for c in gaps if c.high is not None)])
    margin = 0.05 * (high - low) or 0.05
    return low - margin, high + margin
