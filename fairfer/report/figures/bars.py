"""Grouped bars of TPR and FPR."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fairfer.report.figures.lanes import draw_lanes
from fairfer.report.figures.lettering import feet, folded, short
from fairfer.report.figures.marks import PANELS, axis_end, draw_key, place_key, spaced
from fairfer.report.figures.selection import BY_COLOUR, excluded, shown_groups
from fairfer.report.figures.sheet import Names, Picture, Sheet, finish
from fairfer.report.figures.style import FAINT, INK, QUIET, Look, looks_of
from fairfer.report.figures.titles import per_cent, widest
from fairfer.report.tables import rates as tables
from fairfer.report.text.groups import EVERYONE
from fairfer.report.text.numbers import DASH

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fairfer.metrics.results import Rate
    from fairfer.report.view import View


_BAR, _WIDEST = 0.13, 13.0
"""Inches of one bar, and of the widest picture with bars side by side."""


def draw_bars(view: View, attribute: str, names: Names) -> Picture:
    """Bars of TPR and FPR, per label and group."""
    groups = shown_groups(view, attribute)
    table = tables.comparison_table(view, attribute, view.groups(attribute))
    title = widest(view, attribute)
    caption = (
        f"Bars are rates, the thin lines their {per_cent(view)} intervals. Pale hatched bars rest on too few faces; "
        f"{DASH} is not estimable.{excluded(view, [(attribute, groups)])}"
    )
    slot = _BAR * len(groups) + 0.3
    if len(groups) > BY_COLOUR or slot * len(view.labels) > _WIDEST:
        sheet = draw_lanes(view, attribute, groups, title, bars=True)
    else:
        sheet = _columns(view, attribute, groups, title, slot)
    return finish(sheet, names("bars", "everyone" if attribute == EVERYONE else attribute), "bars", title, caption, table)


def _columns(view: View, attribute: str, groups: list[str], title: str, slot: float) -> Sheet:
    """Grouped bars, a panel for TPR over one for FPR."""
    width = max(slot * len(view.labels) + 0.75, 6.5)
    slot = (width - 0.75) / len(view.labels)
    bar = (slot - 0.3 * slot / (_BAR * len(groups) + 0.3)) / len(groups)
    key, top = place_key(view, attribute, groups, width)
    foot, angle = feet([short(n) for n in view.labels], slot)
    high = 1.5
    sheet = Sheet(width, top + 2 * (high + 0.4) + foot, title)
    draw_key(sheet, view, attribute, key, bars=True)
    looks = looks_of(view, attribute)
    for panel, name in enumerate(("TPR", "FPR")):
        ax = sheet.axes(0.6, top + 0.3 + panel * (high + 0.4), width - 0.75, high)
        end = axis_end(view, attribute, groups, name)
        sheet.text(0.6, top + 0.24 + panel * (high + 0.4), f"{PANELS[name]}", color=QUIET)
        ax.set_xlim(0, slot * len(view.labels))
        ax.set_ylim(0, end * 1.02)
        ax.set_yticks(*spaced(end, 5))
        ax.grid(axis="y", color="#ebebeb", linewidth=0.6)
        ax.set_axisbelow(True)
        at = [slot * (i + 0.5) for i in range(len(view.labels))]
        ax.set_xticks(at, [folded(short(n), slot, angle) for n in view.labels] if panel else [""] * len(at))
        ax.tick_params(axis="x", length=0)
        if panel and angle:
            for text in ax.get_xticklabels():
                text.set(rotation=angle, ha="right", rotation_mode="anchor")
        for i, group in enumerate(groups):
            shift = (i - (len(groups) - 1) / 2) * bar
            _upright(
                ax,
                [(view.rate(name, n, attribute, group), x + shift) for n, x in zip(view.labels, at, strict=True)],
                looks[group],
                bar,
            )
    return sheet


def _upright(ax: Axes, found: Sequence[tuple[Rate, float]], look: Look, bar: float) -> None:
    for status in ("ok", "small"):
        these = [(r, x) for r, x in found if r.status == status and r.value is not None]
        if not these:
            continue
        quiet = status == "small"
        at, value = [x for _, x in these], [r.value or 0.0 for r, _ in these]
        paint: dict[str, Any] = {"color": FAINT, "edgecolor": look.colour, "hatch": "////"} if quiet else {"color": look.colour}
        ax.bar(at, value, width=bar * 0.9, linewidth=0.5, **paint)
        ax.vlines(
            at,
            [r.low or 0.0 for r, _ in these],
            [r.high or 0.0 for r, _ in these],
            color=INK,
            linewidth=0.8,
            alpha=0.4 if quiet else 0.9,
        )
    for r, x in found:
        if r.value is None:
            ax.text(x, 0, DASH, ha="center", va="bottom", color=QUIET, size=7)
