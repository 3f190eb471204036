"""The pictures of a report: which figures an audit gets. The only package that imports matplotlib and seaborn.

A figure is drawn with matplotlib's objects, never with pyplot's global state, and comes with the table that it shows. The same
audit gives the same bytes: fonts, styles and identifiers are fixed in `style` and no date is written.

Imports run one way: `style`; `lettering`; `sheet`, `selection`, `titles`; `marks`; `lanes`; then a module per kind of figure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairfer.report.figures.association import draw_association
from fairfer.report.figures.bars import draw_bars
from fairfer.report.figures.doubt import draw_doubt
from fairfer.report.figures.faces import draw_faces
from fairfer.report.figures.gaps import draw_adjusted, draw_gaps
from fairfer.report.figures.heatmap import draw_label_heatmaps, draw_rate_heatmaps
from fairfer.report.figures.overview import draw_overview
from fairfer.report.figures.raters import draw_raters
from fairfer.report.figures.sheet import Names, Picture
from fairfer.report.figures.style import house_style
from fairfer.report.text.groups import EVERYONE
from fairfer.report.view import RATES, View

if TYPE_CHECKING:
    from fairfer.audits.result import Audit

__all__ = ["Picture", "draw"]


def draw(audit: Audit) -> list[Picture]:
    """All figures of an audit, in the report's order."""
    view = View(audit)
    names = Names()
    with house_style():
        return [
            *(draw_overview(view, a, names) for a in view.groupings or [EVERYONE]),
            *draw_gaps(view, names),
            *draw_adjusted(view, names),
            *draw_raters(view, names),
            *draw_doubt(view, names),
            *(p for r in RATES for p in draw_rate_heatmaps(view, r, names)),
            *(p for label in view.labels for p in draw_label_heatmaps(view, label, names)),
            *(draw_bars(view, a, names) for a in view.groupings or [EVERYONE]),
            *draw_faces(view, names),
            *draw_association(view, names),
        ]
