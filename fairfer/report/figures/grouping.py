"""Groupings and groups in either form: text (``gender,race``) or tuples (``("gender", "race")``)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from fairfer.report.text.groups import EVERYONE as ALL_TOGETHER
from fairfer.vocabulary import EVERYONE, Group, Grouping, grouping_name, is_annotated, parse_grouping

if TYPE_CHECKING:
    from fairfer.report.view import View


def attributes_of(grouping: str | Sequence[str]) -> Grouping:
    """Attribute names of a grouping; empty for everyone.

    >>> attributes_of("gender,race"), attributes_of(("gender",)), attributes_of("*")
    (('gender', 'race'), ('gender',), ())
    """
    return parse_grouping(grouping) if isinstance(grouping, str) else tuple(grouping)


def levels_of(grouping: str | Sequence[str], group: str | Sequence[str]) -> Group:
    """Levels of a group, one per attribute; a level of a single attribute may contain a comma.

    >>> levels_of("gender,race", "female,white"), levels_of("city", "Paris, Texas")
    (('female', 'white'), ('Paris, Texas',))
    """
    if not isinstance(group, str):
        return tuple(group)
    return (group,) if len(attributes_of(grouping)) == 1 else attributes_of(group)


def is_everyone(grouping: str | Sequence[str]) -> bool:
    """Whether a grouping groups by nothing."""
    return attributes_of(grouping) == EVERYONE


def has_annotation(grouping: str | Sequence[str], group: str | Sequence[str]) -> bool:
    """Whether every attribute of a group has a value."""
    return is_annotated(levels_of(grouping, group))


def file_part(grouping: str | Sequence[str]) -> str:
    """A grouping as a part of a file name; ``everyone`` for the grouping that groups by nothing."""
    return "everyone" if is_everyone(grouping) else grouping_name(attributes_of(grouping))


def groupings_in(view: View, groupings: Iterable[Sequence[str]]) -> list[str]:
    """The groupings, as the audit writes them: everyone first, then in the report's order."""
    present = {tuple(g) for g in groupings}
    return [g for g in (ALL_TOGETHER, *view.groupings) if attributes_of(g) in present]


def groups_in(view: View, grouping: str, groups: Iterable[Sequence[str]]) -> dict[Group, str]:
    """The groups of a grouping as the audit writes them, by their levels, in display order."""
    present = {tuple(g) for g in groups}
    return {levels: g for g in view.groups(grouping) if (levels := levels_of(grouping, g)) in present}


def largest_groups(view: View, grouping: str, groups: dict[Group, str], limit: int) -> dict[Group, str]:
    """At most `limit` groups, the largest, in display order."""
    by_size = sorted(groups.values(), key=lambda g: -view.size(grouping, g))[:limit]
    return {levels: g for levels, g in groups.items() if g in by_size}
