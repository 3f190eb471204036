"""The model beside the people who rated the faces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairfer.report.figures.lettering import inches, short
from fairfer.report.figures.marks import PANELS, draw_axis, rounded_up
from fairfer.report.figures.selection import BY_COLOUR
from fairfer.report.figures.sheet import Names, Picture, Sheet, finish
from fairfer.report.figures.style import COLOURS, INK, QUIET
from fairfer.report.tables import evidence
from fairfer.report.text.caveats import ambiguity_words, rater_words
from fairfer.report.text.groups import EVERYONE, group_words, with_source

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fairfer.metrics.results import Rate, WeightedRate
    from fairfer.report.view import View

_MODEL, _RATER = COLOURS[0], COLOURS[1]
_LANE, _WIDE = 0.19, 2.6


def draw_raters(view: View, names: Names) -> list[Picture]:
    """TPR and FPR of the model and of one rater held against the others; then both by how far raters agreed."""
    if view.audit.votes is None:
        return []
    pictures = []
    for attribute in view.groupings or [EVERYONE]:
        groups = view.groups(attribute)
        if len(groups) > BY_COLOUR:
            continue
        title = rater_words(view, attribute)
        caption = (
            "Square: the model, held against the label. Diamond: one rater, held against what most of the others say; no model "
            "need do better. Lines: intervals. Open: too few faces."
        )
        table = evidence.raters_table(view)
        pictures.append(
            finish(_beside(view, attribute, groups, title), names("raters", attribute), "raters", title, caption, table)
        )
    title = ambiguity_words(view)
    caption = (
        "Accuracy over the faces on which raters agree so far: the model (square, with its interval) and one rater held "
        "against the others (diamond). By the entropy of the votes: unanimous 0, clear up to .75, mixed up to 1.25 bits, split "
        "above."
    )
    sheet = _strata(view, title)
    pictures.append(finish(sheet, names("ambiguity"), "ambiguity", title, caption, evidence.ambiguity_table(view)))
    return pictures


def _beside(view: View, attribute: str, groups: list[str], title: str) -> Sheet:
    texts = [short(group_words(g)) for g in groups]
    block = _LANE * len(groups) + 0.12
    heads = max(inches(n, 7.5, "bold") for n in view.labels)
    left = 0.35 + heads + max(inches(t, 7.5) for t in texts)
    height = block * len(view.labels)
    sheet = Sheet(left + 2 * _WIDE + 0.1, height + 0.75, title)
    _key(sheet, left)
    sheet.text(0.1, 0.18, with_source(view.audit, attribute) if attribute != EVERYONE else "", color=QUIET)
    for k, name in enumerate(("TPR", "FPR")):
        ax = sheet.axes(left + _WIDE * k, 0.32, _WIDE - 0.25, height)
        ax.set_ylim(height, 0)
        rows = [
            (
                i * block + 0.06 + _LANE * (j + 0.5),
                view.rate(name, label, attribute, g),
                view.weighted("rater", name, label, attribute, g),
            )
            for i, label in enumerate(view.labels)
            for j, g in enumerate(groups)
        ]
        far = max([0.0, *(x for _, m, r in rows for x in (_high(m), _high(r)))])
        draw_axis(ax, rounded_up(far) if name == "FPR" else 1.0, 5)
        for y, model, rater in rows:
            _mark(ax, y - 0.03, model, "s", _MODEL)
            _mark(ax, y + 0.03, rater, "D", _RATER)
        for i in range(1, len(view.labels)):
            ax.axhline(i * block, color="#e2e2e2", linewidth=0.6)
        sheet.text(left + _WIDE * k, 0.32 + height + 0.36, PANELS[name], color=QUIET)
    for i, label in enumerate(view.labels):
        sheet.text(0.1, 0.32 + i * block + 0.06 + _LANE / 2 + 0.035, short(label), weight="bold")
        for j, text in enumerate(texts):
            sheet.text(left - 0.1, 0.32 + i * block + 0.06 + _LANE * (j + 0.5) + 0.035, text, ha="right")
    return sheet


def _high(found: Rate | WeightedRate | None) -> float:
    return 0.0 if found is None or found.status != "ok" else found.high or 0.0


def _mark(ax: Axes, y: float, found: Rate | WeightedRate | None, marker: str, colour: str) -> None:
    if found is None or found.value is None:
        return
    quiet = found.status == "small"
    ax.hlines(y, found.low or 0.0, found.high or 0.0, color=colour, linewidth=0.9, alpha=0.45 if quiet else 0.9)
    face = "white" if quiet else colour
    ax.plot(
        found.value, y, marker, markersize=4, markerfacecolor=face, markeredgecolor=colour, markeredgewidth=0.8, clip_on=False
    )


def _key(sheet: Sheet, left: float) -> None:
    at = left
    for marker, colour, text in (("s", _MODEL, "the model"), ("D", _RATER, "a rater")):
        ax = sheet.axes(at, 0.1, 0.12, 0.12)
        ax.set_axis_off()
        ax.plot([0], [0], marker, markersize=4.5, color=colour, clip_on=False)
        sheet.text(at + 0.18, 0.19, text, color=INK)
        at += 0.35 + inches(text, 7.5)


def _strata(view: View, title: str) -> Sheet:
    """Accuracy by stratum, everyone together."""
    votes = view.audit.votes
    rows = [a for a in (votes.ambiguity if votes else ()) if a.attribute == EVERYONE]
    texts = [f"{a.stratum} ({a.faces:,})" for a in rows]
    left = 0.25 + max(inches(t, 7.5) for t in texts)
    height = 0.28 * len(rows) + 0.1
    sheet = Sheet(max(left + 3.6, 4.6), height + 0.75, title)
    _key(sheet, left)
    ax = sheet.axes(left, 0.32, 3.3, height)
    ax.set_ylim(height, 0)
    draw_axis(ax, 1.0, 5)
    for i, found in enumerate(rows):
        y = 0.05 + 0.28 * (i + 0.5)
        sheet.text(left - 0.1, 0.32 + y + 0.035, texts[i], ha="right")
        if found.model is None:
            continue
        quiet = found.status == "small"
        ax.hlines(y - 0.03, found.low or 0.0, found.high or 0.0, color=_MODEL, linewidth=0.9)
        ax.plot(
            found.model, y - 0.03, "s", markersize=4.5, markeredgecolor=_MODEL, markerfacecolor="white" if quiet else _MODEL
        )
        if found.human is not None:
            ax.plot(found.human, y + 0.03, "D", markersize=4.5, color=_RATER, clip_on=False)
    sheet.text(left, 0.32 + height + 0.36, "accuracy", color=QUIET)
    return sheet
