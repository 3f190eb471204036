"""Results of other commands on a run, which the report of its audit shows: each in a file of its own beside ``audit.json``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path

    from fairfer.audits.result import Audit


@dataclass(frozen=True)
class Attachments:
    """What was found beside an audit, ``None`` where there is nothing."""

    @classmethod
    def read(cls, folder: Path, audit: Audit) -> Self:
        """Read the files of a run folder that belong to this audit; files of other predictions are left out."""
        del folder, audit
        return cls()
