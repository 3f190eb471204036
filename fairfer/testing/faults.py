"""Report the faults that a check finds."""

from __future__ import annotations

from collections.abc import Sequence

RGB = 3
"""Channels of an image."""


def raise_faults(subject: str, faults: Sequence[str]) -> None:
    """Raise one `AssertionError` with a line per fault; nothing without faults."""
    if faults:
        raise AssertionError(f"{subject}:\n" + "\n".join(f"- {fault}" for fault in faults))
