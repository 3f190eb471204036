"""Which groups a picture has room for, and what is said of the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairfer.report.text.groups import EVERYONE, with_source

if TYPE_CHECKING:
    from fairfer.report.view import View


BY_COLOUR = 8
"""Up to so many groups are told apart by colour and marker; more are named on their own line each."""
MOST_GROUPS = 36
"""A picture shows at most so many groups of one grouping, the largest; its table has all."""
MOST_ROWS = 36
"""More rows than this are cut into several pictures, each with whole groupings as far as they go."""
Block = tuple[str, list[str]]
"""A grouping and those of its groups that a picture shows."""


def paged(view: View) -> list[list[Block]]:
    """Everyone and the groupings, dealt onto as many pictures as keep each legible."""
    pages: list[list[Block]] = [[(EVERYONE, [EVERYONE])]]
    for attribute in view.groupings:
        groups = shown_groups(view, attribute)
        for start in range(0, len(groups), MOST_ROWS):
            part = groups[start : start + MOST_ROWS]
            if sum(len(g) for _, g in pages[-1]) + len(part) > MOST_ROWS:
                pages.append([])
            pages[-1].append((attribute, part))
    return pages


def shown_groups(view: View, attribute: str) -> list[str]:
    """All groups of a grouping; of very many the largest, in display order."""
    groups = view.groups(attribute)
    if len(groups) <= MOST_GROUPS:
        return groups
    kept = set(sorted(groups, key=lambda g: -view.size(attribute, g))[:MOST_GROUPS])
    return [g for g in groups if g in kept]


def excluded(view: View, blocks: Sequence[Block]) -> str:
    """What a caption says of groups that the picture has no room for."""
    more = [a for a, _ in blocks if len(view.groups(a)) > MOST_GROUPS]
    return "".join(f" Of {len(view.groups(a))} groups by {a} the {MOST_GROUPS} largest are shown." for a in more)


def by_words(blocks: Sequence[Block]) -> str:
    """The groupings of a picture, where several share one title."""
    return "; ".join("everyone" if a == EVERYONE else a.replace(",", " and ") for a, _ in blocks)


def in_full(view: View, blocks: Sequence[Block]) -> list[Block]:
    """For the table of a picture: with the groups that the picture has no room for, once."""
    return [
        (a, view.groups(a) if len(view.groups(a)) > MOST_GROUPS and g[0] == shown_groups(view, a)[0] else g) for a, g in blocks
    ]


def heading(view: View, attribute: str) -> str:
    """What stands before the names of the groups."""
    return "" if attribute == EVERYONE else f"{with_source(view.audit, attribute)}:"
