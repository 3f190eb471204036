"""Similarity of two sets of action units."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from fairfer.facs.action_units import parse


def jaccard(player: Iterable[str], target: Iterable[str], known: Collection[str] | None = None) -> float:
    """Jaccard index of two sets of action units: units in both, divided by units in at least one; the score of the Face Game.

    Two empty sets are equal, so their index is 1; it is 0 if one of them is empty.

    Parameters
    ----------
    player, target
        Codes of the action units that are present, in any spelling that `parse` knows.
    known
        Units that were observable in both faces. All others are ignored, since an unknown unit is not an absent one. By
        default, all are observable.

    Returns
    -------
    float
        0 to 1.

    Raises
    ------
    LabelError
        If a code is not that of an action unit.

    Examples
    --------
    >>> jaccard({"AU6", "AU12"}, {"AU12", "AU25"})
    0.3333333333333333
    >>> jaccard({"AU6", "AU12"}, {"AU12", "AU25"}, known={"AU6", "AU12"})
    0.5
    """
    p, t = ({parse(unit) for unit in units} for units in (player, target))
    if known is not None:
        observable = {parse(unit) for unit in known}
        p, t = p & observable, t & observable
    return len(p & t) / len(p | t) if p | t else 1.0
