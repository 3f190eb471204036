"""Maps of single faces as numbers: relevance by region of the face, and maps aligned to the average face."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fairfer.datasets.images import UnreadableImageError
from fairfer.errors import DataError, UsageError
from fairfer.explanations.alignment import align
from fairfer.explanations.explanation_results import GRID
from fairfer.explanations.face_shape import face_shape
from fairfer.explanations.own_units import own_units
from fairfer.explanations.regions import own_region, region_masks
from fairfer.explanations.relevance import measures

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from fairfer.datasets.dataset import Dataset
    from fairfer.datasets.images import Picture
    from fairfer.datasets.landmarks import Landmarks, Points, Scheme
    from fairfer.explanations.stored_maps import MapPart

_MOST, _LEAST_UNIT, _UPRIGHT = 0.5, 2.0, 0.5
"""Landmarks are used if half of the points are in the image, the eyes 2 pixels apart, and the face turned by up to 60°."""


@dataclass(frozen=True)
class Faces:
    """Where the faces are in their images.

    Attributes
    ----------
    source
        Name of the table of landmarks; empty without one.
    scheme
        Number of landmarks of a face.
    points
        Landmarks by sample id. A face without them has the regions of the template for tightly cropped faces.
    """

    source: str = ""
    scheme: Scheme | None = None
    points: Mapping[str, Points] = field(default_factory=dict)

    @classmethod
    def of(cls, landmarks: Landmarks | None, dataset: Dataset) -> Faces:
        """From landmarks of upright faces that lie in their images; others are left out.

        Raises
        ------
        UsageError
            When there are none: the coordinates are not pixels, or x and y are exchanged.
        """
        if landmarks is None:
            return cls()
        points = {}
        for name, of_face in landmarks.points.items():
            with contextlib.suppress(DataError, UnreadableImageError):
                shape = face_shape(of_face, landmarks.scheme)
                size = np.array(dataset.image(name).shape[1::-1])
                inside = ((of_face >= 0) & (of_face <= size)).all(axis=1).mean()
                if inside >= _MOST and shape.unit >= _LEAST_UNIT and shape.up[1] <= -_UPRIGHT:
                    points[name] = of_face
        if not points:
            message = (
                f"{landmarks.source}: no face has landmarks that lie upright in its image; give pixels of the image, x to the "
                "right and y down"
            )
            raise UsageError(message)
        return cls(landmarks.source, landmarks.scheme, points)

    def measure(self, part: MapPart, pairs: pd.DataFrame) -> pd.DataFrame:
        """The measures of `fairfer.explanations.relevance.measures` for each map, and whether its image is ``unreadable``.

        Parameters
        ----------
        part
            Maps.
        pairs
            Their rows, with the columns ``sample_id`` and ``label``.

        Returns
        -------
        DataFrame
            One row per map; not a number where the map is not defined.
        """
        shape = (part.maps.shape[1], part.maps.shape[2])
        usable = np.flatnonzero(np.isfinite(part.maps).all(axis=(1, 2)))
        if not len(usable):
            return pd.DataFrame({"unreadable": ~part.readable})
        masks, own = [], []
        for i in usable:
            where = (self.points.get(str(pairs["sample_id"].iloc[i])), self.scheme, tuple(part.frames[i]), shape)
            masks.append(region_masks(*where).masks)
            own.append(own_region(own_units(str(pairs["label"].iloc[i])), *where))
        table = measures(part.maps[usable], np.stack(masks), np.stack(own))
        return table.set_axis(usable).reindex(range(len(pairs))).assign(unreadable=~part.readable)

    def align(self, part: MapPart, pairs: pd.DataFrame, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """(positions, GRID, GRID): maps at some positions, aligned to the average face; not a number where not defined."""
        maps = np.full((len(positions), GRID, GRID), np.nan, np.float32)
        for k, i in enumerate(positions):
            if np.isfinite(part.maps[i]).all():
                of_face = self.points.get(str(pairs["sample_id"].iloc[i]))
                maps[k] = align(part.maps[i], of_face, self.scheme, tuple(part.frames[i]), size=GRID)
        return maps

    def align_image(self, sample_id: str, image: Picture) -> NDArray[np.float64]:
        """(GRID, GRID): gray levels of an image, aligned to the average face."""
        whole = (0.0, 0.0, float(image.shape[1]), float(image.shape[0]))
        return align(image.mean(axis=2), self.points.get(sample_id), self.scheme, whole, size=GRID, relevance=False)
