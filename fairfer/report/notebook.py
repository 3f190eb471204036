"""An audit in a notebook: key findings, caveats and the first figure. Registered as entry point ``fairfer.renderers: html``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairfer.report.figures import draw
from fairfer.report.html import fragment

if TYPE_CHECKING:
    from fairfer.audits.result import Audit


def html(audit: Audit) -> str:
    """HTML of an audit for the output of a notebook cell."""
    return fragment(audit, draw(audit, ["overview"]))
