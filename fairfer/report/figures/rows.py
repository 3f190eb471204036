"""Rows that figures take: any object with these attributes, such as a row of an audit."""

from __future__ import annotations

from typing import Protocol


class Estimate(Protocol):
    """A number with its interval and status, such as a `Rate`."""

    @property
    def value(self) -> float | None: ...
    @property
    def low(self) -> float | None: ...
    @property
    def high(self) -> float | None: ...
    @property
    def status(self) -> str: ...
