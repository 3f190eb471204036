"""Groupings and groups of figures: file names, and the rows of a figure in the report's order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from fairfer.vocabulary import EVERYONE, grouping_name

if TYPE_CHECKING:
    from fairfer.report.view import View
    from fairfer.vocabulary import Group, Grouping


def is_everyone(grouping: Grouping) -> bool:
    """Whether a grouping groups by nothing."""
    return not grouping


def file_part(grouping: Grouping) -> str:
    """A grouping as a part of a file name; ``everyone`` for the grouping that groups by nothing."""
    return "everyone" if is_everyone(grouping) else grouping_name(grouping)


def groupings_in(view: View, groupings: Iterable[Sequence[str]]) -> list[Grouping]:
    """The groupings as the audit writes them: everyone first, then in the report's order."""
    present = {tuple(g) for g in groupings}
    return [g for g in (EVERYONE, *view.groupings) if g in present]


def groups_in(view: View, grouping: Grouping, groups: Iterable[Sequence[str]]) -> dict[Group, Group]:
    """The groups of a grouping as the audit writes them, by their levels, in display order."""
    present = {tuple(g) for g in groups}
    return {levels: g for g in view.groups(grouping) if (levels := g) in present}


def largest_groups(view: View, grouping: Grouping, groups: dict[Group, Group], limit: int) -> dict[Group, Group]:
    """At most `limit` groups, the largest, in display order."""
    by_size = sorted(groups.values(), key=lambda g: -view.size(grouping, g))[:limit]
    return {levels: g for levels, g in groups.items() if g in by_size}


def selection_note(groups: dict[Group, Group], displayed: dict[Group, Group]) -> str:
    """Sentence for a caption when only some groups are displayed; empty otherwise."""
    return f" Of {len(groups)} groups, the {len(displayed)} largest are shown." if len(displayed) < len(groups) else ""
