"""Results of other commands on a run, which the report of its audit shows: each in a file of its own beside ``audit.json``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from fairfer.explanations.explanation_results import EXPLANATIONS, Explanations

if TYPE_CHECKING:
    from pathlib import Path

    from fairfer.audits.result import Audit


@dataclass(frozen=True)
class Attachments:
    """What was found beside an audit, ``None`` where there is nothing.

    Attributes
    ----------
    explanations
        Result of ``fairfer explain``.
    """

    explanations: Explanations | None = None

    @classmethod
    def read(cls, folder: Path, audit: Audit) -> Self:
        """Read the files of a run folder that belong to this audit; results for other predictions or samples are left out.

        Raises
        ------
        RunError
            When a file is damaged or of another version.
        """
        path = folder / EXPLANATIONS
        explanations = Explanations.read(path) if path.is_file() else None
        if explanations is not None and not explanations.belongs_to(audit.model.predictions_digest, audit.data.digest):
            explanations = None
        return cls(explanations)
