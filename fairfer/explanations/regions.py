"""Regions of the face as masks over the pixels of a map, from landmarks or from a template."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fairfer.errors import DataError
from fairfer.explanations.face_parts import ACTION_UNITS, REGIONS, Outlines, oval
from fairfer.explanations.face_shape import Basis, FaceShape, face_shape, template_shape
from fairfer.explanations.geometry import Floats, Mask, covered

if TYPE_CHECKING:
    from fairfer.datasets.landmarks import Scheme

Coverage = NDArray[np.float32]
"""How much of each pixel a region covers: 0 to 1."""

REST_OF_FACE = "face"
BACKGROUND = "background"

REGION_NAMES: tuple[str, ...] = ("forehead", "brows", "eyes", "nose", "cheeks", "mouth", "chin", REST_OF_FACE, BACKGROUND)
"""The regions. ``face`` is the rest of the face, and ``background`` all outside of it: hair, ears, neck, background."""

_SUBPIXELS = 4
"""A pixel's coverage is the share of 4 × 4 points in it that the region contains."""

Frame = tuple[float, float, float, float]
"""Left, top, width and height, in pixels of the image, of the area that a map shows."""


@dataclass(frozen=True)
class RegionMasks:
    """Where the regions are in one map.

    Attributes
    ----------
    names
        `REGION_NAMES`.
    masks
        (9, height, width): coverage of each pixel by each region. The regions partition the picture: the coverages of a pixel
        sum to 1.
    basis
        Whether the regions are those of the face's landmarks, or of the template.
    """

    names: tuple[str, ...]
    masks: Coverage
    basis: Basis

    def __getitem__(self, name: str) -> Coverage:
        mask: Coverage = self.masks[self.names.index(name)]
        return mask


def region_masks(points: Floats | None, scheme: Scheme | None, frame: Sequence[float], shape: tuple[int, int]) -> RegionMasks:
    """The regions of a face, as masks over a map.

    Parameters
    ----------
    points
        (points, 2): landmarks, x and y in pixels of the image. None for a face without landmarks: then the regions are those of
        the average face in a picture that shows a tightly cropped face, and `RegionMasks.basis` says so.
    scheme
        Number of points: 68, 468 or 478. Ignored without points.
    frame
        Left, top, width and height, in pixels of the image, of the area that the map shows. It is the picture for the template.
    shape
        Height and width of the map.

    Raises
    ------
    DataError
        When the landmarks are not those of a face, or the frame has no area.

    Notes
    -----
    Where parts overlap, the first of eyes, brows, nose, mouth, chin, forehead and cheeks counts, in the order of
    `fairfer.explanations.face_parts.REGIONS`. Parts are clipped to the face, whose border is the jaw line and, with a face
    mesh, the mesh's upper border; 68 points have no upper border, and that of the average face is used.
    """
    face = shape_in(points, scheme, frame)
    fine = _fine(shape)
    inside = covered(_in_cells(oval(face), frame, fine), fine)
    number = np.where(inside, REGION_NAMES.index(REST_OF_FACE), REGION_NAMES.index(BACKGROUND))
    for name, part in reversed(list(REGIONS.items())):
        number[covered(_in_cells(part(face), frame, fine), fine) & inside] = REGION_NAMES.index(name)
    return RegionMasks(REGION_NAMES, _shares(number, shape), face.basis)


def action_unit_mask(
    code: str, points: Floats | None, scheme: Scheme | None, frame: Sequence[float], shape: tuple[int, int]
) -> Coverage:
    """Where an action unit shows, as a mask over a map. Masks of several units may overlap.

    Parameters
    ----------
    code
        Such as ``"AU12"``.
    points, scheme, frame, shape
        As for `region_masks`.

    Returns
    -------
    ndarray
        (height, width): coverage of each pixel.

    Raises
    ------
    DataError
        When no region is known for the code, or as for `region_masks`.
    """
    return own_region([code], points, scheme, frame, shape)


def own_region(
    units: Collection[str], points: Floats | None, scheme: Scheme | None, frame: Sequence[float], shape: tuple[int, int]
) -> Coverage:
    """Where a label shows, as a mask over a map: the union of the regions of action units.

    Parameters
    ----------
    units
        Codes of the units of the label: its own for an action unit, those of its prototype for an emotion. Without any unit, as
        for neutral, the mask is empty.
    points, scheme, frame, shape
        As for `region_masks`.

    Returns
    -------
    ndarray
        (height, width): coverage of each pixel.

    Raises
    ------
    DataError
        As for `action_unit_mask`.
    """
    unknown = sorted(set(units) - set(ACTION_UNITS))
    if unknown:
        message = (
            f"no region of the face is known for {', '.join(unknown)}; action units with a region: {', '.join(ACTION_UNITS)}"
        )
        raise DataError(message)
    face = shape_in(points, scheme, frame)
    fine = _fine(shape)
    inside = covered(_in_cells(oval(face), frame, fine), fine)
    outlines = [outline for part in {ACTION_UNITS[u] for u in units} for outline in part(face)]
    return _coverage(covered(_in_cells(outlines, frame, fine), fine) & inside, shape)


def shape_in(points: Floats | None, scheme: Scheme | None, frame: Sequence[float]) -> FaceShape:
    """The shape of a face from its landmarks, or, without landmarks, that of the template in a frame.

    Parameters
    ----------
    points, scheme, frame
        As for `region_masks`.

    Raises
    ------
    DataError
        As `region_masks`.
    """
    left, top, width, height = map(float, frame)
    if not (width > 0 and height > 0 and np.isfinite([left, top, width, height]).all()):
        message = f"a map's frame is {tuple(frame)}; it needs a width and a height above 0"
        raise DataError(message)
    if points is None:
        return template_shape(left, top, width, height)
    if scheme is None:
        message = "landmarks have no scheme; give the number of points: 68, 468 or 478"
        raise DataError(message)
    return face_shape(np.asarray(points, float), scheme)


def _fine(shape: tuple[int, int]) -> tuple[int, int]:
    return shape[0] * _SUBPIXELS, shape[1] * _SUBPIXELS


def _in_cells(outlines: Outlines, frame: Sequence[float], cells: tuple[int, int]) -> Outlines:
    """Outlines in cells of a grid over a frame, instead of pixels of the image."""
    left, top, width, height = frame
    return [(outline - (left, top)) * (cells[1] / width, cells[0] / height) for outline in outlines]


def _shares(number: NDArray[np.intp], shape: tuple[int, int]) -> Coverage:
    """(regions, height, width) coverage from the number of the region at each point."""
    height, width = shape
    pixel = np.arange(height * width).reshape(shape).repeat(_SUBPIXELS, axis=0).repeat(_SUBPIXELS, axis=1)
    regions = len(REGION_NAMES)
    counts = np.bincount((pixel * regions + number).ravel(), minlength=height * width * regions)
    shares: Coverage = (counts.reshape(height, width, regions) / _SUBPIXELS**2).astype(np.float32)
    return np.ascontiguousarray(np.moveaxis(shares, -1, 0))


def _coverage(fine: Mask, shape: tuple[int, int]) -> Coverage:
    rows = fine.reshape(shape[0], _SUBPIXELS, -1).sum(axis=1, dtype=np.uint8)
    coverage: Coverage = (rows.reshape(*shape, _SUBPIXELS).sum(axis=2) / _SUBPIXELS**2).astype(np.float32)
    return coverage
