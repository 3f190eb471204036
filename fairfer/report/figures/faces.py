"""Who is in the data: how many faces of each group show each label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fairfer.report.figures.lanes import ABREAST
from fairfer.report.figures.lettering import cut, inches, short
from fairfer.report.figures.selection import Block, by_words, excluded, heading, in_full, paged
from fairfer.report.figures.sheet import Names, Picture, Sheet, finish
from fairfer.report.figures.style import INK, QUIET, looks_of
from fairfer.report.figures.titles import composition
from fairfer.report.tables import rates as tables
from fairfer.report.text.groups import EVERYONE, group_words
from fairfer.report.text.numbers import whole

if TYPE_CHECKING:
    from fairfer.report.view import View


def draw_faces(view: View, names: Names) -> list[Picture]:
    """How many faces of each group show each label."""
    pages = [[b for b in page if b[0] != EVERYONE or not view.groupings] for page in paged(view)]
    pictures = []
    for blocks in [p for p in pages if p]:
        title = composition(view) if len(pages) == 1 else f"{composition(view)} ({by_words(blocks)})"
        caption = (
            f"Faces of each group by the {view.noun} they show; in brackets all faces of the group.{excluded(view, blocks)}"
        )
        table = tables.faces_table(view, in_full(view, blocks))
        pictures.append(finish(_count_bars(view, blocks, title), names("faces"), "faces", title, caption, table))
    return pictures


def _count_bars(view: View, blocks: Sequence[Block], title: str) -> Sheet:
    """Bars of counts: a line per group, a column per label; one scale per grouping."""
    labels = view.labels
    names = {(a, g): f"{short(group_words(g))} ({view.size(a, g):,})" for a, groups in blocks for g in groups}
    left = 0.25 + max(inches(n, 7.5) for n in names.values())
    per_row = [labels[i : i + ABREAST] for i in range(0, len(labels), ABREAST)]
    column, lane = 1.0, 0.19
    heights = [lane * len(groups) + 0.5 for _, groups in blocks]
    sheet = Sheet(left + column * min(len(labels), ABREAST) + 0.2, 0.1 + sum(heights) * len(per_row), title)
    top = 0.1
    for part in per_row:
        for (attribute, groups), height in zip(blocks, heights, strict=True):
            looks = looks_of(view, attribute)
            most = max((view.support(n, attribute, g) for n in labels for g in groups), default=0) or 1
            sheet.text(0.1, top + 0.2, heading(view, attribute), color=QUIET) if len(
                blocks
            ) > 1 or attribute != EVERYONE else None
            for k, label in enumerate(part):
                ax = sheet.axes(left + column * k, top + 0.38, column - 0.12, height - 0.5)
                ax.set_xlim(0, most * 1.45)  # room for the number at the end of the longest bar
                ax.set_ylim(len(groups), 0)
                ax.set_axis_off()
                sheet.text(left + column * k, top + 0.33, cut(label, column - 0.1), weight="bold")
                counts = [view.support(label, attribute, g) for g in groups]
                ax.barh(np.arange(len(groups)) + 0.5, counts, height=0.74, color=[looks[g].colour for g in groups])
                ax.axvline(0, color="#8a8a8a", linewidth=0.6)
                for i, count in enumerate(counts):
                    ax.text(count + most * 0.04, i + 0.5, whole(count), va="center", size=6.5, color=INK if count else QUIET)
            for i, group in enumerate(groups):
                sheet.text(left - 0.1, top + 0.38 + lane * (i + 0.5) + 0.035, names[attribute, group], ha="right")
            top += height
    return sheet
