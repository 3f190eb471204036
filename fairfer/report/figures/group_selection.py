"""Which groups a figure has room for, and how the caption accounts for the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairfer.report.figures.grouping import is_everyone
from fairfer.report.text.groups import EVERYONE, grouping_words, with_source
from fairfer.vocabulary import Group, Grouping

if TYPE_CHECKING:
    from fairfer.report.view import View

MAX_GROUPS_BY_COLOR = 8
"""Up to this many groups are distinguished by color and marker; more groups get a row each."""
MAX_DISPLAYED_GROUPS = 36
"""A figure shows at most this many groups of one grouping, the largest; its table has all."""
MAX_ROWS = 36
"""More rows than this are split over several figures, each with whole groupings where possible."""
Block = tuple[Grouping, list[Group]]
"""A grouping and those of its groups that a figure shows."""


def pages(view: View) -> list[list[Block]]:
    """Everyone and the groupings, split over as many figures as keep each legible."""
    result: list[list[Block]] = [[(EVERYONE, [EVERYONE])]]
    for grouping in view.groupings:
        groups = displayed_groups(view, grouping)
        for start in range(0, len(groups), MAX_ROWS):
            part = groups[start : start + MAX_ROWS]
            if sum(len(g) for _, g in result[-1]) + len(part) > MAX_ROWS:
                result.append([])
            result[-1].append((grouping, part))
    return result


def displayed_groups(view: View, grouping: Grouping) -> list[Group]:
    """All groups of a grouping, in display order; the largest where there are more than `MAX_DISPLAYED_GROUPS`."""
    groups = view.groups(grouping)
    if len(groups) <= MAX_DISPLAYED_GROUPS:
        return groups
    largest = set(sorted(groups, key=lambda g: -view.size(grouping, g))[:MAX_DISPLAYED_GROUPS])
    return [g for g in groups if g in largest]


def omission_note(view: View, blocks: Sequence[Block]) -> str:
    """The sentence of a caption about groups that the figure has no room for."""
    crowded = [a for a, _ in blocks if len(view.groups(a)) > MAX_DISPLAYED_GROUPS]
    return "".join(
        f" Of {len(view.groups(a))} groups by {grouping_words(a)}, the {MAX_DISPLAYED_GROUPS} largest are shown."
        for a in crowded
    )


def grouping_list(blocks: Sequence[Block]) -> str:
    """The groupings of a figure, where several figures share one title."""
    return "; ".join(grouping_words(a) for a, _ in blocks)


def table_blocks(view: View, blocks: Sequence[Block]) -> list[Block]:
    """Blocks of a figure's table: with the groups that the figure has no room for, each once."""
    return [
        (a, view.groups(a) if len(view.groups(a)) > MAX_DISPLAYED_GROUPS and g[0] == displayed_groups(view, a)[0] else g)
        for a, g in blocks
    ]


def legend_title(view: View, grouping: Grouping) -> str:
    """The text before the names of the groups."""
    return "" if is_everyone(grouping) else f"{with_source(view.audit, grouping)}:"
