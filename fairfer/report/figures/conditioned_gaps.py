"""Differences between groups at equal action units: in the labels, in the predictions, and what the model adds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairfer.report.figures.canvas import Canvas, Picture, file_name
from fairfer.report.figures.rate_axes import draw_key
from fairfer.report.figures.style import COLORS, GRID, INK, MUTED, GroupStyle
from fairfer.report.figures.text_layout import SMALL, shorten, text_width
from fairfer.report.tables.action_units import conditioned_gaps_table
from fairfer.report.text.action_units import GapTriple, is_significant_at_equal_units, significant_triples, triples
from fairfer.report.text.groups import group_words, grouping_words
from fairfer.report.text.numbers import MINUS, many

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fairfer.report.view import View

_MAX_ROWS = 24
_ROW_HEIGHT, _AXIS_WIDTH = 0.42, 3.4
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_MAX_STEPS = 3
_STYLES = (
    ("labels", GroupStyle(COLORS[0], "o")),
    ("predictions", GroupStyle(COLORS[1], "D")),
    ("added by the model", GroupStyle(COLORS[5], "s")),
)


def draw_conditioned_gaps(view: View) -> list[Picture]:
    """A row per comparison, with the three gaps and their intervals below each other."""
    found = triples(view)
    shown = (significant_triples(view) + [t for t in found if not t.significant])[:_MAX_ROWS]
    if not shown:
        return []
    number = sum(is_significant_at_equal_units(t.labels) for t in found)
    other = sum(is_significant_at_equal_units(t.predictions) for t in found)
    title = (
        f"At equal action units, labels differ between groups in {number or 'none'} of {many(len(found), 'comparison')}, "
        f"predictions in {other or 'none'}"
    )
    info = view.audit.action_units
    kind = "; the units are estimated from landmarks" if info and info.kind == "estimated" else ""
    caption = (
        f"Difference in how often faces with the same action units are given this {view.noun}: first group minus the other. "
        f"Dots with their {view.confidence} confidence interval; filled: statistically significant, with an interval that "
        f"allows for the selection{kind}."
    )
    if len(found) > len(shown):
        caption += f" The figure shows {_MAX_ROWS} comparisons, the significant ones first; the table has all."
    canvas = _draw_rows(shown, title)
    return [canvas.finish(file_name("conditioned gaps"), "conditioned_gaps", caption, conditioned_gaps_table(view), title)]


def _name(triple: GapTriple) -> str:
    row = triple.labels
    other = "rest" if row.reference is None else group_words(row.reference)
    return f"{shorten(row.label)}: {shorten(group_words(row.group or ()))} vs. {shorten(other)}"


def _draw_rows(shown: Sequence[GapTriple], title: str) -> Canvas:
    names = [_name(t) for t in shown]
    notes = [f"{'+'.join(t.labels.units)}, by {shorten(grouping_words(t.labels.attribute))}" for t in shown]
    left = 0.25 + max(text_width(n, SMALL, "bold") for n in [*names, *notes])
    height = _ROW_HEIGHT * len(shown) + 0.1
    canvas = Canvas(left + _AXIS_WIDTH + 0.3, height + 0.85, title)
    x = 0.1
    for text, style in _STYLES:
        draw_key(canvas, x, 0.12, text, style)
        x += text_width(text, SMALL) + 0.4
    ax = canvas.axes(left, 0.32, _AXIS_WIDTH, height)
    ax.set_ylim(height, 0)
    rows = [r for t in shown for r in t.rows]
    end = max(max(abs(r.low or 0.0), abs(r.high or 0.0)) for r in rows) or _STEPS[0]
    step = next((s for s in _STEPS if end / s <= _MAX_STEPS), _STEPS[-1])
    ticks = [i * step for i in range(-_MAX_STEPS, _MAX_STEPS + 1) if abs(i * step) <= end]
    ax.set_xlim(-1.05 * end, 1.05 * end)
    ax.set_xticks(ticks, [f"{t:.2f}".replace("-", MINUS) if t else "0" for t in ticks])
    ax.set_xlabel("difference at equal action units")
    ax.set_yticks([])
    ax.grid(axis="x", color=GRID, linewidth=0.6)
    ax.set_axisbelow(True)
    ax.axvline(0, color=INK, linewidth=0.7)
    for i, (triple, name, note) in enumerate(zip(shown, names, notes, strict=True)):
        top = 0.05 + _ROW_HEIGHT * i
        canvas.text(left - 0.1, 0.32 + top + 0.18, name, ha="right", weight="bold" if triple.significant else "normal")
        canvas.text(left - 0.1, 0.32 + top + 0.32, note, ha="right", color=MUTED)
        _draw_triple(ax, triple, top)
    return canvas


def _draw_triple(ax: Axes, triple: GapTriple, top: float) -> None:
    for k, (row, (_, style)) in enumerate(zip(triple.rows, _STYLES, strict=True)):
        y = top + 0.1 + 0.11 * k
        ax.hlines(y, row.low or 0.0, row.high or 0.0, color=style.color, linewidth=1.4)
        face = style.color if is_significant_at_equal_units(row) else "white"
        ax.plot(
            [row.value or 0.0], [y], style.marker, markersize=4.6, markerfacecolor=face, markeredgecolor=style.color, zorder=3
        )
