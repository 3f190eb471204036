"""Plane geometry of maps and faces: similarity transforms, and which pixels a polygon covers. Coordinates: x right, y down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Iterable

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_LEAST_SPREAD = 1e-9
"""Sum of squared distances, in squared pixels, below which points count as one point."""


@dataclass(frozen=True)
class Similarity:
    """A similarity transform of the plane: scaling, rotation and shift, without reflection.

    Attributes
    ----------
    factor
        Complex number: its absolute value is the scale, its angle the rotation (from x toward y).
    shift
        (2,) position of the origin after the transform.
    """

    factor: complex
    shift: Floats

    @property
    def scale(self) -> float:
        """How many times as long a length becomes."""
        return abs(self.factor)

    def __call__(self, points: Floats) -> Floats:
        """(…, 2) points after the transform."""
        turned = (points[..., 0] + 1j * points[..., 1]) * self.factor
        return np.stack([turned.real, turned.imag], axis=-1) + self.shift

    def direction(self, vector: tuple[float, float]) -> Floats:
        """(2,) a direction after the rotation, with its length unchanged."""
        turned = complex(*vector) * self.factor / abs(self.factor)
        return np.array([turned.real, turned.imag])

    def inverse(self) -> Similarity:
        """The transform that reverses this one."""
        factor = 1 / self.factor
        back = complex(*self.shift) * factor
        return Similarity(factor, np.array([-back.real, -back.imag]))


def fit_similarity(source: Floats, target: Floats) -> Similarity | None:
    """The similarity transform that takes points nearest to others, in least squares.

    Parameters
    ----------
    source, target
        (points, 2) coordinates of the same points.

    Returns
    -------
    Similarity or None
        None when the points of either side coincide: then no transform is defined.

    Notes
    -----
    The least-squares solution of Umeyama (1991, IEEE TPAMI 13) restricted to rotations. In the plane it has a closed form: with
    centered points as complex numbers, the factor is Σ conj(source) target / Σ |source|².
    """
    centers = source.mean(axis=0), target.mean(axis=0)
    one, other = ((p - c) @ np.array([1, 1j]) for p, c in zip((source, target), centers, strict=True))
    spread = float((np.abs(one) ** 2).sum())
    factor = complex((one.conj() * other).sum() / spread) if spread > _LEAST_SPREAD else 0j
    if abs(factor) ** 2 * spread <= _LEAST_SPREAD:
        return None
    return Similarity(factor, centers[1] - Similarity(factor, np.zeros(2))(centers[0]))


def covered(polygons: Iterable[Floats], shape: tuple[int, int]) -> Mask:
    """Which cells of a grid have their center in at least one polygon.

    Parameters
    ----------
    polygons
        Each (corners, 2): x and y in cells; the cell in row i and column j is the square from (j, i) to (j + 1, i + 1).
    shape
        Rows and columns of the grid.

    Returns
    -------
    ndarray
        (rows, columns).

    Notes
    -----
    A point is inside if the polygon winds around it (nonzero winding number), so that a polygon that overlaps itself, as that
    of a turned face may, has no holes. Each edge adds ±1 to all cells to the right of where it crosses a row's center line.
    """
    inside = np.zeros(shape, bool)
    for polygon in polygons:
        left, top = np.clip(np.floor(polygon.min(axis=0)), 0, shape[::-1]).astype(int)
        right, bottom = np.clip(np.ceil(polygon.max(axis=0)), 0, shape[::-1]).astype(int)
        rows = np.arange(top, bottom) + 0.5
        (x0, y0), (x1, y1) = polygon.T[:, :, None], np.roll(polygon, -1, axis=0).T[:, :, None]
        edge, row = np.nonzero((np.minimum(y0, y1) <= rows) & (rows < np.maximum(y0, y1)))
        start, height = (a[edge, 0] for a in (y0, y1 - y0))
        crossing = x0[edge, 0] + (rows[row] - start) / height * (x1 - x0)[edge, 0]
        column = np.clip(np.ceil(crossing - 0.5) - left, 0, right - left).astype(int)
        winding = np.zeros((len(rows), right - left + 1), np.int16)
        np.add.at(winding, (row, column), np.sign(height).astype(np.int16))
        inside[top:bottom, left:right] |= winding[:, :-1].cumsum(axis=1, dtype=np.int16) != 0
    return inside
