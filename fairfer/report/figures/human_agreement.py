"""The model beside human agreement: one rater compared with the majority of the other raters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairfer.report.figures.canvas import Canvas, Picture, file_name
from fairfer.report.figures.group_selection import MAX_GROUPS_BY_COLOR
from fairfer.report.figures.grouping import file_part, is_everyone
from fairfer.report.figures.rate_axes import (
    RATE_DEFINITIONS,
    DotStyle,
    draw_estimates,
    draw_key,
    draw_rate_axis,
    round_axis_end,
)
from fairfer.report.figures.style import COLORS, MUTED, SEPARATOR, GroupStyle
from fairfer.report.figures.text_layout import SMALL, shorten, text_width
from fairfer.report.tables.human_agreement import ambiguity_table, human_agreement_table
from fairfer.report.text import statements
from fairfer.report.text.groups import EVERYONE, group_words, with_source
from fairfer.report.view import TOO_FEW

if TYPE_CHECKING:
    from fairfer.metrics.results import Rate, WeightedRate
    from fairfer.report.view import View
    from fairfer.vocabulary import Grouping

_MODEL, _RATER = GroupStyle(COLORS[0], "s"), GroupStyle(COLORS[1], "D")
_DOTS = DotStyle(line_width=(0.9, 0.9), line_alpha=(0.9, 0.45), size=(4.0, 4.0), edge_width=(0.8, 0.8), white_edge=False)
_OFFSET = 0.03
"""The model's dot stands above the middle of its row and the rater's below, by this many inches."""
_ROW_HEIGHT, _PANEL_WIDTH, _STRATUM_HEIGHT = 0.19, 2.6, 0.28
_TOP = 0.32


def draw_human_agreement(view: View) -> list[Picture]:
    """TPR and FPR of the model and of one rater, one figure per grouping with few groups."""
    if view.human_agreement is None:
        return []
    caption = (
        f"Square: the model compared with the label. Diamond: one rater compared with the majority of the others (human "
        f"agreement). Line: {view.confidence} confidence interval. Open: too few faces to compare."
    )
    return [
        _draw_groups(view, a, statements.human_agreement_statement(view, a)).finish(
            file_name("human agreement", file_part(a)),
            "human_agreement",
            caption,
            human_agreement_table(view),
            statements.human_agreement_statement(view, a),
        )
        for a in view.groupings or [EVERYONE]
        if len(view.groups(a)) <= MAX_GROUPS_BY_COLOR
    ]


def draw_accuracy_by_agreement(view: View) -> list[Picture]:
    """Accuracy of the model and of one rater, by the degree to which raters agree."""
    if view.human_agreement is None:
        return []
    title = statements.ambiguity_statement(view)
    caption = (
        "Accuracy of the model (square, with its confidence interval) and of one rater compared with the majority of the others"
        " (diamond). Faces are grouped by the entropy of their votes: unanimous 0 bits, clear up to 0.75, mixed up to 1.25, "
        "split above. In parentheses: number of faces."
    )
    name = file_name("accuracy by agreement")
    return [_draw_strata(view, title).finish(name, "accuracy_by_agreement", caption, ambiguity_table(view), title)]


def _draw_groups(view: View, grouping: Grouping, title: str) -> Canvas:
    groups = view.groups(grouping)
    texts = [shorten(group_words(g)) for g in groups]
    block_height = _ROW_HEIGHT * len(groups) + 0.12
    labels = [shorten(n) for n in view.labels]
    left = 0.35 + max(text_width(n, SMALL, "bold") for n in labels) + max(text_width(t, SMALL) for t in texts)
    height = block_height * len(labels)
    canvas = Canvas(left + 2 * _PANEL_WIDTH + 0.1, height + 0.75, title)
    _draw_legend(canvas, left)
    canvas.text(0.1, 0.18, "" if is_everyone(grouping) else with_source(view.audit, grouping), color=MUTED)
    rows = [
        (i * block_height + 0.06 + _ROW_HEIGHT * (j + 0.5), label, group)
        for i, label in enumerate(view.labels)
        for j, group in enumerate(groups)
    ]
    for k, name in enumerate(RATE_DEFINITIONS):
        ax = canvas.axes(left + _PANEL_WIDTH * k, _TOP, _PANEL_WIDTH - 0.25, height)
        ax.set_ylim(height, 0)
        model = [(view.rate(name, label, grouping, g), y - _OFFSET) for y, label, g in rows]
        weighted = [(view.weighted("rater", name, label, grouping, g), y + _OFFSET) for y, label, g in rows]
        rater = [(rate, y) for rate, y in weighted if rate is not None]
        maximum = max([0.0, *(_upper_end(r) for r, _ in model), *(_upper_end(r) for r, _ in rater)])
        draw_rate_axis(ax, round_axis_end(maximum) if name == "FPR" else 1.0, 5)
        draw_estimates(ax, model, _MODEL, _DOTS)
        draw_estimates(ax, rater, _RATER, _DOTS)
        for i in range(1, len(labels)):
            ax.axhline(i * block_height, color=SEPARATOR, linewidth=0.6)
        canvas.text(left + _PANEL_WIDTH * k, _TOP + height + 0.36, RATE_DEFINITIONS[name], color=MUTED)
    for i, label in enumerate(labels):
        first = _TOP + i * block_height + 0.06
        canvas.text(0.1, first + _ROW_HEIGHT / 2 + 0.035, label, weight="bold")
        for j, text in enumerate(texts):
            canvas.text(left - 0.1, first + _ROW_HEIGHT * (j + 0.5) + 0.035, text, ha="right")
    return canvas


def _upper_end(rate: Rate | WeightedRate) -> float:
    return rate.high or 0.0 if rate.status == "ok" else 0.0


def _draw_legend(canvas: Canvas, left: float) -> None:
    draw_key(canvas, left, 0.16, "model", _MODEL)
    draw_key(canvas, left + 0.35 + text_width("model", SMALL), 0.16, "one rater", _RATER)


def _draw_strata(view: View, title: str) -> Canvas:
    """Accuracy by stratum of agreement, over everyone."""
    votes = view.human_agreement
    strata = [a for a in (votes.ambiguity if votes else ()) if is_everyone(a.attribute)]
    texts = [f"{a.stratum} ({a.samples:,})" for a in strata]
    left = 0.25 + max(text_width(t, SMALL) for t in texts)
    height = _STRATUM_HEIGHT * len(strata) + 0.1
    canvas = Canvas(max(left + 3.6, 4.6), height + 0.75, title)
    _draw_legend(canvas, left)
    ax = canvas.axes(left, _TOP, 3.3, height)
    ax.set_ylim(height, 0)
    draw_rate_axis(ax, 1.0, 5)
    for i, stratum in enumerate(strata):
        y = 0.05 + _STRATUM_HEIGHT * (i + 0.5)
        canvas.text(left - 0.1, _TOP + y + 0.035, texts[i], ha="right")
        if stratum.model is None:
            continue
        fill = "white" if stratum.status in TOO_FEW else _MODEL.color
        ax.hlines(y - _OFFSET, stratum.low or 0.0, stratum.high or 0.0, color=_MODEL.color, linewidth=0.9)
        ax.plot(stratum.model, y - _OFFSET, "s", markersize=4.5, markeredgecolor=_MODEL.color, markerfacecolor=fill)
        if stratum.human is not None:
            ax.plot(stratum.human, y + _OFFSET, "D", markersize=4.5, color=_RATER.color, clip_on=False)
    canvas.text(left, _TOP + height + 0.36, "accuracy", color=MUTED)
    return canvas
