"""Sets of action units in words: what a face shows, and what to change so that it shows another set.

After the Face Game: units that player and target share are praised; those that only the player shows become "try not to …",
those that only the target shows become instructions. Players asked for few, the important ones first, so they are limited.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from fairfer.errors import UsageError
from fairfer.facs.action_units import ACTION_UNITS, in_order, parse

Kind = Literal["praise", "avoid", "do"]

IMPORTANCE: tuple[str, ...] = (
    "AU12", "AU27", "AU26", "AU4", "AU1", "AU2", "AU43", "AU5", "AU15", "AU9", "AU22", "AU18", "AU28", "AU20", "AU10", "AU24",
    "AU6", "AU25", "AU13", "AU16", "AU17", "AU34", "AU23", "AU14", "AU7", "AU11", "AU45",
)  # fmt: skip
"""Action units from the most to the least important correction: those that move the mouth, the eyebrows or the eyelids far come
first, small movements and those that detectors often miss later. A convention of fairfer, not a measurement."""

_BROWS = frozenset({"AU1", "AU2"})
_BROWS_SUBJECT, _BROWS_STATE, _BROWS_INSTRUCTION = "{the} eyebrows", "are raised", "raise your eyebrows"
_TOGETHER_STATE, _TOGETHER_INSTRUCTION = "are drawn together", "draw your eyebrows together"


@dataclass(frozen=True)
class Prescription:
    """One thing to say to a player.

    Attributes
    ----------
    kind
        ``praise`` for what is right, ``avoid`` for what should not be shown, ``do`` for what is missing.
    units
        The action units that it is about. Praise has all of them; a correction has one, or ``AU1`` and ``AU2`` together.
    text
        A sentence.
    """

    kind: Kind
    units: tuple[str, ...]
    text: str


def describe(units: Iterable[str]) -> str:
    """Say in one sentence what a face with these action units shows.

    Parameters
    ----------
    units
        Codes, in any spelling that `fairfer.facs.action_units.parse` knows.

    Raises
    ------
    LabelError
        If a code is not that of an action unit.

    Examples
    --------
    >>> describe({"AU12", "AU6"})
    'The cheeks are raised and the lip corners are pulled up.'
    >>> describe(["AU1", "AU2", "AU25"])
    'The eyebrows are raised and the lips are parted.'
    """
    codes = in_order(units)
    return _sentence(_clauses(codes, "the")) if codes else "No action unit is seen."


def prescriptions(
    player: Iterable[str],
    target: Iterable[str],
    limit: int = 3,
    importance: Mapping[str, float] | None = None,
    known: Collection[str] | None = None,
) -> tuple[Prescription, ...]:
    """Say to a player what is right and what to change.

    Parameters
    ----------
    player
        Action units that the player shows.
    target
        Action units to be shown.
    limit
        Largest number of corrections. The inner and outer brow raiser, if both are to be corrected in the same way, are one.
    importance
        Importance by unit; larger is more important. Units that it lacks follow in the order of `IMPORTANCE`, which is the
        default for all.
    known
        Units that were observable in both faces; nothing is said about others. By default, all.

    Returns
    -------
    tuple of Prescription
        One sentence of praise, unless nothing is right, then corrections, the most important first.

    Raises
    ------
    LabelError
        If a code is not that of an action unit.
    UsageError
        If the limit is negative.

    Examples
    --------
    >>> [p.text for p in prescriptions({"AU12", "AU4"}, {"AU12", "AU1", "AU2"})]
    ['Well done: your lip corners are pulled up.', 'Try not to lower your eyebrows.', 'Raise your eyebrows.']
    """
    if limit < 0:
        message = f"the limit of corrections is {limit}; give 0 or more"
        raise UsageError(message)
    p, t = set(in_order(player)), set(in_order(target))
    if known is not None:
        observable = set(in_order(known))
        p, t = p & observable, t & observable
    ranks = _ranks(importance)
    corrections = [*_corrections("avoid", p - t, p), *_corrections("do", t - p, t)]
    corrections.sort(key=lambda c: min(ranks[unit] for unit in c.units))
    return (*_praise(p, t), *corrections[:limit])


def _ranks(importance: Mapping[str, float] | None) -> dict[str, tuple[float, int]]:
    """What sorts the units, the most important first."""
    own = {parse(code): value for code, value in (importance or {}).items()}
    lowest = float("inf")  # after every unit of `importance`
    return {code: (-own[code] if code in own else lowest, place) for place, code in enumerate(IMPORTANCE)}


def _praise(player: Collection[str], target: Collection[str]) -> tuple[Prescription, ...]:
    codes = in_order(set(player) & set(target))
    if codes:
        sentence = _sentence(_clauses(codes, "your"))
        return (Prescription("praise", codes, f"Well done: {sentence[0].lower()}{sentence[1:]}"),)
    if not player and not target:
        return (Prescription("praise", (), "Well done: your face is relaxed."),)
    return ()


def _corrections(kind: Kind, units: Collection[str], shown: Collection[str]) -> list[Prescription]:
    """Corrections of units; `shown` is the whole set that they are part of, which decides how a unit is called."""
    both = set(units) >= _BROWS
    groups = [in_order(_BROWS)] if both else []
    groups += [(code,) for code in in_order(units) if not both or code not in _BROWS]
    texts = {group: _instruction(group, shown) for group in groups}
    start = "try not to " if kind == "avoid" else ""
    return [Prescription(kind, group, _capital(f"{start}{text}.")) for group, text in texts.items()]


def _instruction(group: tuple[str, ...], shown: Collection[str]) -> str:
    if set(group) == _BROWS:
        return _BROWS_INSTRUCTION
    (code,) = group
    return _TOGETHER_INSTRUCTION if code == "AU4" and _BROWS & set(shown) else ACTION_UNITS[code].instruction


def _clauses(codes: tuple[str, ...], article: str) -> list[str]:
    """Clauses in the order of the units; units with the same subject share one: "the lips are tightened and parted"."""
    states: dict[str, list[str]] = {}
    if set(codes) >= _BROWS:
        states[_BROWS_SUBJECT] = [_BROWS_STATE]
    for code in codes:
        if code in _BROWS and _BROWS_SUBJECT in states and set(codes) >= _BROWS:
            continue
        unit = ACTION_UNITS[code]
        state = _TOGETHER_STATE if code == "AU4" and _BROWS & set(codes) else unit.state
        states.setdefault(unit.subject, []).append(state)
    return [f"{subject.format(the=article)} {_join(_without_verbs(texts))}" for subject, texts in states.items()]


def _without_verbs(states: list[str]) -> list[str]:
    """States with the verb of the first only: "are tightened", "parted"."""
    return [states[0], *(state.partition(" ")[2] for state in states[1:])]


def _join(texts: list[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def _sentence(clauses: list[str]) -> str:
    """Clauses joined; where one has an "and" of its own, commas keep them apart."""
    if len(clauses) > 1 and any(" and " in clause for clause in clauses):
        return _capital(f"{', '.join(clauses[:-1])}, and {clauses[-1]}.")
    return _capital(f"{_join(clauses)}.")


def _capital(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"
