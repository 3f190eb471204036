"""The independent units of a test: samples, or subjects with all of their samples; and random permutations of their groups."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fairfer.stats.permutation import chunks

if TYPE_CHECKING:
    from fairfer.stats.intervals import Floats

Indices = NDArray[np.intp]
Labels = NDArray[np.int16]


@dataclass(frozen=True)
class Units:
    """The independent units of a test, and the samples of each.

    Attributes
    ----------
    of
        (samples,) unit of each sample.
    group
        (units,) group.
    block
        (units,) number of the set of units among which groups are permuted.
    stratum
        (samples,) number of the stratum whose mean is subtracted.
    """

    of: Indices
    group: Indices
    block: Indices
    stratum: Indices

    def __len__(self) -> int:
        return len(self.group)


def units_of(group: Indices, stratum: Indices, subject: Indices | None) -> Units:
    """The units of samples.

    Parameters
    ----------
    group, stratum, subject
        (samples,) numbers from 0; without subjects, each sample is a unit.
    """
    if subject is None:
        return Units(np.arange(len(group)), group, stratum, stratum)
    # A subject with samples in several groups is compared with itself: it is a stratum, and its samples are units.
    lowest, highest = np.full(subject.max() + 1, group.max()), np.zeros(subject.max() + 1, np.intp)
    np.minimum.at(lowest, subject, group)
    np.maximum.at(highest, subject, group)
    shared = (lowest < highest)[subject]
    own = len(group) + np.arange(len(group))
    _, first, of = np.unique(np.where(shared, own, subject), return_index=True, return_inverse=True)
    stratum_of = np.where(shared, stratum.max() + 1 + subject, stratum)
    in_one = bool((stratum_of == stratum_of[first][of]).all())
    block = stratum_of if in_one else np.where(shared, stratum_of, 0)
    return Units(of, group[first], block[first], stratum_of)


def permuted_groups(units: Units, permutations: int, entropy: int) -> Iterator[tuple[slice, Labels]]:
    """(permutations, units) groups after permutation within blocks: the same for every block of measures."""
    by_block = units.group[np.argsort(units.block, kind="stable")].astype(np.int16)
    for part in chunks(permutations, len(units)):
        random = np.random.default_rng([entropy, part.start]).random((part.stop - part.start, len(units)))
        order = np.argsort(random + units.block, axis=1)
        labels = np.empty(order.shape, np.int16)
        np.put_along_axis(labels, order, np.broadcast_to(by_block, order.shape), axis=1)
        yield part, labels


def means_of(values: Floats, stratum: Indices) -> Floats:
    """(samples, measures) mean of each sample's stratum."""
    number = np.unique(stratum, return_inverse=True)[1]
    means: Floats = (totals(values, number) / np.bincount(number)[:, None])[number]
    return means


def totals(values: Floats, index: Indices) -> Floats:
    """(numbers, measures) sums of the rows with each index; every index from 0 occurs."""
    order = np.argsort(index, kind="stable")
    first = np.flatnonzero(np.diff(index[order], prepend=-1))
    totals: Floats = np.add.reduceat(values[order], first, axis=0)
    return totals
