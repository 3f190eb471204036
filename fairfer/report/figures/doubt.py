"""How gaps move if a share of inferred attributes were wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairfer.report.figures.lettering import cut
from fairfer.report.figures.sheet import Names, Picture, Sheet, finish
from fairfer.report.figures.style import COLOURS, INK, QUIET
from fairfer.report.tables import evidence
from fairfer.report.text.caveats import doubt_words
from fairfer.report.text.groups import EVERYONE, with_source

if TYPE_CHECKING:
    from fairfer.metrics.results import CorrectedGap
    from fairfer.report.view import View

_MOST, _ABREAST = 6, 3


def draw_doubt(view: View, names: Names) -> list[Picture]:
    """The gaps farthest beyond chance, corrected for assumed shares of wrong annotations."""
    shown = [(g, c) for g, c in view.sensitivity if g.difference][:_MOST]
    if not shown:
        return []
    title = doubt_words(view)
    wide, high = 2.1, 1.25
    rows = -(-len(shown) // _ABREAST)
    sheet = Sheet(0.55 + wide * min(len(shown), _ABREAST), rows * (high + 0.75) + 0.1, title)
    scales = {name: _scale([c for g, curve in shown for c in curve if g.rate == name]) for name in {g.rate for g, _ in shown}}
    for k, (gap, curve) in enumerate(shown):
        left, top = 0.5 + wide * (k % _ABREAST), 0.3 + (high + 0.75) * (k // _ABREAST)
        ax = sheet.axes(left, top, wide - 0.3, high)
        known = [c for c in curve if c.difference is not None]
        errors = [c.error for c in known]
        below, above = [c.low or 0.0 for c in known], [c.high or 0.0 for c in known]
        ax.fill_between(errors, below, above, color=COLOURS[2], alpha=0.35, linewidth=0)
        ax.plot(errors, [c.difference or 0.0 for c in known], "o-", color=COLOURS[0], markersize=3.5, linewidth=1.2)
        probabilistic = view.probabilistic(gap)
        if probabilistic and probabilistic.probabilistic is not None:
            ax.plot(-0.02, probabilistic.probabilistic, "D", color=COLOURS[1], markersize=4.5, clip_on=False)
        ax.axhline(0, color=INK, linewidth=0.7)
        ax.set_xlim(-0.03, 0.21)
        ax.set_ylim(*scales[gap.rate])
        ax.set_xticks([0, 0.05, 0.1, 0.2], ["0", "5", "10", "20 %"])
        label = "all" if gap.label == EVERYONE else gap.label
        sheet.text(left, top - 0.18, cut(f"{label} {gap.rate}", wide - 0.3), weight="bold")
        sheet.text(left, top - 0.06, cut(with_source(view.audit, gap.attribute), wide - 0.3), color=QUIET, size=7)
    sheet.text(0.5, rows * (high + 0.75) + 0.02, "share of wrong annotations assumed", color=QUIET)
    caption = (
        "Line: the gap between the group that fares best and the one that fares worst, if so many of the inferred annotations "
        "were wrong, whatever the face; band: its interval. Below 0 the order turns round. It ends where all may be mistakes."
    )
    if any(view.probabilistic(g) for g, _ in shown):
        caption += " Diamond: each face counted for every group by the probability that the inferring model gave."
    return [finish(sheet, names("doubt"), "doubt", title, caption, evidence.sensitivity_table(view))]


def _scale(found: Sequence[CorrectedGap]) -> tuple[float, float]:
    """Ends of the axis of all gaps of one rate."""
    low = min([0.0, *(c.low for c in found if c.low is not None)])
    high = max([0.0, *(c.high for c in found if c.high is not None)])
    room = 0.05 * (high - low) or 0.05
    return low - room, high + room
