"""Figures of a report. The only package that imports matplotlib and seaborn.

A figure is one module with a function that takes a `View` and returns the figures that the audit has data for, possibly none.
`FIGURES` registers them. Figures are drawn with matplotlib's objects, without pyplot's global state, and each comes with the
table of its numbers. The same audit gives the same bytes: fonts, styles and identifiers are fixed in `style`, and no date is
written.

`second_process` draws a part of the figures of a large report on another core.

Imports run one way: `grouping`; `style`; `text_layout`; `canvas`, `group_selection`, `titles`; `rate_axes`; `group_rows`; then
one module per figure.
"""

from __future__ import annotations

import pickle
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from fairfer.report.figures import second_process
from fairfer.report.figures.annotation_error import draw_annotation_error
from fairfer.report.figures.association import draw_association
from fairfer.report.figures.canvas import Picture, with_unique_names
from fairfer.report.figures.conditioned_gaps import draw_conditioned_gaps
from fairfer.report.figures.confusions import draw_confusions
from fairfer.report.figures.dataset_composition import draw_composition
from fairfer.report.figures.gaps import draw_gaps
from fairfer.report.figures.human_agreement import draw_accuracy_by_agreement, draw_human_agreement
from fairfer.report.figures.probes import draw_probes
from fairfer.report.figures.rate_bars import draw_bars
from fairfer.report.figures.rate_heatmaps import draw_label_heatmaps, draw_rate_heatmaps
from fairfer.report.figures.rate_overview import draw_overview
from fairfer.report.figures.relevance_maps import draw_relevance_faces, draw_relevance_maps
from fairfer.report.figures.reliability import draw_reliability
from fairfer.report.figures.score_metrics import draw_score_metrics
from fairfer.report.figures.standardized import draw_standardized_gaps
from fairfer.report.figures.style import figure_style
from fairfer.report.view import View

if TYPE_CHECKING:
    from fairfer.audits.result import Audit

__all__ = ["FIGURES", "Picture", "draw", "is_figure_file"]

FIGURES: Mapping[str, Callable[[View], list[Picture]]] = {
    "overview": draw_overview,
    "gaps": draw_gaps,
    "standardized_gaps": draw_standardized_gaps,
    "conditioned_gaps": draw_conditioned_gaps,
    "human_agreement": draw_human_agreement,
    "accuracy_by_agreement": draw_accuracy_by_agreement,
    "annotation_error": draw_annotation_error,
    "rate": draw_rate_heatmaps,
    "label": draw_label_heatmaps,
    "bars": draw_bars,
    "confusions": lambda view: draw_confusions(view, [c for c in view.audit.confusions if len(c.attribute) == 1]),
    "score_metric": lambda view: draw_score_metrics(
        view, [m for m in view.audit.scores if m.metric == "auroc" and m.attribute]
    ),
    "reliability": lambda view: draw_reliability(view, [b for b in view.audit.reliability if not b.attribute]),
    "composition": draw_composition,
    "association": draw_association,
    "relevance_map": draw_relevance_maps,
    "relevance_faces": draw_relevance_faces,
    "probes": draw_probes,
}
"""Every kind of figure by name, in the order in which they are drawn."""

_PREFIXES = "|".join([*(kind.replace("_", "-") for kind in FIGURES), "emotion"])


def draw(audit: Audit | View, kinds: Iterable[str] = tuple(FIGURES)) -> list[Picture]:
    """The figures of an audit.

    Parameters
    ----------
    audit
        What is shown, or a view of it.
    kinds
        Names from `FIGURES`; all of them by default.

    Returns
    -------
    list of Picture
        In the order of `kinds`, each with a file name of its own.
    """
    view = audit if isinstance(audit, View) else View(audit)
    names = list(kinds)
    if names != list(FIGURES) or not second_process.is_worthwhile(view.audit):
        drawn = draw_kinds(view, names)
    else:
        with ThreadPoolExecutor(1) as executor:
            there = second_process.start(view.audit, executor)
            drawn = draw_kinds(view, [kind for kind in names if kind not in second_process.SHARE])
            drawn |= there.result() or draw_kinds(view, second_process.SHARE)
    return with_unique_names([picture for kind in names for picture in drawn[kind]])


def draw_kinds(audit: Audit | View, kinds: Iterable[str]) -> dict[str, list[Picture]]:
    """The figures of some kinds, by kind. Two of them may have the same file name."""
    view = audit if isinstance(audit, View) else View(audit)
    with figure_style():
        return {kind: FIGURES[kind](view) for kind in kinds}


def draw_share() -> None:
    """What the second process does: draw its kinds for the audit on standard input, and write them to standard output."""
    from fairfer.audits.result import Audit

    pictures = draw_kinds(Audit.from_json(sys.stdin.buffer.read().decode()), second_process.SHARE)
    sys.stdout.buffer.write(pickle.dumps(pictures))


def is_figure_file(name: str) -> bool:
    """Whether a file name is one that figures of a report have.

    >>> is_figure_file("overview-gender.svg"), is_figure_file("emotion-fear.png"), is_figure_file("my-own.png")
    (True, True, False)
    """
    return re.fullmatch(rf"({_PREFIXES})(-[a-z0-9-]+)?\.(png|svg)", name) is not None
