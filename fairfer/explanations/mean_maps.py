"""Mean relevance of groups on the average face, and the pixels at which a group differs from all other faces.

Only faces that have a label and were recognized count: maps of correct and wrong predictions differ, and groups differ in their
error rates. Each face's map is divided by the sum of its magnitudes first: otherwise faces with a high output would decide
the mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from fairfer.explanations.explanation_results import GRID, MapDifference, MeanMap, PackedMap
from fairfer.stats.mean_differences import mean_differences

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from fairfer.vocabulary import Group, Grouping

MOST_FACES = 5_000
"""Faces per label whose maps are averaged and compared; of more, a random choice is taken, so that memory is bounded."""

ALPHA = 0.05
"""Family-wise level of the significant pixels of one attribute."""

_TWO = 2


@dataclass(frozen=True)
class MapSettings:
    """Settings of mean maps.

    Attributes
    ----------
    groups
        Annotated groups of each grouping, in display order; everyone included.
    columns
        Column of each attribute among the pairs.
    minimum, minimum_subjects
        Fewest faces and, with subjects, fewest subjects of a group that is shown or compared.
    permutations, seed
        Of the comparison of pixels, and of the choice of faces.
    by_subject
        Whether several faces show one subject.
    """

    groups: Mapping[Grouping, Sequence[Group]]
    columns: Mapping[str, str]
    minimum: int
    minimum_subjects: int
    permutations: int
    seed: int
    by_subject: bool


class AlignedMaps:
    """Maps of recognized faces, aligned to the average face, by label.

    Parameters
    ----------
    pairs
        All explained pairs of a face and a label; those with the outcome TP are used.
    settings
        Groups and minimums.
    """

    def __init__(self, pairs: pd.DataFrame, settings: MapSettings) -> None:
        self._settings = settings
        generator = np.random.default_rng(settings.seed)
        self._used: dict[int, int] = {}
        rows = pairs.reset_index(drop=True)
        for _, of_label in rows[rows["outcome"] == "TP"].groupby("label", sort=True):
            chosen = of_label.index.to_numpy()
            if len(chosen) > MOST_FACES:
                chosen = np.sort(generator.choice(chosen, MOST_FACES, replace=False))
            self._used |= {int(i): len(self._used) + k for k, i in enumerate(chosen)}
        self._pairs = rows.loc[list(self._used)].reset_index(drop=True)
        self._maps = np.full((len(self._used), GRID, GRID), np.nan, np.float16)

    def wanted(self, first: int, number: int) -> NDArray[np.int64]:
        """Positions, among `number` pairs from the pair `first` on, of those whose maps are used."""
        return np.array([i for i in range(number) if first + i in self._used], np.int64)

    def add(self, first: int, positions: NDArray[np.int64], maps: NDArray[np.float32]) -> None:
        """Add (positions, GRID, GRID) maps aligned to the average face; maps of NaN are left out later."""
        magnitude = np.abs(maps).sum(axis=(1, 2), keepdims=True)
        shares = np.divide(maps, magnitude, out=np.zeros_like(maps), where=magnitude > 0)
        shares[np.isnan(maps).any(axis=(1, 2))] = np.nan
        # Shares of single pixels are small numbers, for which 16 bits have few digits: a power of two is exact.
        self._maps[[self._used[first + int(i)] for i in positions]] = shares * GRID

    def _of_label(self, label: str) -> pd.DataFrame:
        """Rows of a label whose maps are defined; the index numbers the maps."""
        return self._pairs[(self._pairs["label"] == label).to_numpy(bool) & ~np.isnan(self._maps[:, 0, 0])]

    def _maps_of(self, pairs: pd.DataFrame) -> NDArray[np.float32]:
        return np.asarray(self._maps[pairs.index.to_numpy()], np.float32) / np.float32(GRID)

    def mean_maps(self, labels: Sequence[str]) -> list[MeanMap]:
        """The mean map of each label and group; no map of fewer faces than the minimum."""
        rows = []
        for label in labels:
            pairs = self._of_label(label)
            for grouping, groups in self._settings.groups.items():
                for group in groups:
                    members = self._members(pairs, grouping, group)
                    enough = int(members.sum()) >= self._settings.minimum
                    mean = self._maps_of(pairs[members]).mean(axis=0, dtype=np.float64) if enough else None
                    rows.append(
                        MeanMap(
                            label=label,
                            attribute=grouping,
                            group=group,
                            faces=int(members.sum()),
                            subjects=pairs["subject"][members].nunique() if self._settings.by_subject else None,
                            status="ok" if enough else "small",
                            map=None if mean is None else PackedMap.of(mean),
                        )
                    )
        return rows

    def differences(self, labels: Sequence[str]) -> list[MapDifference]:
        """Each group vs. all other annotated faces, for each attribute, whose comparisons are one family."""
        rows: list[MapDifference] = []
        for grouping, groups in self._settings.groups.items():
            if len(grouping) != 1 or len(groups) < _TWO:
                continue
            compared = groups[:1] if len(groups) == _TWO else groups  # of two groups, one comparison says everything
            cases = [(label, group) for label in labels for group in compared]
            statuses = {case: self._status(*case, grouping) for case in cases}
            number = sum(status == "ok" for status in statuses.values())
            rows += [self._difference(label, group, grouping, statuses[label, group], number) for label, group in cases]
        return rows

    def _annotated(self, label: str, grouping: Grouping) -> pd.DataFrame:
        """Rows of a label in one of the groups."""
        pairs = self._of_label(label)
        known = [self._members(pairs, grouping, group) for group in self._settings.groups[grouping]]
        return pairs[np.any(known, axis=0)]

    def _members(self, pairs: pd.DataFrame, grouping: Grouping, group: Group) -> NDArray[np.bool_]:
        members = np.ones(len(pairs), bool)
        for name, level in zip(grouping, group, strict=True):
            members &= (pairs[self._settings.columns[name]] == level).to_numpy(bool)
        return members

    def _status(self, label: str, group: Group, grouping: Grouping) -> Literal["ok", "small", "few_subjects"]:
        pairs = self._annotated(label, grouping)
        members = self._members(pairs, grouping, group)
        if min(members.sum(), (~members).sum()) < self._settings.minimum:
            return "small"
        sides = (pairs["subject"][members].nunique(), pairs["subject"][~members].nunique())
        return "few_subjects" if self._settings.by_subject and min(sides) < self._settings.minimum_subjects else "ok"

    def _difference(
        self, label: str, group: Group, grouping: Grouping, status: Literal["ok", "small", "few_subjects"], number: int
    ) -> MapDifference:
        pairs = self._annotated(label, grouping)
        members = self._members(pairs, grouping, group)
        p, significant, packed = None, None, None
        if status == "ok":
            tested = mean_differences(
                self._maps_of(pairs).reshape(len(pairs), -1),
                (~members).astype(np.int64),
                generator=np.random.default_rng(list(f"{self._settings.seed}/{label}/{grouping[0]}/{group[0]}".encode())),
                subject=pairs["subject"].to_numpy() if self._settings.by_subject else None,
                permutations=self._settings.permutations,
            )
            adjusted = np.minimum(np.nan_to_num(tested.p[0], nan=1.0) * number, 1.0)
            mask = adjusted < ALPHA
            p, significant = float(adjusted.min()), float(mask.mean())
            packed = PackedMap.of(np.where(mask, tested.difference[0], 0.0).reshape(GRID, GRID))
        return MapDifference(
            label=label,
            attribute=grouping,
            group=group,
            faces=int(members.sum()),
            others=int((~members).sum()),
            comparisons=number,
            p=p,
            significant=significant,
            status=status,
            map=packed,
        )
