"""Align the maps of many faces to the average face, so that they can be averaged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import map_coordinates

from fairfer.explanations.regions import shape_in

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fairfer.datasets.landmarks import Scheme
    from fairfer.explanations.geometry import Floats

GRID = 96
"""Rows and columns of the grid. It shows the picture of the template (see `fairfer.explanations.face_shape.TEMPLATE`)."""


def align(
    picture: ArrayLike,
    points: Floats | None,
    scheme: Scheme | None,
    frame: Sequence[float],
    *,
    size: int = GRID,
    relevance: bool = True,
) -> Floats:
    """Move a map, or a picture, to the grid of the template.

    Parameters
    ----------
    picture
        (height, width): an attribution map, or the gray levels of a picture.
    points
        (points, 2): landmarks of the face, in pixels of the image. None for a face without landmarks: its frame is the picture
        of the template then, and the map is only resized.
    scheme
        Number of points: 68, 468 or 478. Ignored without points.
    frame
        Left, top, width and height, in pixels of the image, of the area that the map shows.
    size
        Rows and columns of the grid.
    relevance
        Whether values are amounts of relevance per pixel, whose sum is kept, apart from what leaves the grid; gray levels are
        not.

    Returns
    -------
    ndarray
        (size, size); 0 where the map shows nothing.

    Raises
    ------
    DataError
        When the landmarks are not those of a face, or the frame has no area.

    Notes
    -----
    The face is moved, turned and scaled by the similarity transform that takes its nose, eyes and mouth nearest to those of the
    template in least squares (Umeyama 1991, IEEE TPAMI 13). Its proportions and its expression stay as they are. Values are
    interpolated linearly; where several pixels fall into one cell of the grid, they are averaged.
    """
    values = np.asarray(picture, float)
    left, top, width, height = map(float, frame)
    shape = shape_in(points, scheme, frame)
    cells = np.array([values.shape[1] / width, values.shape[0] / height])
    stretch = (width * height if shape.pose is None else shape.pose.scale**2) * float(cells.prod())
    pixels_per_cell = stretch / size**2
    parts = max(1, int(np.ceil(np.sqrt(pixels_per_cell) - 1e-9)))
    position = (np.arange(size * parts) + 0.5) / (size * parts)
    grid = np.stack(np.meshgrid(position, position), axis=-1)
    in_image = grid * (width, height) + (left, top) if shape.pose is None else shape.pose(grid)
    x, y = np.moveaxis((in_image - (left, top)) * cells, -1, 0)
    moved = map_coordinates(values, [y - 0.5, x - 0.5], order=1, mode="nearest")
    inside = (x >= 0) & (y >= 0) & (x <= values.shape[1]) & (y <= values.shape[0])
    fine = np.where(inside, moved, 0).reshape(size, parts, size, parts)
    aligned: Floats = fine.mean(axis=(1, 3)) * (pixels_per_cell if relevance else 1)
    return aligned
