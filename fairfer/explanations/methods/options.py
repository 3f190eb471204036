"""Options of attribution methods: text, as on the command line."""

from __future__ import annotations

from collections.abc import Sequence

from fairfer.errors import UsageError, did_you_mean


def whole_number(method: str, name: str, text: str, *, least: int = 1) -> int:
    """A whole number.

    Raises
    ------
    UsageError
        When it is none, or less than `least`.
    """
    if not text.strip().isdecimal() or int(text) < least:
        message = f"method {method}: option {name}={text!r} must be a whole number of at least {least}"
        raise UsageError(message)
    return int(text)


def number(method: str, name: str, text: str, *, above: float, most: float) -> float:
    """A number above `above` and of at most `most`.

    Raises
    ------
    UsageError
        When it is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not above < value <= most:
        message = f"method {method}: option {name}={text!r} is not a number above {above:g} and of at most {most:g}; correct it"
        raise UsageError(message)
    return value


def choice(method: str, name: str, text: str, choices: Sequence[str]) -> str:
    """One of several names.

    Raises
    ------
    UsageError
        When it is none of them.
    """
    if text not in choices:
        message = f"method {method}: option {name}={text!r} is not a choice; {did_you_mean(text, choices)}"
        raise UsageError(message)
    return text
