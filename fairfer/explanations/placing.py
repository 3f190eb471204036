"""Maps of any resolution and frame, placed over their images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairfer.explanations.attribution import Maps


HALF = 0.5 + 1e-9
"""A center within this share of a frame's side from its middle is inside, also where rounding puts it on the edge."""


def place(
    values: NDArray[np.floating], frame: NDArray[np.float64], shape: tuple[int, int], size: tuple[int, int]
) -> NDArray[np.float64]:
    """Read a map at the centers of a grid over its image, bilinearly.

    Parameters
    ----------
    values
        (rows, columns): the map.
    frame
        (4,): left, top, width and height of the map, in pixels of the image.
    shape
        Height and width of the image.
    size
        Rows and columns of the grid; those of the image for one value per pixel.

    Returns
    -------
    array
        (rows, columns) of the grid; NaN outside of the frame, which the map says nothing about.
    """
    from scipy.ndimage import map_coordinates

    left, top, width, height = frame
    down = ((np.arange(size[0]) + 0.5) * shape[0] / size[0] - top) / height
    across = ((np.arange(size[1]) + 0.5) * shape[1] / size[1] - left) / width
    rows, columns = np.meshgrid(down * values.shape[0] - 0.5, across * values.shape[1] - 0.5, indexing="ij")
    placed = map_coordinates(np.asarray(values, np.float64), [rows, columns], order=1, mode="nearest")
    outside = (np.abs(down - 0.5) > HALF)[:, None] | (np.abs(across - 0.5) > HALF)[None]
    return np.where(outside, np.nan, placed)


def on_grid(maps: Maps, images: Sequence[NDArray[np.uint8]], side: int) -> NDArray[np.float64]:
    """(n, side, side): maps on one grid over the whole of each image; see `place`."""
    each = zip(maps.values, maps.frames, images, strict=True)
    return np.stack([place(v, f, (i.shape[0], i.shape[1]), (side, side)) for v, f, i in each])
