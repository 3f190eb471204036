"""The results of explaining a run: rows, to and from ``explanations.json``."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from fairfer.explanations.results import RegionComparison, RegionRelevance
from fairfer.schema import Stored, Strict
from fairfer.vocabulary import Group, Grouping

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCHEMA_VERSION: Literal[1] = 1
EXPLANATIONS = "explanations.json"
"""File of a run folder."""

GRID = 48
"""Height and width of stored mean maps, in pixels; they are aligned to the average face."""


class PackedMap(Strict):
    """A map of `GRID` x `GRID` pixels as text: little-endian 16-bit floats relative to `scale`, in base64."""

    scale: float
    values: str

    @classmethod
    def of(cls, values: NDArray[np.floating]) -> PackedMap:
        """Pack (GRID, GRID) numbers."""
        scale = float(np.abs(values).max(initial=0))
        relative = (values / scale if scale else values).astype("<f2")
        return cls(scale=scale, values=base64.b64encode(relative.tobytes()).decode())

    def unpack(self) -> NDArray[np.float64]:
        """(GRID, GRID) numbers."""
        relative = np.frombuffer(base64.b64decode(self.values), "<f2").reshape(GRID, GRID)
        return relative.astype(np.float64) * self.scale


class MeanMap(Strict):
    """Mean relevance over the faces of a group that have a label and were seen with it (true positives).

    Each face's map is divided by the sum of its magnitudes first, and aligned to the average face. ``status`` is ``small`` and
    there is no map where there are fewer faces than the minimum.
    """

    label: str
    attribute: Grouping
    group: Group
    faces: int
    subjects: int | None
    status: Literal["ok", "small"]
    map: PackedMap | None


class Example(Strict):
    """One face with its map, both aligned to the average face; only where faces were asked for.

    ``picture`` has the gray levels of `GRID` x `GRID` pixels, in base64.
    """

    label: str
    attribute: Grouping
    group: Group
    picture: str
    map: PackedMap

    @classmethod
    def of(
        cls, label: str, attribute: Grouping, group: Group, picture: NDArray[np.floating], values: NDArray[np.floating]
    ) -> Example:
        """Pack a picture, gray levels 0 to 255, and a map, both (GRID, GRID)."""
        levels = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
        packed = base64.b64encode(levels.tobytes()).decode()
        return cls(label=label, attribute=attribute, group=group, picture=packed, map=PackedMap.of(values))

    def levels(self) -> NDArray[np.uint8]:
        """(GRID, GRID) gray levels."""
        return np.frombuffer(base64.b64decode(self.picture), np.uint8).reshape(GRID, GRID)


class MapDifference(Strict):
    """Difference of the mean maps of a group and of all other faces, and the pixels at which it is significant.

    ``p`` is the smallest adjusted p-value of any pixel: pixels are compared by permutations of the maximum (max-T), and
    p-values multiplied by the number of comparisons of this attribute. ``significant`` is the share of pixels below 0.05;
    ``map`` is 0 at all other pixels.
    """

    label: str
    attribute: Grouping
    group: Group
    faces: int
    others: int
    comparisons: int
    p: float | None
    significant: float | None
    status: Literal["ok", "small", "few_subjects"]
    map: PackedMap | None


class MeanValue(Strict):
    """A mean over faces with its 95 % confidence interval; ``None`` where there are too few faces."""

    value: float | None
    low: float | None
    high: float | None
    faces: int


class Checks(Strict):
    """Whether the maps can be believed; each check on a sample of recognized faces.

    Attributes
    ----------
    faces
        Number of faces.
    randomization
        Rank correlation of the maps with those of the same network with random weights (Adebayo et al. 2018): near 0 where the
        maps depend on what the network has learned. ``None`` without access to the weights.
    deletion_gain, insertion_gain
        How much faster the score falls while the most relevant pixels are covered first than in a random order, and how much
        faster it rises while they are uncovered first: differences of areas under curves (Petsiuk et al. 2018). Positive: the
        pixels matter.
    """

    faces: int
    randomization: MeanValue | None
    deletion_gain: MeanValue
    insertion_gain: MeanValue


class Agreement(Strict):
    """Mean rank correlation of two methods' positive relevance, face by face."""

    method: str
    other: str
    correlation: MeanValue


class MethodResult(Strict):
    """Everything that one method says.

    Attributes
    ----------
    trusted, warning
        Whether a finding may rest on this method, and what limits its maps.
    conserved
        Mean sum of a map's relevance as a share of the explained output; ``None`` where the method promises no such sum.
    """

    name: str
    options: dict[str, str]
    trusted: bool
    warning: str
    explained: int
    unreadable: int
    conserved: float | None
    regions: list[RegionRelevance]
    comparisons: list[RegionComparison]
    mean_maps: list[MeanMap]
    map_differences: list[MapDifference]
    examples: list[Example] = Field(default_factory=list)
    checks: Checks | None


class Explanations(Stored):
    """Where a model looked, by method, region, group and outcome."""

    remedy: ClassVar[str] = "run fairfer explain again"

    schema_version: Literal[1] = SCHEMA_VERSION
    predictions_digest: str
    data_digest: str
    plan_digest: str
    model: str
    model_version: str
    pairs: int
    faces: int
    unanswered: int
    landmarks: str
    on_landmarks: int
    minimum: int
    permutations: int
    seed: int
    methods: list[MethodResult]
    agreement: list[Agreement]
