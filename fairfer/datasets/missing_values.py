"""Words that tables write for a missing value of an attribute, such as ``Unknown``: missing, not a group of people."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from fairfer.datasets.tables import as_numbers
from fairfer.errors import UsageError
from fairfer.labels import fold

MISSING_WORDS = frozenset(
    {
        "na",
        "n/a",
        "n.a.",
        "n.a",
        "n/d",
        "n.d.",
        "n.k.",
        "n/k",
        "<na>",
        "#n/a",
        "#na",
        "nan",
        "nat",
        "null",
        "none",
        "nil",
        "missing",
        "missing data",
        "missing value",
        "no data",
        "no value",
        "no answer",
        "no response",
        "blank",
        "empty",
        "unknown",
        "unk",
        "unkn",
        "unsure",
        "not sure",
        "uncertain",
        "undetermined",
        "undefined",
        "unspecified",
        "unstated",
        "undisclosed",
        "unreported",
        "unavailable",
        "unlabeled",
        "unlabelled",
        "unannotated",
        "not annotated",
        "not answered",
        "not applicable",
        "not available",
        "not declared",
        "not disclosed",
        "not given",
        "not known",
        "not labeled",
        "not provided",
        "not recorded",
        "not reported",
        "not said",
        "not specified",
        "not stated",
        "don't know",
        "dont know",
        "do not know",
        "did not answer",
        "prefer not to say",
        "prefer not to answer",
        "prefer not to disclose",
        "prefer not to state",
        "prefer not to respond",
        "prefer not to specify",
        "prefers not to say",
        "preferred not to say",
        "i prefer not to say",
        "i'd rather not say",
        "rather not say",
        "would rather not say",
        "choose not to say",
        "choose not to answer",
        "decline to answer",
        "decline to say",
        "decline to state",
        "declined to answer",
        "declined to say",
        "declined to state",
        "declined",
        "refused",
        "refused to answer",
        "withheld",
    }
)
"""In lower case, with single spaces for spaces, ``_`` and ``-``. ``Other`` is a level like any."""

_MARKS = re.compile(r"[?.*\-\u2010-\u2015\u2212_/\s]*")
_BRACKETS = {"(": ")", "[": "]", "<": ">"}


def is_missing_word(text: str) -> bool:
    """Whether a text stands for a missing value, in any case and spacing: a word of `MISSING_WORDS`, ``?``, ``-`` or empty.

    >>> is_missing_word("Unknown"), is_missing_word("prefer_not_to_say"), is_missing_word("other")
    (True, True, False)
    """
    if _MARKS.fullmatch(text):
        return True
    words = " ".join(fold(text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")).split())
    if _BRACKETS.get(words[:1]) == words[-1:] and words not in MISSING_WORDS:
        words = words[1:-1].strip()
    return words in MISSING_WORDS


def mask_missing(values: pd.Series, not_missing: Sequence[str] = ()) -> tuple[pd.Series, dict[str, int]]:
    """Mask the words for a missing value.

    Parameters
    ----------
    values
        Any column.
    not_missing
        Texts that are values although they look like such a word: Namibia's code ``NA`` in a column of countries.

    Returns
    -------
    values, words
        The column with these words missing (as numbers, when all others are), and for each word as it is spelled its number of
        rows. Values that were missing before are not among them.
    """
    if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_datetime64_any_dtype(values):
        return values, {}
    text = values.astype("str").str.strip().mask(values.isna().to_numpy())
    numbers = text.dropna().value_counts()
    real = {n.strip() for n in not_missing}
    words = {str(w): int(numbers[w]) for w in sorted(numbers.index) if w and w not in real and is_missing_word(str(w))}
    masked = values.mask(text.isin([*words, ""]).to_numpy())
    if words:
        masked = masked.infer_objects()
        masked = as_numbers(masked) if pd.api.types.is_string_dtype(masked.dropna()) else masked
    return masked, words


def check_not_missing(not_missing: object) -> dict[str, tuple[str, ...]]:
    """Values by column that are declared to be none of these words.

    Raises
    ------
    UsageError
        When it is not a mapping of columns to lists of texts.
    """
    valid = isinstance(not_missing, Mapping) and all(
        not isinstance(values, str) and isinstance(values, Iterable) for values in not_missing.values()
    )
    if not isinstance(not_missing, Mapping) or not valid:
        message = f"not_missing is {not_missing!r}; give a list of values for each column, as in {{'country': ['NA']}}"
        raise UsageError(message)
    return {str(column): tuple(str(v).strip() for v in values) for column, values in not_missing.items()}
