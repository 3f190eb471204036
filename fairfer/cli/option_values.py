"""Values of options that are written as ``NAME=VALUE``, from the text of the command line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from fairfer.errors import UsageError

Value = TypeVar("Value")


def once(option: str, pairs: Iterable[tuple[str, Value]]) -> dict[str, Value]:
    """Collect the values of a repeatable option by name."""
    values: dict[str, Value] = {}
    for name, value in pairs:
        if name in values:
            message = f"{option} has {name} more than once ({values[name]} and {value}); keep one"
            raise UsageError(message)
        values[name] = value
    return values


def model_option(text: str) -> tuple[str, str]:
    """``NAME=VALUE`` of a model."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        message = f"--option {text!r}: write NAME=VALUE"
        raise UsageError(message)
    return key, value


def band(text: str) -> tuple[str, list[float]]:
    """``COLUMN=20,40,60``: a column, and the lowest values of its bands but the first."""
    column, equals, edges = text.partition("=")
    try:
        values = [float(e) for e in edges.split(",")]
    except ValueError:
        values = []
    if not equals or not column or not values:
        message = f"--bands {text!r}: write COLUMN=20,40,60, the lowest value of each band but the first"
        raise UsageError(message)
    return column, values


def not_missing(texts: Iterable[str]) -> dict[str, list[str]]:
    """``COLUMN=VALUE``: the values of each column that are no missing values."""
    values: dict[str, list[str]] = {}
    for text in texts:
        column, equals, value = text.partition("=")
        if not equals or not column.strip():
            message = f"--not-missing {text!r}: write COLUMN=VALUE, as in country=NA"
            raise UsageError(message)
        values.setdefault(column.strip(), []).append(value)
    return values


def renamed_label(text: str) -> tuple[str, str]:
    """``LABEL=LABEL``: a label of predictions, and its other name."""
    label, equals, target = (part.strip() for part in text.partition("="))
    if not equals or not label or not target:
        message = f"--map {text!r}: write LABEL=LABEL, as in CALM=neutral"
        raise UsageError(message)
    return label, target


def validation_table(text: str) -> tuple[str, str]:
    """``COLUMN=TABLE``: a column, and the table of its validation sample."""
    column, equals, table = text.partition("=")
    if not equals or not column or not table:
        message = f"--validation {text!r}: write COLUMN=TABLE, as in gender=validation.csv"
        raise UsageError(message)
    return column, table


def condition(text: str) -> tuple[str, tuple[str, ...]]:
    """``LABEL=AU,…``: a label, and the action units that it is conditioned on."""
    label, equals, units = text.rpartition("=")
    if not equals or not label.strip() or not units.strip():
        message = f"--condition-on {text!r}: write LABEL=AU,…, as in happiness=AU6,AU12"
        raise UsageError(message)
    from fairfer.labels import canonical

    return canonical(label) or label.strip(), tuple(units.split(","))


def threshold(text: str) -> tuple[str, float]:
    """``LABEL=VALUE``: a label and its decision threshold."""
    label, equals, value = text.rpartition("=")
    try:
        number = float(value)
    except ValueError:
        number = None
    if not equals or not label.strip() or number is None:
        message = f"--threshold {text!r}: write LABEL=VALUE, as in happiness=0.4"
        raise UsageError(message)
    from fairfer.labels import canonical

    return canonical(label) or label.strip(), number
