"""The shape of a face as 81 points, from any scheme of landmarks, and the template for faces without landmarks.

The 81 points are the 68 of iBUG, followed by 13 of the upper border of the face, from the temple at the image's left over the
forehead to the right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from fairfer.errors import DataError
from fairfer.explanations.geometry import Floats, Similarity, fit_similarity

if TYPE_CHECKING:
    from fairfer.datasets.landmarks import Scheme

Basis = Literal["landmarks", "template"]
"""Whether a face's shape was measured, or is that of the average face."""

POINTS = 68
"""Number of points of iBUG's scheme; the points of the upper border follow them."""

# fmt: off
MESH_POINTS: tuple[int, ...] = (
    127, 234, 132, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 361, 454, 356,  # 0-16 jaw
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,  # 17-26 brows
    168, 197, 5, 4, 75, 97, 2, 326, 305,  # 27-35 nose
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,  # 36-47 eyes
    61, 39, 37, 0, 267, 269, 291, 321, 314, 17, 84, 91,  # 48-59 outer border of the lips
    78, 82, 13, 312, 308, 317, 14, 87,  # 60-67 inner border of the lips
)
"""The point of the face mesh (468 or 478) that corresponds to each of the 68.

Checked against the average of iBUG's points (the template of OpenFace): after alignment of the average face of FER+ Test, no
point is more than 0.14 eye distances from its counterpart, and none inside the face more than 0.10. In the correspondence that
is usually copied, the ends of the jaw line are above the eyes, 0.23 eye distances from where iBUG has them.
"""

MESH_BORDER: tuple[int, ...] = (162, 21, 54, 103, 67, 109, 10, 338, 297, 332, 284, 251, 389)
"""The points of the face mesh along the upper border of the face."""

TEMPLATE: Floats = np.array(
    [
        (0.099, 0.378), (0.103, 0.459), (0.120, 0.632), (0.145, 0.729), (0.180, 0.808), (0.220, 0.868),
        (0.318, 0.956), (0.425, 1.012), (0.500, 1.021), (0.575, 1.012), (0.682, 0.956), (0.780, 0.868),
        (0.820, 0.808), (0.855, 0.729), (0.880, 0.632), (0.897, 0.459), (0.901, 0.378), (0.167, 0.279),
        (0.202, 0.248), (0.257, 0.232), (0.328, 0.237), (0.411, 0.249), (0.589, 0.249), (0.672, 0.237),
        (0.743, 0.232), (0.798, 0.248), (0.833, 0.279), (0.500, 0.352), (0.500, 0.444), (0.500, 0.526),
        (0.500, 0.575), (0.420, 0.622), (0.452, 0.642), (0.500, 0.645), (0.548, 0.642), (0.580, 0.622),
        (0.237, 0.370), (0.274, 0.350), (0.335, 0.347), (0.396, 0.380), (0.345, 0.391), (0.286, 0.392),
        (0.604, 0.380), (0.665, 0.347), (0.726, 0.350), (0.763, 0.370), (0.714, 0.392), (0.655, 0.391),
        (0.350, 0.772), (0.410, 0.732), (0.454, 0.721), (0.500, 0.728), (0.546, 0.721), (0.590, 0.732),
        (0.650, 0.772), (0.618, 0.815), (0.548, 0.855), (0.500, 0.860), (0.452, 0.855), (0.382, 0.815),
        (0.365, 0.773), (0.463, 0.760), (0.500, 0.761), (0.537, 0.760), (0.635, 0.773), (0.538, 0.805),
        (0.500, 0.809), (0.462, 0.805), (0.103, 0.294), (0.120, 0.227), (0.153, 0.165), (0.207, 0.117),
        (0.293, 0.086), (0.387, 0.072), (0.500, 0.070), (0.613, 0.072), (0.707, 0.086), (0.793, 0.117),
        (0.847, 0.165), (0.880, 0.227), (0.897, 0.294),
    ]
)
"""(81, 2): the shape of the average face, as shares of the width and height of the picture.

The mean of the landmarks of the 3,209 faces of FER+ Test in which the face mesh found a face, each with its mirror image, after
alignment by similarity transforms (generalized Procrustes analysis on nose, eyes and mouth), at the mean position and median
size that faces have in these pictures. An aggregate: no face can be recovered from it. It fits tightly cropped faces only.
"""
# fmt: on
TEMPLATE.flags.writeable = False

STABLE = np.arange(27, POINTS)
"""Points by which faces are aligned: nose, eyes and mouth. The jaw line and the brows depend more on pose and expression."""

_EYES = (np.arange(36, 42), np.arange(42, 48))


@dataclass(frozen=True)
class FaceShape:
    """The shape of one face.

    Attributes
    ----------
    points
        (81, 2): x and y.
    across, up
        (2,) unit vectors: from the eye at the image's left to the other, and from the mouth to the eyes.
    unit
        Distance between the centers of the eyes, as it would be if the face were not turned.
    basis
        Whether the points were measured.
    pose
        The similarity transform that takes the template to the face's landmarks; None for the template, which may be stretched.
    """

    points: Floats
    across: Floats
    up: Floats
    unit: float
    basis: Basis
    pose: Similarity | None


def face_shape(points: Floats, scheme: Scheme) -> FaceShape:
    """The shape of a face with landmarks.

    Parameters
    ----------
    points
        (points, 2): x and y in pixels, x to the right and y down.
    scheme
        Number of points. With 68, which have none above the brows, the upper border of the face is that of the template,
        aligned to the face.

    Raises
    ------
    DataError
        When the number of points differs from the scheme, or the landmarks are not a face: coordinates that are not finite, or
        nose, eyes and mouth in one point.
    """
    if points.shape != (scheme, 2):
        message = f"landmarks have the shape {points.shape}; the scheme of {scheme} points needs ({scheme}, 2)"
        raise DataError(message)
    measured = points if scheme == POINTS else points[list(MESH_POINTS + MESH_BORDER)]
    pose = fit_similarity(TEMPLATE[STABLE], measured[STABLE]) if np.isfinite(measured).all() else None
    if pose is None:
        message = "landmarks are not those of a face (coordinates are not finite, or all in one point); remove this row"
        raise DataError(message)
    full = measured if scheme != POINTS else np.concatenate([measured, pose(TEMPLATE[POINTS:])])
    return FaceShape(
        full, pose.direction((1, 0)), pose.direction((0, -1)), pose.scale * _eye_distance(TEMPLATE), "landmarks", pose
    )


def template_shape(left: float, top: float, width: float, height: float) -> FaceShape:
    """The shape of the average face in a picture that shows a tightly cropped face.

    Parameters
    ----------
    left, top, width, height
        The picture, in pixels.
    """
    points = TEMPLATE * (width, height) + (left, top)
    return FaceShape(points, np.array([1.0, 0]), np.array([0, -1.0]), _eye_distance(points), "template", None)


def _eye_distance(points: Floats) -> float:
    one, other = (points[eye].mean(axis=0) for eye in _EYES)
    return float(np.hypot(*(other - one)))
