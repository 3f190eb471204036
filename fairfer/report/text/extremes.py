"""The largest and the smallest of several values, where some may be equal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from fairfer.report.text.numbers import listed, many

T = TypeVar("T")

MAX_NAMES = 3
"""More equal items than this are counted, not named."""
_TOLERANCE = 1e-9
"""Values that differ by less are equal but for rounding errors."""


def largest(items: Sequence[T], key: Callable[[T], float]) -> list[T]:
    """All items with the largest value; empty for none.

    >>> largest(["a", "bb", "cc"], len)
    ['bb', 'cc']
    """
    end = max(map(key, items), default=0.0)
    return [item for item in items if key(item) >= end - _TOLERANCE]


def smallest(items: Sequence[T], key: Callable[[T], float]) -> list[T]:
    """All items with the smallest value; empty for none."""
    return largest(items, lambda item: -key(item))


def names(items: Sequence[str], noun: str) -> str:
    """Equal items by name, or their number where there are many.

    >>> names(["fear", "anger"], "emotion"), names(["a", "b", "c", "d"], "emotion")
    ('fear and anger', '4 emotions')
    """
    return listed(items) if len(items) <= MAX_NAMES else many(len(items), noun)
