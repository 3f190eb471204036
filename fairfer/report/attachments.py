"""Results of other commands on a run, which the report of its audit shows: each in a file of its own beside ``audit.json``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from fairfer.audits.probe_identity import belongs_to
from fairfer.errors import RunError
from fairfer.explanations.probes.results import PROBES, Probes

if TYPE_CHECKING:
    from pathlib import Path

    from fairfer.audits.result import Audit


@dataclass(frozen=True)
class Attachments:
    """What was found beside an audit, ``None`` where there is nothing.

    Attributes
    ----------
    probes
        Answers to changed pictures (``fairfer probe``).
    """

    probes: Probes | None = None

    @classmethod
    def read(cls, folder: Path, audit: Audit) -> Self:
        """Read the files of a run folder that belong to this audit; files of other predictions are left out."""
        return cls(probes=_probes(folder, audit))


def _probes(folder: Path, audit: Audit) -> Probes | None:
    try:
        probes = Probes.read(folder / PROBES)
    except RunError:  # missing, damaged, or of another version
        return None
    return probes if belongs_to(probes, audit) else None
