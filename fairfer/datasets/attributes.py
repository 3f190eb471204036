"""Attributes of people, such as gender or age, with their provenance; columns of a table as levels of an attribute."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import pandas as pd

from fairfer.datasets.missing_values import mask_missing
from fairfer.errors import DataError
from fairfer.vocabulary import UNANNOTATED

Source = Literal["self-reported", "annotated", "inferred", "unstated"]
SOURCES: tuple[Source, ...] = get_args(Source)

MAX_LEVELS = 100
"""Most levels of an attribute. A column with more, such as age in years, has to be cut into bands first."""


@dataclass(frozen=True)
class Attribute:
    """One attribute of the people in a dataset, with its provenance.

    Attributes
    ----------
    name
        Column of `Dataset.samples`.
    levels
        Values in display order, `UNANNOTATED` last where it occurs.
    source
        Self-reported, annotated by people, inferred by a model, or unstated (the table has no provenance file).
    by
        Who annotated, or which model inferred.
    note
        What a reader has to know before relying on the attribute.
    probabilities
        Inferred attributes only: for each level, the column with its probability.
    confusion
        Inferred attributes only: counts of a validation sample, by true level and level as inferred.
    not_missing
        Levels that look like a word for a missing value (see `fairfer.datasets.missing_values`) and are none.
    missing_words
        Words that were taken for a missing value, with their number of rows.
    """

    name: str
    levels: tuple[str, ...]
    source: Source = "unstated"
    by: str = ""
    note: str = ""
    probabilities: Mapping[str, str] = field(default_factory=dict)
    confusion: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    not_missing: tuple[str, ...] = ()
    missing_words: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Provenance:
    """One section of a provenance file; see `Attribute`."""

    source: Source = "unstated"
    by: str = ""
    note: str = ""
    levels: tuple[str, ...] = ()
    probabilities: Mapping[str, str] = field(default_factory=dict)
    confusion: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    not_missing: tuple[str, ...] = ()


def to_levels(values: pd.Series, where: str, not_missing: Sequence[str] = ()) -> tuple[pd.Series, tuple[str, ...]]:
    """Convert a column to levels: text, with `UNANNOTATED` for missing values and words for them, such as ``Unknown``.

    Parameters
    ----------
    values
        Any column. Whole numbers are written without ``.0``.
    where
        File and column, for the error message.
    not_missing
        Words that are levels although they look like a missing value.

    Returns
    -------
    values, levels
        The column as text, and its levels (numbers by size, text alphabetically) with `UNANNOTATED` last.

    Raises
    ------
    DataError
        If there are more than `MAX_LEVELS` levels.
    """
    values, _ = mask_missing(values, not_missing)
    if pd.api.types.is_float_dtype(values) and bool((values.dropna() % 1 == 0).all()):
        values = values.astype("Int64")
    text = values.astype("str").str.strip()
    text = text.mask(values.isna().to_numpy() | (text == "").to_numpy(), UNANNOTATED)
    names = set(text) - {UNANNOTATED}
    numeric = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    levels = sorted(names, key=float) if numeric else sorted(names)
    if len(levels) > MAX_LEVELS:
        advice = "cut it into bands (--bands COLUMN=20,40,60)" if numeric else "combine values into fewer groups"
        message = f"{where} has {len(levels):,} different values, more than {MAX_LEVELS}; {advice}"
        raise DataError(message)
    unannotated = [UNANNOTATED] if bool((text == UNANNOTATED).any()) else []
    return text.astype("str"), (*levels, *unannotated)


def cut_bands(values: pd.Series, edges: Sequence[float], where: str) -> tuple[pd.Series, tuple[str, ...]]:
    """Cut a numeric column into bands: ``under 20``, ``20 to 39``, ``60 and over``. Missing values become `UNANNOTATED`.

    Parameters
    ----------
    values
        Numbers.
    edges
        Lowest value of each band except the first, ascending.
    where
        File and column, for the error message.

    Returns
    -------
    values, levels
        The column as text, and the names of all bands, empty ones too, with `UNANNOTATED` last where it occurs.

    Raises
    ------
    DataError
        If the column is not numeric or the edges do not ascend.
    """
    if not pd.api.types.is_numeric_dtype(values):
        message = f"{where} is not numeric and cannot be cut into bands; group by its values without --bands"
        raise DataError(message)
    if not edges or list(edges) != sorted(set(edges)) or not all(np.isfinite(edges)):
        message = f"{where}: band edges must ascend, as in 20,40,60"
        raise DataError(message)
    names = _band_names(edges)
    code = np.searchsorted(np.asarray(edges, float), values.to_numpy(float, na_value=np.nan), side="right")
    text = pd.Series(np.array(names, dtype=object)[code], index=values.index)
    text = text.mask(values.isna().to_numpy(), UNANNOTATED)
    unannotated = (UNANNOTATED,) if bool(values.isna().any()) else ()
    return text.astype("str"), (*names, *unannotated)


def _band_names(edges: Sequence[float]) -> list[str]:
    whole = all(float(e).is_integer() for e in edges)

    def number(edge: float) -> str:
        return str(int(edge)) if float(edge).is_integer() else repr(float(edge))

    names = [f"under {number(edges[0])}"]
    for low, high in itertools.pairwise(edges):
        last = number(high - 1) if whole else f"under {number(high)}"
        names.append(number(low) if last == number(low) else f"{number(low)} to {last}")
    return [*names, f"{number(edges[-1])} and over"]
