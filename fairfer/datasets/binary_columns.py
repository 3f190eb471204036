"""Columns that say for one label whether each face has it: 1 and 0, intensities of an action unit, and codes for unknown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fairfer.errors import DataError, UsageError

HIGHEST_INTENSITY = 5
"""FACS grades an action unit from 1 (trace) to 5 (maximum), or A to E; 0 is absent."""
LETTERS = {letter: grade for grade, letter in enumerate("abcde", 1)}
THRESHOLD_OPTION, UNKNOWN_OPTION = "--au-threshold", "--unknown-codes"

_BINARY = {"1": 1, "1.0": 1, "true": 1, "0": 0, "0.0": 0, "false": 0}
_UNKNOWN = frozenset({"9", "9.0", "na", "nan", "unknown"})
_NOTHING_ELSE = frozenset({"1", "0", "true", "false"})


@dataclass(frozen=True)
class Coding:
    """How the cells of such columns are read. The code 9 is unknown in every coding: FACS has no such intensity.

    Attributes
    ----------
    threshold
        Lowest intensity (0 to 5, or A to E) of an action unit that counts as present; ``None`` for cells of 1 and 0.
    unknown
        Further codes that mean unknown, such as ``-1``; in lower case.
    """

    threshold: float | None = None
    unknown: frozenset[str] = frozenset()

    @classmethod
    def of(cls, threshold: float | None, unknown: str | None) -> Coding:
        """From the options ``--au-threshold`` and ``--unknown-codes``.

        Raises
        ------
        UsageError
            If the threshold is no intensity, or a code means 1 or 0.
        """
        codes = frozenset(c.strip().casefold() for c in (unknown or "").split(",") if c.strip())
        if unknown is not None and not codes:
            message = f"{UNKNOWN_OPTION} is empty; give the codes that mean unknown, as in {UNKNOWN_OPTION}=-1,999"
            raise UsageError(message)
        grades = {*LETTERS, *map(str, range(HIGHEST_INTENSITY + 1))} if threshold is not None else set()
        if taken := sorted(codes & (_NOTHING_ELSE | grades)):
            message = f"{UNKNOWN_OPTION} {taken[0]}: {taken[0]} has a meaning of its own; give only codes that mean unknown"
            raise UsageError(message)
        return cls(None if threshold is None else check_threshold(threshold), codes)

    def refuse_single_label(self) -> None:
        """Refuse the options for data with one column of labels.

        Raises
        ------
        UsageError
            If an option was given.
        """
        if self != Coding():
            option = UNKNOWN_OPTION if self.threshold is None else THRESHOLD_OPTION
            message = f"{option} is for one column per label; name the columns with a pattern such as --truth 'AU*'"
            raise UsageError(message)

    def describe(self) -> dict[str, str]:
        """What the report says of it; empty for cells of 1 and 0 with 9 for unknown."""
        text = {}
        if self.threshold is not None:
            text["action unit present"] = f"from intensity {self.threshold:g}"
        if self.unknown:
            text["codes for unknown"] = ", ".join(["9", *sorted(self.unknown)])
        return text


def check_threshold(threshold: float) -> float:
    """Refuse a threshold that is no intensity: 0 would make absent units present.

    Raises
    ------
    UsageError
        If it is not above 0 and at most 5.
    """
    if not (math.isfinite(threshold) and 0 < threshold <= HIGHEST_INTENSITY):
        message = f"{THRESHOLD_OPTION} {threshold:g} is no intensity; give one above 0 and up to {HIGHEST_INTENSITY}, such as 2"
        raise UsageError(message)
    return threshold


def to_binary(values: pd.Series, where: str, coding: Coding | None = None) -> pd.Series:
    """Convert a column to nullable Int8: 1 for present, 0 for absent; missing values are missing.

    Parameters
    ----------
    values
        Numbers, booleans or text in any case.
    where
        File and column, for the error message.
    coding
        How true labels are read. ``None`` for predictions: 1, 0 or missing only, because a model has no unknown.

    Raises
    ------
    DataError
        If there is another value; the message names its row.
    """
    codes, distinct = pd.factorize(values)  # -1 where missing; only the few distinct values are parsed
    text = [str(v).strip().casefold() for v in distinct]
    unknown = frozenset[str]() if coding is None else _UNKNOWN | coding.unknown
    parsed = [None if not t or _is_code(t, unknown) else _parse(t, coding) for t in text]
    invalid = [i for i, p in enumerate(parsed) if p == _INVALID]
    if invalid:
        position = int(np.isin(codes, invalid).argmax())
        value = text[codes[position]] if not isinstance(values.iloc[position], str) else str(values.iloc[position])
        message = f"{where}, row {values.index[position]!r}: {_shown(value)!r} {_complaint(coding, text)}"
        raise DataError(message)
    binary = pd.array([*parsed, None], dtype="Int8")
    return pd.Series(binary[codes], index=values.index)


_INVALID = -1


def _is_code(text: str, codes: frozenset[str]) -> bool:
    """Whether a cell is one of some codes; a column of numbers with empty cells has -1.0 for -1."""
    return text in codes or text.removesuffix(".0") in codes


def _parse(text: str, coding: Coding | None) -> int:
    """1, 0, or `_INVALID`."""
    if coding is None or coding.threshold is None:
        return _BINARY.get(text, _INVALID)
    if text in ("true", "false"):
        return _INVALID  # a decision, not an intensity
    try:
        intensity = float(LETTERS.get(text, text))
    except ValueError:
        return _INVALID
    return int(intensity >= coding.threshold) if 0 <= intensity <= HIGHEST_INTENSITY else _INVALID


def _shown(value: str) -> str:
    return value.removesuffix(".0")


def _complaint(coding: Coding | None, texts: Sequence[str]) -> str:
    """What is wrong, and how to fix it."""
    if coding is None:
        return "is neither 1 nor 0; write 1 or 0, or leave the row empty if there is no prediction"
    if coding.threshold is not None:
        return (
            f"is no intensity from 0 to {HIGHEST_INTENSITY} (or A to E); correct it, leave it empty (9 and NA too) if unknown, "
            f"or state the code for unknown with {UNKNOWN_OPTION}"
        )
    grades = {*LETTERS, *(str(i) for i in range(HIGHEST_INTENSITY + 1))}
    advice = "write 1 or 0, or leave it empty (9 and NA too) if unknown"
    if all(t.removesuffix(".0") in grades | {"9", ""} for t in texts):
        advice += f"; if these are intensities, state from which one a unit is present, as in {THRESHOLD_OPTION} 2"
    else:
        advice += f"; another code for unknown is stated with {UNKNOWN_OPTION}"
    return f"is neither 1 nor 0; {advice}"
