"""Comparison of two models: TPR and FPR of the base and of the candidate, per label and group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairfer.report.figures.canvas import Canvas, Picture, file_name, with_unique_names
from fairfer.report.figures.grouping import file_part
from fairfer.report.figures.rate_axes import RATE_DEFINITIONS, draw_rate_axis, round_axis_end
from fairfer.report.figures.style import COLORS, GRAY, MUTED, SEPARATOR, figure_style
from fairfer.report.figures.text_layout import SMALL, shorten, text_width
from fairfer.report.tables.comparison import changes_table
from fairfer.report.text.comparison import is_better, is_worse
from fairfer.report.text.groups import group_words, with_inferred
from fairfer.report.text.numbers import many
from fairfer.report.view import TOO_FEW

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fairfer.audits.comparison import Change, Comparison
    from fairfer.vocabulary import Group

_MAX_GROUPS = 12
_ROW_HEIGHT, _PANEL_WIDTH = 0.19, 2.7
_TOP = 0.12
_FAINT = 0.35


def draw_changes(comparison: Comparison) -> list[Picture]:
    """TPR and FPR of both models for every label and group, one figure per grouping with few groups."""
    pictures = []
    with figure_style():
        for by in comparison.by:
            changes = [c for c in comparison.changes if c.attribute == tuple(by)]
            groups = list(dict.fromkeys(c.group for c in changes))
            if not groups or len(groups) > _MAX_GROUPS:
                continue
            grouping = changes[0].attribute
            rates = [c for c in changes if c.rate in RATE_DEFINITIONS]
            tested = [c for c in rates if c.q is not None]
            worse, better = sum(map(is_worse, tested)), sum(map(is_better, tested))
            title = (
                f"By {with_inferred(grouping, comparison.inferred)}: of {many(len(tested), 'tested rate')} (TPR and FPR), "
                f"{worse:,} significantly worse and {better:,} significantly better"
            )
            caption = (
                f"Ring: base ({comparison.base.model}). Dot: candidate ({comparison.candidate.model}). Orange: worse; blue: "
                "better, both statistically significant (FDR-adjusted p < 0.05); gray: not statistically significant. Faint: "
                "too few faces."
            )
            canvas = _draw_rows(rates, comparison.labels, groups, title)
            pictures.append(
                canvas.finish(file_name("changes", file_part(grouping)), "changes", caption, changes_table(comparison), title)
            )
    return with_unique_names(pictures)


def _draw_rows(rates: Sequence[Change], labels: list[str], groups: list[Group], title: str) -> Canvas:
    texts = [shorten(group_words(g)) for g in groups]
    block_height = _ROW_HEIGHT * len(groups) + 0.12
    names = [shorten(n) for n in labels]
    left = 0.35 + max(text_width(n, SMALL, "bold") for n in names) + max(text_width(t, SMALL) for t in texts)
    height = block_height * len(labels)
    canvas = Canvas(left + 2 * _PANEL_WIDTH + 0.1, height + 0.6, title)
    heights = {
        (label, group): i * block_height + 0.06 + _ROW_HEIGHT * (j + 0.5)
        for i, label in enumerate(labels)
        for j, group in enumerate(groups)
    }
    for k, name in enumerate(RATE_DEFINITIONS):
        ax = canvas.axes(left + _PANEL_WIDTH * k, _TOP, _PANEL_WIDTH - 0.25, height)
        ax.set_ylim(height, 0)
        changes = [c for c in rates if c.rate == name]
        maximum = max((v or 0.0 for c in changes for v in (c.base, c.candidate)), default=1.0)
        draw_rate_axis(ax, round_axis_end(maximum) if name == "FPR" else 1.0, 5)
        for change in changes:
            _draw_change(ax, change, heights[change.label, change.group], _color(change))
        for i in range(1, len(labels)):
            ax.axhline(i * block_height, color=SEPARATOR, linewidth=0.6)
        canvas.text(left + _PANEL_WIDTH * k, _TOP + height + 0.36, RATE_DEFINITIONS[name], color=MUTED)
    for i, label in enumerate(names):
        first = _TOP + i * block_height + 0.06
        canvas.text(0.1, first + _ROW_HEIGHT / 2 + 0.035, label, weight="bold")
        for j, text in enumerate(texts):
            canvas.text(left - 0.1, first + _ROW_HEIGHT * (j + 0.5) + 0.035, text, ha="right")
    return canvas


def _draw_change(ax: Axes, change: Change, y: float, color: str) -> None:
    if change.base is None or change.candidate is None:
        return
    alpha = _FAINT if change.status in TOO_FEW else 1.0
    ax.hlines(y, change.base, change.candidate, color=color, linewidth=1.4, alpha=alpha)
    ax.plot(
        change.base, y, "o", markersize=4.2, markerfacecolor="white", markeredgecolor=color, alpha=alpha, clip_on=False
    )  # fmt: skip
    ax.plot(change.candidate, y, "o", markersize=4.6, color=color, alpha=alpha, clip_on=False)


def _color(change: Change) -> str:
    """Orange for worse, blue for better, gray for not statistically significant."""
    return COLORS[1] if is_worse(change) else COLORS[0] if is_better(change) else GRAY
