"""Adapters until audits hold groups as tuples; delete this module with the switch.

Rows of an audit still join names with commas (``gender,race``, ``*`` for everyone). The report accepts that form and tuples.
After the switch: import `EVERYONE`, `Group` and `Grouping` from `fairfer.vocabulary`, and use values as they are where `parts`,
`human_agreement`, `task` and `group_parts` are called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fairfer.vocabulary import ALL

if TYPE_CHECKING:
    from fairfer.audits.result import Audit

Grouping = Any
"""A grouping in either form."""

Group = Any
"""A group in either form."""

EVERYONE: Any = ALL
"""Everyone, as rows of an audit name it."""


def parts(grouping: Any) -> tuple[str, ...]:  # noqa: ANN401 - both forms
    """A grouping as a tuple."""
    if isinstance(grouping, str):
        return () if grouping == ALL else tuple(grouping.split(","))
    return tuple(grouping)


def group_parts(grouping: Any, group: Any) -> tuple[str, ...]:  # noqa: ANN401 - both forms
    """A group as a tuple; the level of a single attribute may contain a comma."""
    names = parts(grouping)
    return (group,) if isinstance(group, str) and len(names) == 1 else parts(group)


def human_agreement(audit: Audit) -> Any:  # noqa: ANN401 - the class is renamed with the switch
    """Agreement with human raters; ``None`` without votes."""
    return getattr(audit, "human_agreement", None) or getattr(audit, "votes", None)


def task(audit: Audit) -> str:
    """``single-label`` or ``multi-label``."""
    return str(getattr(audit, "task", "single-label"))
