"""What changed between two models: a dumbbell per label and group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairfer.report import comparison as versus
from fairfer.report.figures.lettering import inches, short
from fairfer.report.figures.marks import PANELS, draw_axis, rounded_up
from fairfer.report.figures.sheet import Names, Picture, Sheet, finish
from fairfer.report.figures.style import COLOURS, INK, QUIET, house_style
from fairfer.report.text.groups import group_words, with_inferred
from fairfer.report.text.numbers import many

if TYPE_CHECKING:
    from fairfer.audits.comparison import Change, Comparison

_MOST = 12
_LANE, _WIDE = 0.19, 2.7
_COLOURS = {"worse": COLOURS[1], "better": COLOURS[0], "": "#8c8c8c"}


def draw_changes(found: Comparison) -> list[Picture]:
    """TPR and FPR of both models for every label and group, a picture per grouping that has room."""
    names, pictures = Names(), []
    with house_style():
        for by in found.by:
            attribute = ",".join(by)
            mine = {(c.rate, c.label, c.group): c for c in found.changes if c.attribute == attribute}
            groups = list(dict.fromkeys(c.group for c in mine.values()))
            if not groups or len(groups) > _MOST:
                continue
            drawn = [c for c in mine.values() if c.rate in PANELS]
            bad, good = sum(map(versus.worse, drawn)), sum(map(versus.better, drawn))
            title = (
                f"By {with_inferred(attribute, found.inferred)}, {many(bad, 'rate')} got worse and {good} better beyond chance"
            )
            caption = (
                "Ring: the base. Dot: the candidate. Orange: worse, blue: better, each beyond chance (q below .05); grey: "
                "no more than chance. Faint: too few faces."
            )
            sheet = _sheet(mine, found.labels, groups, title)
            pictures.append(finish(sheet, names("changes", attribute), "changes", title, caption, versus.changes_table(found)))
    return pictures


def _sheet(mine: dict[tuple[str, str, str], Change], labels: list[str], groups: list[str], title: str) -> Sheet:
    texts = [short(group_words(g)) for g in groups]
    block = _LANE * len(groups) + 0.12
    left = 0.35 + max(inches(n, 7.5, "bold") for n in labels) + max(inches(t, 7.5) for t in texts)
    height = block * len(labels)
    sheet = Sheet(left + 2 * _WIDE + 0.1, height + 0.6, title)
    for k, name in enumerate(("TPR", "FPR")):
        ax = sheet.axes(left + _WIDE * k, 0.12, _WIDE - 0.25, height)
        ax.set_ylim(height, 0)
        far = max([v or 0.0 for c in mine.values() if c.rate == name for v in (c.base, c.candidate)] or [1.0])
        draw_axis(ax, rounded_up(far) if name == "FPR" else 1.0, 5)
        for i, label in enumerate(labels):
            for j, group in enumerate(groups):
                change = mine[name, label, group]
                if change.base is None or change.candidate is None:
                    continue
                y = i * block + 0.06 + _LANE * (j + 0.5)
                colour = _COLOURS["worse" if versus.worse(change) else "better" if versus.better(change) else ""]
                faint = 0.35 if change.status == "small" else 1.0
                ax.hlines(y, change.base, change.candidate, color=colour, linewidth=1.4, alpha=faint)
                ax.plot(
                    change.base,
                    y,
                    "o",
                    markersize=4.2,
                    markerfacecolor="white",
                    markeredgecolor=colour,
                    alpha=faint,
                    clip_on=False,
                )
                ax.plot(change.candidate, y, "o", markersize=4.6, color=colour, alpha=faint, clip_on=False)
        for i in range(1, len(labels)):
            ax.axhline(i * block, color="#e2e2e2", linewidth=0.6)
        sheet.text(left + _WIDE * k, 0.12 + height + 0.36, PANELS[name], color=QUIET)
    for i, label in enumerate(labels):
        sheet.text(0.1, 0.12 + i * block + 0.06 + _LANE / 2 + 0.035, short(label), weight="bold", color=INK)
        for j, text in enumerate(texts):
            sheet.text(left - 0.1, 0.12 + i * block + 0.06 + _LANE * (j + 0.5) + 0.035, text, ha="right")
    return sheet
