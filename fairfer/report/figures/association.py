"""Which label goes with which group, beside how the model fares there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib import colormaps
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle

from fairfer.report.figures.lettering import feet, folded, inches, short
from fairfer.report.figures.marks import rounded_up
from fairfer.report.figures.selection import paged
from fairfer.report.figures.sheet import Names, Picture, Sheet, finish
from fairfer.report.figures.style import INK, QUIET
from fairfer.report.tables import evidence
from fairfer.report.tables.evidence import signed
from fairfer.report.text.caveats import pairing_words
from fairfer.report.text.groups import EVERYONE, UNANNOTATED, group_words, with_source
from fairfer.report.text.numbers import DASH

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fairfer.metrics.results import Pairing
    from fairfer.report.figures.selection import Block
    from fairfer.report.view import View

_MAP = "PuOr"
_CELL, _HIGH = 0.47, 0.24
_LEAST = 5
"""Fewer faces than this expected in a cell are too few to say what goes with what (Cochran 1954); it is left uncoloured."""
_DARK = 0.72
"""Beyond this share of the scale the map is so dark that white reads better on it."""


def draw_association(view: View, names: Names) -> list[Picture]:
    """Ducher's Z of each label and group, and beside it the model's TPR there minus that of everyone else."""
    if view.audit.composition is None:
        return []
    pictures = []
    for page in paged(view):
        blocks = [b for b in page if b[0] != EVERYONE]
        if not blocks:
            continue
        title = pairing_words(view)
        caption = (
            f"Left: how far each {view.noun} goes with each group in these data (Ducher's Z: 1 together as far as can be, 0 "
            "independent, \N{MINUS SIGN}1 never together). Right: the model's TPR in that group minus that of all others. "
            "Purple above 0, orange below. Where both are far from 0, model and data lean the same way, or against each other. "
            f"Uncoloured: fewer than {_LEAST} faces expected."
        )
        pictures.append(
            finish(
                _maps(view, blocks, title), names("association"), "association", title, caption, evidence.pairing_table(view)
            )
        )
    return pictures


def _maps(view: View, blocks: list[Block], title: str) -> Sheet:
    found = {(p.attribute, p.group, p.label): p for p in (view.audit.composition.pairing if view.audit.composition else ())}
    rows: list[tuple[str, str] | str] = []
    for attribute, groups in blocks:
        rows += [
            with_source(view.audit, attribute),
            *((attribute, g) for g in groups if (attribute, g, view.labels[0]) in found),
        ]
    texts = [short(group_words(r[1])) if isinstance(r, tuple) else "" for r in rows]
    left = 0.25 + max(inches(t, 7.5) for t in texts)
    across = _CELL * len(view.labels)
    top, angle = feet([short(n) for n in view.labels], _CELL)
    height = _HIGH * len(rows)
    sheet = Sheet(left + 2 * across + 0.55 + (0.4 if angle else 0), top + 0.42 + height, title)
    reach = {"ducher_z": 1.0, "tpr_excess": _reach(list(found.values()))}
    heads = {"ducher_z": "Ducher's Z", "tpr_excess": "TPR against the others"}
    for k, name in enumerate(("ducher_z", "tpr_excess")):
        start = left + k * (across + 0.25)
        sheet.text(start, 0.16, heads[name], weight="bold")
        ax = sheet.axes(start, 0.25 + top, across, height)
        ax.set_xlim(0, len(view.labels))
        ax.set_ylim(len(rows), 0)
        ax.set_axis_off()
        for x, label in enumerate(view.labels):
            style = {"rotation": angle, "rotation_mode": "anchor", "ha": "left"} if angle else {"ha": "center"}
            sheet.text(start + _CELL * (x + 0.5), 0.19 + top, folded(short(label), _CELL, angle), size=7, va="bottom", **style)
            for y, row in enumerate(rows):
                if isinstance(row, tuple):
                    pairing = found.get((*row, label))
                    value = getattr(pairing, name) if pairing else None
                    enough = name != "ducher_z" or _expected(view, *row, label) >= _LEAST
                    _cell(ax, x, y, value, reach[name], enough=enough)
    for y, row in enumerate(rows):
        at = 0.25 + top + _HIGH * (y + 0.5) + 0.035
        if isinstance(row, tuple):
            sheet.text(left - 0.1, at, texts[y], ha="right")
        else:
            sheet.text(left, at + 0.04, row, color=QUIET, size=7)
    return sheet


def _reach(pairs: list[Pairing]) -> float:
    far = max((abs(p.tpr_excess) for p in pairs if p.tpr_excess is not None), default=0.0)
    return rounded_up(far)


def _expected(view: View, attribute: str, group: str, label: str) -> float:
    """How many faces of a label a group would have if the two had nothing to do with each other."""
    groups = [g for g in view.groups(attribute) if UNANNOTATED not in g.split(",")]
    whole = sum(view.size(attribute, g) for g in groups)
    return view.size(attribute, group) * sum(view.support(label, attribute, g) for g in groups) / whole if whole else 0.0


def _cell(ax: Axes, x: int, y: int, value: float | None, reach: float, *, enough: bool) -> None:
    if value is None:
        ax.text(x + 0.5, y + 0.5, DASH, ha="center", va="center", color=QUIET, size=7)
        return
    if not enough:
        ax.text(x + 0.5, y + 0.5, signed(value), ha="center", va="center", color=QUIET, size=7)
        return
    colour = colormaps[_MAP](Normalize(-reach, reach)(value))
    ax.add_patch(Rectangle((x + 0.02, y + 0.03), 0.96, 0.94, facecolor=colour, edgecolor="none"))
    ink = "white" if abs(value) / reach > _DARK else INK
    ax.text(x + 0.5, y + 0.5, signed(value), ha="center", va="center", color=ink, size=7)
