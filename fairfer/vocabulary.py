"""Reserved words: statuses of a prediction, names of groups and columns, and how groupings and groups are written.

A *grouping* is a tuple of attribute names: ``("gender",)``, ``("gender", "race")`` for an intersection, ``()`` for everyone. A
*group* is a tuple of levels, one per attribute of its grouping. They travel as tuples; only tables and sentences write them as
text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

Status = Literal["ok", "no_face", "refused", "unreadable", "error"]
STATUSES: tuple[Status, ...] = get_args(Status)
"""Status of one prediction: ``ok``, or the reason why there is none."""

Task = Literal["single-label", "multi-label"]
"""One label per face, or any number of labels per face (each true, false or unknown)."""

TRUTH_PREFIX = "truth:"
PREDICTED_PREFIX = "predicted:"
SCORE_PREFIX = "score:"
"""How columns with one value per label begin: ``truth:LABEL`` and ``predicted:LABEL`` (1, 0 or missing), ``score:LABEL``."""

Grouping = tuple[str, ...]
Group = tuple[str, ...]

EVERYONE: tuple[()] = ()
"""The grouping without attributes, and its only group."""

ALL = "*"
"""The name of `EVERYONE` in tables, and the label of a rate over all labels."""

NO_ANSWER = "no answer"
"""Written as the prediction of a sample without an answer; no label may have this name."""

UNANNOTATED = "unannotated"
"""Level of samples for which an attribute has no value."""

LOWER_IS_BETTER = frozenset({"FPR", "FNR", "Hamming loss"})
"""Rates for which a lower value is better. For all others a higher value is better, or neither."""


def is_annotated(group: Group) -> bool:
    """Whether every attribute of a group has a value."""
    return UNANNOTATED not in group


def grouping_name(grouping: Sequence[str]) -> str:
    """A grouping as ``--by`` spells it: ``gender,race``; ``*`` for everyone."""
    return ",".join(grouping) or ALL


def group_name(group: Sequence[str]) -> str:
    """A group as tables write it: ``female,white``; ``*`` for everyone.

    In a group of several levels, a level with a comma or a quotation mark is quoted as in a CSV file, so that no two groups are
    written alike.

    >>> group_name(("female", "Latino, Hispanic"))
    'female,"Latino, Hispanic"'
    """
    if len(group) > 1:
        group = ['"{}"'.format(n.replace('"', '""')) if "," in n or '"' in n else n for n in group]
    return ",".join(group) or ALL


def parse_grouping(name: str) -> Grouping:
    """The grouping that a name such as ``gender,race`` stands for."""
    return EVERYONE if name in ("", ALL) else tuple(part.strip() for part in name.split(","))
