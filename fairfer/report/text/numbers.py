"""Numbers as the report writes them.

A rate has two decimals: ``0.84``. A rate that is not exactly 0 or 1 is never rounded to 0 or 1 (``<0.01``, ``>0.99``). Two
different rates in one sentence get enough decimals to look different.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Sequence

DASH = "\N{EN DASH}"
"""Written in place of a number that is not estimable."""

MINUS = "\N{MINUS SIGN}"
NO_BREAK = "\N{NO-BREAK SPACE}"
_MAX_DECIMALS = 4
_ROUNDING_DECIMALS = 9
_ROUNDING_ERROR = 1e-9
"""Smaller differences are rounding errors of a computer."""
_PAIR = 2
"""Up to this many items of a list have no comma."""
_SMALLEST_P = 0.0005
"""Smaller values round to 0.000."""
_P_NEAR_ZERO = 0.0095
_ALPHA = 0.05
"""Significance level."""
_P_NEAR_ALPHA = (0.0445, 0.0555)
"""Two decimals would round these values to 0.01 or across the significance level of 0.05."""

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def rate(value: float | None, decimals: int = 2) -> str:
    """Format a share between 0 and 1.

    >>> rate(0.8361), rate(0.9996), rate(0.0004), rate(1.0), rate(0.0), rate(None)
    ('0.84', '>0.99', '<0.01', '1.00', '0.00', '–')
    """
    if value is None:
        return DASH
    text = f"{value:.{decimals}f}"
    if value < 1 and float(text) >= 1:
        return ">0." + "9" * decimals
    if value > 0 and float(text) <= 0:
        return "<0." + "0" * (decimals - 1) + "1"
    return text


def ratio(value: float | None) -> str:
    """Format a ratio with two significant digits.

    >>> ratio(2.08), ratio(0.4561), ratio(13.4), ratio(0.0123), ratio(1.0), ratio(None)
    ('2.1', '0.46', '13', '0.012', '1.0', '–')
    """
    if value is None:
        return DASH
    if value <= 0:
        return "0"
    decimals = max(1 - math.floor(math.log10(value)), 0)
    return f"{value:.{decimals}f}"


def distinct_rates(values: Sequence[float]) -> list[str]:
    """Format rates with the fewest decimals (two to four) that make different rates look different.

    >>> distinct_rates([0.8412, 0.8449]), distinct_rates([0.84, 0.76])
    (['0.841', '0.845'], ['0.84', '0.76'])
    """
    different = len(set(values))
    texts: list[str] = []
    for decimals in range(2, _MAX_DECIMALS + 1):
        texts = [rate(v, decimals) for v in values]
        if len(set(texts)) == different:
            break
    return texts


def signed(value: float | None) -> str:
    """Format a difference with its sign; more decimals where two would round it to 0 or 1.

    >>> signed(0.0312), signed(-0.2), signed(0.0), signed(-0.001), signed(0.9996), signed(None)
    ('+0.03', '−0.20', '0.00', '−0.001', '+0.9996', '–')
    """
    if value is None:
        return DASH
    size = abs(value)
    if size < _ROUNDING_ERROR:
        return "0.00"
    decimals = next((d for d in range(2, _ROUNDING_DECIMALS) if 0 < float(f"{size:.{d}f}") != 1), 2)
    return f"{MINUS if value < 0 else '+'}{size:.{2 if size == 1 else decimals}f}"


def interval(low: float | None, high: float | None) -> str:
    """Format an interval; empty when there is none.

    >>> interval(0.7051, 0.7449), interval(None, None)
    ('0.71–0.74', '')
    """
    return "" if low is None or high is None else f"{rate(low)}{DASH}{rate(high)}"


def share(value: float | None) -> str:
    """Format a share in percent; 0 % and 100 % are exact.

    >>> share(1.0), share(0.9999), share(0.123), share(0.00001), share(0.0), share(None)
    ('100 %', '>99.9 %', '12.3 %', '<0.1 %', '0 %', '–')
    """
    if value is None:
        return DASH
    if value in (0, 1):
        return f"{100 * value:.0f} %"
    text = f"{100 * value:.1f}"
    if text == "100.0":
        return ">99.9 %"
    return "<0.1 %" if text == "0.0" else f"{text} %"


def whole(count: int | None) -> str:
    """Format a count with thousands separators.

    >>> whole(3137), whole(None)
    ('3,137', '–')
    """
    return DASH if count is None else f"{count:,}"


def many(count: int, one: str, more: str = "") -> str:
    """Format a count with its noun.

    >>> many(1, "face"), many(1200, "face"), many(0, "image of a face", "images of faces")
    ('1 face', '1,200 faces', '0 images of faces')
    """
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def p_value(value: float | None) -> str:
    """Format a p-value or q-value for a table; a value below the significance level is not rounded to it.

    >>> p_value(0.0345), p_value(0.04971), p_value(0.049999), p_value(0.05), p_value(None)
    ('0.035', '0.0497', '<0.05', '0.050', '–')
    """
    text = rate(value, 3)
    if value is None or value >= _ALPHA or text != "0.050":
        return text
    text = rate(value, _MAX_DECIMALS)
    return "<0.05" if float(text) >= _ALPHA else text


def probability(name: str, value: float | None) -> str:
    """Format a p-value or q-value with its name; three decimals where two would mislead.

    >>> probability("q", 0.0345), probability("q", 0.0012), probability("q", 0.0001), probability("q", 1.0)
    ('q = 0.03', 'q = 0.001', 'q < 0.001', 'q = 1')
    """
    if value is None:
        return f"{name} {DASH}"
    if value >= 1:
        return f"{name} = 1"
    if value < _SMALLEST_P:
        return f"{name} < 0.001"
    low, high = _P_NEAR_ALPHA
    text = p_value(value) if value < _P_NEAR_ZERO or low <= value < high else rate(value)
    return f"{name} {text[0]} {text[1:]}" if text[0] in "<>" else f"{name} = {text}"


def day(iso: str) -> str:
    """Format a date in words; other text is returned unchanged.

    >>> day("2026-11-02"), day("some time ago")
    ('November 2, 2026', 'some time ago')
    """
    try:
        date = dt.date.fromisoformat(iso)
    except ValueError:
        return iso
    return f"{_MONTHS[date.month - 1]} {date.day}, {date.year}"


def listed(items: Sequence[str], last: str = "and") -> str:
    """Join items as in a sentence.

    >>> listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])
    ('a', 'a and b', 'a, b, and c')
    """
    if len(items) <= _PAIR:
        return f" {last} ".join(items)
    return f"{', '.join(items[:-1])}, {last} {items[-1]}"


def list_some(items: Sequence[str], most: int = 5) -> str:
    """Join the first items as in a sentence, and count the others.

    >>> list_some(["a", "b", "c"], 2), list_some(["a", "b"], 2)
    ('a, b, and 1 more', 'a and b')
    """
    return listed(items) if len(items) <= most else listed([*items[:most], f"{len(items) - most:,} more"])


def no_breaks(text: str) -> str:
    """Put no-break spaces inside ``q = 0.03``, ``n = 12`` and ``95 %``, so that no line ends there."""
    text = re.sub(r"\b([pqn]) ([=<>]) (?=\d)", rf"\1{NO_BREAK}\2{NO_BREAK}", text)
    return re.sub(r"(?<=\d) (?=%)", NO_BREAK, text)
