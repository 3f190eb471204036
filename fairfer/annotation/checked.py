"""Faces whose true attributes were checked: how often each level is inferred as each other."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fairfer.datasets.demographics import annotate as join_table
from fairfer.datasets.demographics import apply_bands
from fairfer.datasets.tables import list_some
from fairfer.errors import DataError, UsageError
from fairfer.stats.intervals import wilson
from fairfer.vocabulary import TRUTH_PREFIX, UNANNOTATED

if TYPE_CHECKING:
    import pandas as pd

    from fairfer.datasets.dataset import Dataset


@dataclass(frozen=True)
class Agreement:
    """How many of some checked faces were inferred as they were checked.

    Attributes
    ----------
    hits, faces
        Numbers of faces.
    low, high
        95 % Wilson interval of their ratio.
    """

    hits: int
    faces: int
    low: float
    high: float

    @classmethod
    def of(cls, hits: int, faces: int) -> Agreement:
        """With the interval."""
        low, high = wilson(hits, faces)
        return cls(hits, faces, float(low), float(high))


@dataclass(frozen=True)
class Check:
    """One attribute, compared with its checked values.

    Attributes
    ----------
    attribute
        Its name.
    levels
        Levels that occur, as checked or as inferred, in display order.
    confusion
        Numbers of faces by true level and level as inferred.
    """

    attribute: str
    levels: tuple[str, ...]
    confusion: Mapping[str, Mapping[str, int]]

    @property
    def total(self) -> Agreement:
        """Of all faces."""
        hits = sum(row.get(level, 0) for level, row in self.confusion.items())
        return Agreement.of(hits, sum(sum(row.values()) for row in self.confusion.values()))

    def of_level(self, level: str) -> Agreement:
        """Of the faces that truly are of a level."""
        row = self.confusion[level]
        return Agreement.of(row.get(level, 0), sum(row.values()))


def compare_checked(
    dataset: Dataset,
    path: str | os.PathLike[str],
    inferred: Mapping[str, pd.Series],
    levels: Mapping[str, Sequence[str]],
    bands: Mapping[str, Sequence[float]],
) -> tuple[Check, ...]:
    """Compare inferred attributes with a table of checked ones.

    Parameters
    ----------
    dataset
        The faces.
    path
        A table with a column of image names, and one of true values for each attribute that was checked.
    inferred
        Levels by attribute, text or missing, indexed by sample id.
    levels
        All levels of each attribute; an attribute in years has none.
    bands
        Lowest value of each band except the first, of attributes in bands: their checked values may be numbers.

    Raises
    ------
    DataError
        When the table has none of the attributes or images, a value is no level, or a level was inferred
        but never checked.
    UsageError
        When ages in years were checked and no bands are known.
    """
    file = Path(path).expanduser()
    truth = [c for c in dataset.samples.columns if c == "label" or str(c).startswith(TRUTH_PREFIX)]
    # Only names matter here: the dataset's own attributes may be called like the checked ones.
    faces = dataset.replace(samples=dataset.samples[truth], attributes=(), refused={}, votes=None, unselected=None)
    table = join_table(faces, file)
    names = {*(a.name for a in table.attributes), *table.refused}
    present = [name for name in inferred if name in names]
    if not present:
        message = f"{file} has none of the columns {list_some(inferred)}; name the columns of true values so"
        raise DataError(message)
    checks = []
    for name in present:
        if not levels[name]:
            message = f"{file} has the column {name!r}, which is inferred in years; give --bands {name}=20,40,60 to check bands"
            raise UsageError(message)
        true = _true_levels(table, name, levels[name], bands.get(name), file)
        checks.append(_check(name, true, inferred[name], levels[name], file))
    return tuple(checks)


def _true_levels(table: Dataset, name: str, levels: Sequence[str], edges: Sequence[float] | None, file: Path) -> pd.Series:
    """Checked levels, spelled as the model spells them; missing where a face was not checked."""
    values = table.samples[name]
    text = values.astype("str").str.strip()
    if edges is not None and not set(text) <= {*levels, UNANNOTATED}:
        text = apply_bands(table, {name: edges}).samples[name].astype("str")
    spelling = {level.casefold(): level for level in levels}
    unknown = sorted(set(text[~text.str.casefold().isin(spelling) & values.notna() & (text != UNANNOTATED)]))
    if unknown:
        message = (
            f"{file}: {name} has {list_some(unknown)}, which cannot be inferred; the levels are {list_some(levels, 12)}: "
            "write the values so"
        )
        raise DataError(message)
    return text.str.casefold().map(spelling)


def _check(name: str, true: pd.Series, inferred: pd.Series, levels: Sequence[str], file: Path) -> Check:
    both = true.notna() & inferred.notna()
    if not both.any():
        message = f"{file}: no face has both a checked and an inferred {name}; check faces of which {name} could be inferred"
        raise DataError(message)
    present = {*inferred.dropna(), *true[both]}
    occurring = tuple(level for level in levels if level in present)
    pairs = Counter(zip(true[both], inferred[both], strict=True))
    unchecked = [level for level in occurring if level not in set(true[both])]
    if unchecked:
        message = (
            f"{file}: no checked face truly is {list_some(unchecked)}, but some faces are inferred so, and their errors cannot "
            f"be estimated; check some such faces, or remove the column {name}"
        )
        raise DataError(message)
    return Check(name, occurring, {t: {i: pairs[t, i] for i in occurring} for t in occurring})
