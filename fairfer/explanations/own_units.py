"""The action units of a label, which define its own region of the face."""

from __future__ import annotations

from fairfer.errors import LabelError
from fairfer.facs.action_units import parse
from fairfer.facs.prototypes import prototype


def own_units(label: str, source: str = "EMFACS") -> frozenset[str]:
    """The action units of a label, for `fairfer.explanations.regions.own_region`.

    Parameters
    ----------
    label
        An action unit in any usual spelling, or an emotion.
    source
        Source of prototypes; a key of `fairfer.facs.prototypes.SOURCES`.

    Returns
    -------
    frozenset of str
        The unit itself; for an emotion all units of its prototypes, which are hypotheses of their authors. Empty for a label
        that is neither, and for neutral: such a label has no region of its own.

    Raises
    ------
    UsageError
        When there is no such source.

    Examples
    --------
    >>> sorted(own_units("happiness")), sorted(own_units("AU04")), sorted(own_units("neutral"))
    (['AU12', 'AU6'], ['AU4'], [])
    """
    try:
        return frozenset({parse(label)})
    except LabelError:
        pass
    try:
        return frozenset().union(*prototype(label, source))
    except LabelError:
        return frozenset()
