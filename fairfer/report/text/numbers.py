"""Numbers as the report writes them.

A rate is ``.84``: two decimals, no nought before the point. One that is not exactly 0 or 1 never looks as if it were (``<.01``,
``>.99``), and two that differ are written with enough decimals to be told apart.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

DASH = "\N{EN DASH}"
"""What stands where a number would be, when it is not estimable."""

MINUS = "\N{MINUS SIGN}"
_MOST_DECIMALS = 4


def rate(value: float | None, decimals: int = 2) -> str:
    """A share between 0 and 1.

    >>> rate(0.8361), rate(0.9996), rate(0.0004), rate(1.0), rate(0.0), rate(None)
    ('.84', '>.99', '<.01', '1.00', '.00', '–')
    """
    if value is None:
        return DASH
    text = f"{value:.{decimals}f}"
    if value < 1 and float(text) >= 1:
        return ">." + "9" * decimals
    if value > 0 and float(text) <= 0:
        return "<." + "0" * (decimals - 1) + "1"
    return text.removeprefix("0")


def rates_apart(values: Sequence[float]) -> list[str]:
    """Rates with as many decimals (two to four) as tell the different ones apart.

    >>> rates_apart([0.8412, 0.8449]), rates_apart([0.84, 0.76])
    (['.841', '.845'], ['.84', '.76'])
    """
    different = len(set(values))
    texts: list[str] = []
    for decimals in range(2, _MOST_DECIMALS + 1):
        texts = [rate(v, decimals) for v in values]
        if len(set(texts)) == different:
            break
    return texts


def interval(low: float | None, high: float | None) -> str:
    """``.71–.74``; nothing when there is none.

    >>> interval(0.7051, 0.7449), interval(None, None)
    ('.71–.74', '')
    """
    return "" if low is None or high is None else f"{rate(low)}{DASH}{rate(high)}"


def share(value: float | None) -> str:
    """A share in per cent, as ``rate`` never 0 or 100 unless it is.

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
    """A count with thousands separators.

    >>> whole(3137), whole(None)
    ('3,137', '–')
    """
    return DASH if count is None else f"{count:,}"


def many(count: int, one: str, more: str = "") -> str:
    """A count with its noun.

    >>> many(1, "face"), many(1200, "face"), many(0, "picture of a face", "pictures of faces")
    ('1 face', '1,200 faces', '0 pictures of faces')
    """
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def probability(name: str, value: float | None) -> str:
    """``q .03``, or ``q <.001``; three decimals only where two would say too little.

    >>> probability("q", 0.0345), probability("q", 0.0012), probability("q", 0.0001), probability("q", 1.0)
    ('q .03', 'q .001', 'q <.001', 'q 1')
    """
    if value is None:
        return f"{name} {DASH}"
    if value >= 1:
        return f"{name} 1"
    if value < 0.0005:  # noqa: PLR2004 - rounds to .000
        return f"{name} <.001"
    # Two decimals must not carry a value across the line of .05, nor to 0.
    decimals = 3 if value < 0.0095 or 0.0445 <= value < 0.0555 else 2  # noqa: PLR2004
    return f"{name} {rate(value, decimals)}"


def day(iso: str) -> str:
    """A date in words; whatever is no date is left as it is.

    >>> day("2026-11-02"), day("some time ago")
    ('2 November 2026', 'some time ago')
    """
    try:
        date = dt.date.fromisoformat(iso)
    except ValueError:
        return iso
    months = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ]
    return f"{date.day} {months[date.month - 1]} {date.year}"


def listed(items: Sequence[str], last: str = "and") -> str:
    """Items in a row, as a sentence has them.

    >>> listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    """
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {last} {items[-1]}" if items else ""
