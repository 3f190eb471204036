"""Columns that a plan asks for and that are derived from others: agreement of the raters, numbers cut into fifths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fairfer.datasets.attributes import Attribute, to_levels
from fairfer.errors import UsageError, did_you_mean
from fairfer.metrics.rater_agreement import AGREEMENT_LEVELS, agreement_levels, vote_entropy
from fairfer.vocabulary import TRUTH_PREFIX, UNANNOTATED

if TYPE_CHECKING:
    from fairfer.audits.plan import AuditPlan
    from fairfer.datasets.dataset import Dataset

VOTE_ENTROPY = "vote_entropy"
"""Name of the attribute made of the votes."""

_PARTS = 5
_MANY = 10
"""Columns with more different numbers than this are cut into fifths: strata of single years hold hardly any sample."""


def with_derived_columns(dataset: Dataset, plan: AuditPlan) -> Dataset:
    """The dataset with the derived columns that a plan uses.

    These are `VOTE_ENTROPY`, from the votes, and fifths of every column of many numbers to standardize over.

    Raises
    ------
    UsageError
        When a column to standardize over does not exist, or cannot be derived.
    """
    grouped = {name for grouping in plan.by for name in grouping}
    if VOTE_ENTROPY in grouped | set(plan.standardize):
        dataset = _with_vote_entropy(dataset)
    known = {a.name: a for a in dataset.attributes}
    for name in plan.standardize:
        if name not in known:
            dataset = _in_fifths(dataset, name, _column(dataset, name))
        elif name not in grouped and _many_numbers(known[name].levels):
            dataset = _in_fifths(dataset, name, dataset.samples[name].mask(dataset.samples[name] == UNANNOTATED))
    return dataset


def own_columns(dataset: Dataset) -> list[str]:
    """Columns of the samples without those of multi-label truth, whose names no table has."""
    return [c for c in map(str, dataset.samples.columns) if not c.startswith(TRUTH_PREFIX)]


def _column(dataset: Dataset, name: str) -> pd.Series:
    values = dataset.samples[name] if name in dataset.samples.columns else None
    if name == VOTE_ENTROPY and values is None:
        message = f"--standardize {name}: {dataset.name} has labels but no votes of raters; standardize over another column"
        raise UsageError(message)
    if name == "label":
        message = f"--standardize {name}: the label is always standardized over; name another column"
        raise UsageError(message)
    if values is None:
        hint = did_you_mean(name, own_columns(dataset))
        message = f"--standardize {name}: {dataset.name} has no such column; {hint}"
        raise UsageError(message)
    if bool(values.isna().all()):
        message = f"--standardize {name}: the column is empty in {dataset.name}; standardize over another"
        raise UsageError(message)
    return values


def _with_vote_entropy(dataset: Dataset) -> Dataset:
    """The dataset with an attribute `VOTE_ENTROPY`: how much the raters of each sample agreed."""
    if dataset.votes is None or any(a.name == VOTE_ENTROPY for a in dataset.attributes):
        return dataset
    level = _levels_of(dataset.votes)
    faces = dataset.unselected
    if faces is not None:
        faces = replace(faces, samples=faces.samples.assign(**{VOTE_ENTROPY: _levels_of(faces.votes)}))
    note = "Entropy of the votes: unanimous 0, clear up to 0.75, mixed up to 1.25 bits, split above."
    attribute = Attribute(VOTE_ENTROPY, AGREEMENT_LEVELS, "annotated", "the raters' votes", note)
    samples = dataset.samples.assign(**{VOTE_ENTROPY: level})
    return _same_data(dataset, samples, (*dataset.attributes, attribute)).replace(
        unselected=faces, identity={"digest": dataset.digest, "images_digest": dataset.images_digest}
    )


def _levels_of(votes: pd.DataFrame) -> pd.Series:
    level = np.array(AGREEMENT_LEVELS)[agreement_levels(vote_entropy(votes.to_numpy()))]
    return pd.Series(level, index=votes.index, dtype="str")


def _same_data(dataset: Dataset, samples: pd.DataFrame, attributes: tuple[Attribute, ...]) -> Dataset:
    """With other columns; it still is the same data, so its digests stay."""
    identity = {"digest": dataset.digest, "images_digest": dataset.images_digest}
    return dataset.replace(samples=samples, attributes=attributes, identity=identity)


def _in_fifths(dataset: Dataset, name: str, values: pd.Series) -> Dataset:
    """A numeric column as five groups of about the same size, as an attribute."""
    numbers = pd.to_numeric(values, errors="coerce")
    if bool((numbers.isna() & values.notna()).any()):
        groups, levels = to_levels(values, f"{dataset.name}, column {name!r}")
    else:
        edges = np.unique(np.nanquantile(numbers, np.linspace(0, 1, _PARTS + 1)[1:-1]))
        code = np.searchsorted(edges, numbers.to_numpy(float), side="left")
        names = [*(f"up to {edge:g}" for edge in edges), f"above {edges[-1]:g}"]
        text = pd.Series(np.array(names, dtype=object)[code], index=values.index).mask(numbers.isna().to_numpy(), UNANNOTATED)
        missing = (UNANNOTATED,) if bool(numbers.isna().any()) else ()
        groups, levels = text.astype("str"), (*names, *missing)
    origin = next((a for a in dataset.attributes if a.name == name), Attribute(name, ()))
    origin = dataset.refused[name][0] if name in dataset.refused else origin
    attribute = replace(origin, levels=levels, probabilities={}, confusion={})
    others = tuple(a for a in dataset.attributes if a.name != name)
    return _same_data(dataset, dataset.samples.assign(**{name: groups}), (*others, attribute))


def _many_numbers(levels: Sequence[str]) -> bool:
    """Whether the levels are numbers, and many."""
    numbers = pd.to_numeric(pd.Series([n for n in levels if n != UNANNOTATED], dtype=object), errors="coerce")
    return len(numbers) > _MANY and bool(numbers.notna().all())
