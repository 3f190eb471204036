"""Overviews: dots of TPR and FPR with their intervals, per label and group."""

from __future__ import annotations

from dataclasses import replace

from fairfer.report.figures.lanes import draw_lanes
from fairfer.report.figures.lettering import inches, short
from fairfer.report.figures.marks import PANELS, axis_end, draw_axis, draw_band, draw_key, draw_marks, place_key
from fairfer.report.figures.selection import BY_COLOUR, excluded, shown_groups
from fairfer.report.figures.sheet import Names, Picture, Sheet, finish
from fairfer.report.figures.style import QUIET, looks_of
from fairfer.report.figures.titles import comparison, per_cent
from fairfer.report.tables import rates as tables
from fairfer.report.text.groups import EVERYONE
from fairfer.report.text.numbers import DASH, probability, whole
from fairfer.report.view import View, is_found


def draw_overview(view: View, attribute: str, names: Names) -> Picture:
    """Dots of TPR and FPR, per label and group; with up to eight groups also for a narrow screen."""
    groups = shown_groups(view, attribute)
    table = tables.comparison_table(view, attribute, view.groups(attribute))
    title = comparison(view, attribute)
    name = names("overview", "everyone" if attribute == EVERYONE else attribute)
    caption = f"Dot: a group's rate; line: its {per_cent(view)} interval. "
    if any(g.attribute == attribute for g in view.tested):
        caption += (
            "Grey band: as wide as chance alone makes the gap; dots outside of it at both ends are farther apart than that, "
            "and where this holds among all the gaps tested, q is given. "
        )
    caption += f"Open dot: too few faces, compared with nothing. {DASH}: not estimable. "
    caption += "In brackets: all faces of the group." if len(groups) > BY_COLOUR else "n: faces behind the TPR."
    caption += excluded(view, [(attribute, groups)])
    if len(groups) > BY_COLOUR:
        named = finish(draw_lanes(view, attribute, groups, title, bars=False), name, "overview", title, caption, table)
        return replace(named, attribute=attribute)
    wide = finish(_dots(view, attribute, groups, title), name, "overview", title, caption, table)
    slim = finish(_dots(view, attribute, groups, title, slim=True), names(name, "narrow"), "overview", title, caption, table)
    return replace(wide, attribute=attribute, slim=slim)


def _dots(view: View, attribute: str, groups: list[str], title: str, *, slim: bool = False) -> Sheet:
    """A row per label, a lane per group; TPR at the left, FPR at the right. `slim`: names above the rows, for a telephone."""
    width = 3.5 if slim else 9.6
    names = {label: short(label) for label in view.labels}
    lane = 0.15 if len(groups) <= 4 else 0.125
    head = 0.24 if slim else 0.0
    row = max(len(groups) * lane + 0.17, 0.3) + head
    left = 0.1 if slim else 0.3 + max(inches(n, 8, "bold") for n in names.values())
    key, top = place_key(view, attribute, groups, width)
    top += 0.32
    height = row * len(names)
    sheet = Sheet(width, top + height + 0.3, title)
    draw_key(sheet, view, attribute, key, bars=False)
    room = (width - left - (0.3 if slim else 1.75)) / (1.0 if slim else 1.75)
    panels = {"TPR": (left, room * (0.56 if slim else 1.0))}
    panels["FPR"] = (left + panels["TPR"][1] + (0.2 if slim else 1.1), room * (0.44 if slim else 0.75))
    for name, (x, wide) in panels.items():
        ax = sheet.axes(x, top, wide, height)
        ax.set_ylim(height, 0)
        end = axis_end(view, attribute, groups, name)
        draw_axis(ax, end, 2 if slim else 5)
        sheet.text(
            x,
            top - 0.08,
            name if slim else f"{PANELS[name]}",
            color=QUIET,
            weight="bold" if slim else "normal",
        )
        for i, label in enumerate(names):
            y = row * i + head + (row - head) / 2
            if i:
                ax.axhline(row * i, color="#e2e2e2", linewidth=0.6)
            draw_band(ax, view, attribute, name, label, (y - (row - head) / 2 + 0.03, row - head - 0.06))
            gap = view.gap(name, label, attribute)
            if gap and is_found(gap):
                where = (x + wide, row * i + 0.17) if slim else (x + wide + (0.85 if name == "TPR" else 0.55), y + 0.03)
                sheet.text(where[0], top + where[1], probability("q", gap.q), weight="bold", ha="right")
        for i, group in enumerate(groups):
            at = [
                (view.rate(name, label, attribute, group), row * k + head + (row - head) / 2) for k, label in enumerate(names)
            ]
            shift = (i - (len(groups) - 1) / 2) * lane
            draw_marks(ax, [(r, y + shift) for r, y in at], looks_of(view, attribute)[group])
    after = panels["TPR"][0] + panels["TPR"][1] + 0.4
    if not slim:
        sheet.text(after, top - 0.08, "n", color=QUIET, ha="right")
    for i, (label, text) in enumerate(names.items()):
        y = top + row * i
        if slim:
            sheet.text(left, y + 0.17, text, size=8, weight="bold")
            continue
        sheet.text(left - 0.12, y + row / 2 + 0.04, text, size=8, ha="right")
        for k, group in enumerate(groups):
            shift = (k - (len(groups) - 1) / 2) * lane
            count = view.rate("TPR", label, attribute, group).denominator
            sheet.text(after, y + row / 2 + shift + 0.033, whole(count or 0), size=6.5, ha="right", color=QUIET)
    return sheet
