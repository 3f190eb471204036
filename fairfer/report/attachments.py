"""Results of other commands on a run, which the report of its audit shows: each in a file of its own beside ``audit.json``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from fairfer.audits.probe_identity import belongs_to
from fairfer.errors import RunError
from fairfer.explanations.explanation_results import EXPLANATIONS, Explanations
from fairfer.explanations.probes.results import PROBES, Probes

if TYPE_CHECKING:
    from pathlib import Path

    from fairfer.audits.result import Audit


@dataclass(frozen=True)
class Attachments:
    """What was found beside an audit, ``None`` where there is nothing.

    Attributes
    ----------
    explanations
        Where the model looked (``fairfer explain``).
    probes
        Answers to changed pictures (``fairfer probe``).
    """

    explanations: Explanations | None = None
    probes: Probes | None = None

    @property
    def shows_faces(self) -> bool:
        """Whether the report has images of single faces; only where they were asked for."""
        return self.explanations is not None and any(method.examples for method in self.explanations.methods)

    @classmethod
    def read(cls, folder: Path, audit: Audit) -> Self:
        """Read the files of a run folder that belong to this audit; files of other predictions are left out."""
        return cls(_explanations(folder, audit), _probes(folder, audit))


def _explanations(folder: Path, audit: Audit) -> Explanations | None:
    try:
        explanations = Explanations.read(folder / EXPLANATIONS)
    except RunError:  # missing, damaged, or of another version
        return None
    return explanations if belongs_to(explanations, audit) else None


def _probes(folder: Path, audit: Audit) -> Probes | None:
    try:
        probes = Probes.read(folder / PROBES)
    except RunError:  # missing, damaged, or of another version
        return None
    return probes if belongs_to(probes, audit) else None


def not_shown(folder: Path, audit: Audit) -> list[str]:
    """A sentence for each file of other commands in a run folder that the report of this audit does not show."""
    found = Attachments.read(folder, audit)
    return [
        f"{folder / name} is not shown: it is damaged, of another version of fairfer, or of other predictions, samples or "
        f"settings; run fairfer {command} again"
        for name, command, result in (
            (EXPLANATIONS, "explain", found.explanations),
            (PROBES, "probe", found.probes),
        )
        if result is None and (folder / name).exists()
    ]
