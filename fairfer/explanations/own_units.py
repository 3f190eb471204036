"""The action units of a label, whose regions are where it shows."""

from __future__ import annotations

from fairfer.errors import FairferError
from fairfer.explanations.face_parts import ACTION_UNITS
from fairfer.facs.prototypes import prototype
from fairfer.labels import canonical


def units_of(label: str) -> tuple[str, ...]:
    """Codes of the units of a label.

    Parameters
    ----------
    label
        An action unit, or an emotion, whose prototype in EMFACS is taken: a hypothesis about what an emotion looks like, not a
        fact (see `fairfer.facs.prototypes`).

    Returns
    -------
    tuple of str
        Those that have a region on the face; empty for neutral and for labels that are neither.
    """
    if label in ACTION_UNITS:
        return (label,)
    if canonical(label) is None:
        return ()
    try:
        units = prototype(label)[0]
    except FairferError:  # an emotion without a prototype
        return ()
    return tuple(sorted(units & ACTION_UNITS.keys()))
