"""Groupings and groups of audit rows, as tuples.

Every comparison of an attribute or a group in the gate goes through these two functions.
"""

from __future__ import annotations

from collections.abc import Sequence

from fairfer.vocabulary import EVERYONE, Group, Grouping, parse_grouping


def as_grouping(attribute: str | Sequence[str]) -> Grouping:
    """The grouping of a row, which stores it as a tuple or as text.

    >>> as_grouping("gender,race"), as_grouping(("gender",)), as_grouping("*")
    (('gender', 'race'), ('gender',), ())
    """
    return parse_grouping(attribute) if isinstance(attribute, str) else tuple(attribute)


def as_group(group: str | Sequence[str], grouping: Grouping) -> Group:
    """The group of a row of a grouping, which stores it as a tuple or as text.

    A level of a single attribute may contain a comma.

    >>> as_group("female,white", ("gender", "race")), as_group("a,b", ("g",)), as_group("*", ())
    (('female', 'white'), ('a,b',), ())
    """
    if not isinstance(group, str):
        return tuple(group)
    if not grouping:
        return EVERYONE
    return (group,) if len(grouping) == 1 else tuple(group.split(","))
