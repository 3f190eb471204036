"""Outlines of the parts of a face, as polygons around its landmarks: of regions, and of action units.

Distances that landmarks do not give (how far above the brows a movement shows) are in eye distances.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fairfer.explanations.face_shape import POINTS

if TYPE_CHECKING:
    from fairfer.explanations.face_shape import FaceShape
    from fairfer.explanations.geometry import Floats

Outlines = list["Floats"]
"""Polygons, each (corners, 2). A part may have one on each side."""

_EYES = (range(36, 42), range(42, 48))
_MOUTH_CORNERS = (48, 54)
_ANGLES = np.linspace(0, 2 * np.pi, 24, endpoint=False)


def oval(shape: FaceShape) -> Outlines:
    """The whole face: the jaw line and the upper border."""
    return [np.concatenate([shape.points[:17], shape.points[POINTS:][::-1]])]


def forehead(shape: FaceShape) -> Outlines:
    """From the brows to the upper border of the face; the temples are left out."""
    return [np.concatenate([shape.points[POINTS + 1 : -1], shape.points[17:27][::-1]])]


def brows(shape: FaceShape) -> Outlines:
    """A band along both brows and the space between them."""
    return [_band(shape, range(17, 27), 0.15, 0.10)]


def inner_brows(shape: FaceShape) -> Outlines:
    """The inner parts of the brows, and the forehead above them."""
    return [_band(shape, range(19, 25), 0.45, 0.10)]


def outer_brows(shape: FaceShape) -> Outlines:
    """The outer parts of the brows, and the forehead above them."""
    return [_band(shape, part, 0.45, 0.10) for part in (range(17, 21), range(23, 27))]


def eyes(shape: FaceShape) -> Outlines:
    """Both eyes with their lids: an ellipse around each, so that a closed eye has an area too."""
    return [_eye(shape, eye) for eye in _EYES]


def eyes_and_cheeks(shape: FaceShape) -> Outlines:
    """Both eyes, and the cheeks to half an eye distance below them."""
    lowered = [np.concatenate([lid, lid[::-1] - 0.5 * shape.unit * shape.up]) for lid in _lower_lids(shape)]
    return [*eyes(shape), *lowered]


def nose(shape: FaceShape) -> Outlines:
    """From the root of the nose, between the eyes, to below the nostrils."""
    p, unit = shape.points, shape.unit
    across, up = unit * shape.across, unit * shape.up
    return [
        np.array(
            [
                p[27] - 0.12 * across + 0.08 * up,
                p[31] - 0.14 * across + 0.10 * up,
                p[31] - 0.12 * across,
                p[33] - 0.04 * up,
                p[35] + 0.12 * across,
                p[35] + 0.14 * across + 0.10 * up,
                p[27] + 0.12 * across + 0.08 * up,
            ]
        )
    ]


def nose_root(shape: FaceShape) -> Outlines:
    """The bridge of the nose, from the inner ends of the brows to the tip."""
    p, across = shape.points, shape.unit * shape.across
    return [
        np.array([p[21], p[27] - 0.18 * across, p[30] - 0.24 * across, p[30] + 0.24 * across, p[27] + 0.18 * across, p[22]])
    ]


def cheeks(shape: FaceShape) -> Outlines:
    """On each side, between eye, nose, corner of the mouth and border of the face."""
    return [shape.points[[36, 41, 40, 39, 31, 48, 4, 3, 2, 1]], shape.points[[45, 46, 47, 42, 35, 54, 12, 13, 14, 15]]]


def mouth(shape: FaceShape) -> Outlines:
    """The lips, and the skin between the upper lip and the nose."""
    return [*lips(shape), *upper_lip(shape)]


def lips(shape: FaceShape) -> Outlines:
    """The lips and a margin around them, so that a closed mouth has an area too."""
    border = shape.points[48:60]
    outward = border - border.mean(axis=0)
    length = np.maximum(np.hypot(*outward.T), 1e-9)[:, None]
    return [border + 0.08 * shape.unit * outward / length]


def upper_lip(shape: FaceShape) -> Outlines:
    """From the nostrils to the upper lip and the corners of the mouth."""
    return [shape.points[[31, 32, 33, 34, 35, 54, 53, 52, 51, 50, 49, 48]]]


def lower_lip(shape: FaceShape) -> Outlines:
    """The lower lip, and a quarter of an eye distance below it."""
    border = shape.points[[48, 59, 58, 57, 56, 55, 54]]
    lowered = border[1:-1] - 0.25 * shape.unit * shape.up
    return [np.concatenate([shape.points[[54, 64, 65, 66, 67, 60, 48]], lowered])]


def mouth_corners(shape: FaceShape) -> Outlines:
    """A disk around each corner of the mouth."""
    return [_disk(shape, shape.points[corner], 0.3) for corner in _MOUTH_CORNERS]


def nasolabial(shape: FaceShape) -> Outlines:
    """On each side, a disk beside the line from the nostril to the corner of the mouth."""
    sides = (((31, 48), -0.15), ((35, 54), 0.15))
    return [_disk(shape, shape.points[list(pair)].mean(axis=0) + out * shape.unit * shape.across, 0.25) for pair, out in sides]


def chin(shape: FaceShape) -> Outlines:
    """From the lower lip to the middle of the jaw line."""
    return [shape.points[[6, 7, 8, 9, 10, 54, 55, 56, 57, 58, 59, 48]]]


REGIONS: Mapping[str, Callable[[FaceShape], Outlines]] = {
    "eyes": eyes,
    "brows": brows,
    "nose": nose,
    "mouth": mouth,
    "chin": chin,
    "forehead": forehead,
    "cheeks": cheeks,
}
"""The parts that regions are made of, in the order in which they claim pixels: where parts overlap, the first one counts."""

ACTION_UNITS: Mapping[str, Callable[[FaceShape], Outlines]] = {
    "AU1": inner_brows,
    "AU2": outer_brows,
    "AU4": brows,
    "AU5": eyes,
    "AU6": eyes_and_cheeks,
    "AU7": eyes,
    "AU9": nose_root,
    "AU10": upper_lip,
    "AU11": nasolabial,
    "AU12": mouth_corners,
    "AU13": mouth_corners,
    "AU14": mouth_corners,
    "AU15": mouth_corners,
    "AU16": lower_lip,
    "AU17": chin,
    "AU18": lips,
    "AU20": mouth_corners,
    "AU22": lips,
    "AU23": lips,
    "AU24": lips,
    "AU25": lips,
    "AU26": lips,
    "AU27": lips,
    "AU28": lips,
    "AU34": cheeks,
    "AU43": eyes,
    "AU45": eyes,
}
"""Where each action unit shows. Parts of several units overlap."""


def _band(shape: FaceShape, points: Sequence[int], above: float, below: float) -> Floats:
    line = shape.points[list(points)]
    return np.concatenate([line + above * shape.unit * shape.up, (line - below * shape.unit * shape.up)[::-1]])


def _eye(shape: FaceShape, points: Sequence[int]) -> Floats:
    """An ellipse around an eye, a tenth of an eye distance wider on each side and more above and below."""
    outline = shape.points[list(points)]
    center = outline.mean(axis=0)
    wide = np.ptp(outline @ shape.across) / 2 + 0.10 * shape.unit
    high = np.ptp(outline @ shape.up) / 2 + 0.15 * shape.unit
    ellipse: Floats = center + np.outer(wide * np.cos(_ANGLES), shape.across) + np.outer(high * np.sin(_ANGLES), shape.up)
    return ellipse


def _lower_lids(shape: FaceShape) -> Outlines:
    return [shape.points[[36, 41, 40, 39]], shape.points[[42, 47, 46, 45]]]


def _disk(shape: FaceShape, center: Floats, radius: float) -> Floats:
    disk: Floats = center + radius * shape.unit * np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
    return disk
